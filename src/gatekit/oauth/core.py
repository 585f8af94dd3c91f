"""What every endpoint of the authorization server shares: settings, services and common parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gatekit.identity.ports import PasswordProvider, Recheck, RedirectProvider
from gatekit.identity.second_factor import SecondFactors
from gatekit.identity.standing import Directory, Standings, acts_for_itself
from gatekit.model.connections import ConnectionRules
from gatekit.model.factors import LocalFactors
from gatekit.model.oauth import TOKEN_EXCHANGE, Client
from gatekit.model.people import User
from gatekit.model.ports import Clock, Entropy
from gatekit.model.resource import ResourceServer
from gatekit.model.scopes import granted
from gatekit.model.target import Target
from gatekit.oauth.bearer import Bearer
from gatekit.oauth.dpop import EndpointProofs, Proofs
from gatekit.oauth.external.people import People
from gatekit.oauth.external.tokens import ExternalTokens
from gatekit.oauth.formats import AccessTokens
from gatekit.oauth.keys import KeyRing
from gatekit.oauth.pages import Pages
from gatekit.oauth.ports import Audit, Homeless, Homes, Invitations, Policy, Send, Vault
from gatekit.oauth.ports import Mapping as IdentityMapping
from gatekit.oauth.refusals import Refusals
from gatekit.oauth.resources import Resources
from gatekit.oauth.settings import OAuthSettings
from gatekit.oauth.statements import Statements
from gatekit.platform.fetching import Exchange, Fetch
from gatekit.store.ports import Store


async def _nobody(_: User) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Everything the authorization server is given; ``app`` builds it."""

    store: Store
    vault: Vault
    audit: Audit
    clock: Clock
    entropy: Entropy
    pages: Pages
    directory: Directory
    mapping: IdentityMapping
    policy: Callable[[], Policy]
    """Asked each time, so that a reload is seen."""
    fetch: Fetch | None = None
    """The guarded HTTP client, if clients may be identified by metadata documents."""
    key_fetch: Fetch | None = None
    """The guarded HTTP client for key sets that clients publish and strangers name."""
    own_key_fetch: Fetch | None = None
    """The same for key sets that the configuration names, which may lie in a private network."""
    send: Send | None = None
    """How relying parties are told of the end of a session; None: they are not."""
    passwords: Mapping[str, PasswordProvider] = field(default_factory=dict)
    """By connection name, live as ``providers`` is."""
    recheck: Callable[[str], tuple[Recheck, float] | None] = lambda _: None
    """Whom to ask again about people of a connection, and how many seconds an answer is good for."""
    rules: Callable[[str], ConnectionRules] = lambda _: ConnectionRules()
    """Of a connection, by its name, now."""
    homes: Homes = field(default_factory=Homeless)
    """Which connection an e-mail address belongs to."""
    local: Callable[[], LocalFactors] = LocalFactors
    """What the operator says of passkeys and second factors."""
    invitations: Invitations | None = None
    administrates: Callable[[User], Awaitable[bool]] = _nobody
    """Whether somebody has a part in running this, and so pages of administrators to go to."""
    exchange: Exchange | None = None
    """The guarded HTTP client for issuers that the operator named."""
    providers: Mapping[str, RedirectProvider]
    """By connection name. May be a live view: it is read at each request."""


class Core:
    """Settings, services and the shared parts of one running authorization server."""

    def __init__(self, settings: OAuthSettings, services: Services) -> None:
        self.refusals = Refusals(services.audit, services.clock)
        services = replace(services, audit=self.refusals)
        self.settings = settings
        self.services = services
        self.store = services.store
        self.resources = Resources(
            settings.issuer,
            settings.servers,
            settings.legacy_sse,
            settings.resource_servers,
            settings.targets,
        )
        self.standings = Standings(services.store, services.directory, services.policy, self.connections)
        self.second = SecondFactors(
            services.store.factors,
            services.store.passkeys,
            vault=services.vault,
            clock=services.clock,
            entropy=services.entropy,
            origin=settings.issuer,
            rules=services.local,
        )
        signing, rotate_every = services.store.signing_keys, settings.rotate_keys_every
        self.keys = KeyRing(
            signing,
            services.vault,
            services.clock,
            settings.access_token_lifetime,
            rotate_every=rotate_every,
        )
        self.statements = Statements(signing, services.vault, services.clock, rotate_every)
        self.access_tokens = AccessTokens(
            self.keys, services.store.access_tokens, services.entropy, settings.access_token_format
        )
        proofs = Proofs(settings, services.store.replays, services.vault, services.clock)
        self.proofs = EndpointProofs(settings, proofs)
        self.people = People(
            services.store.users, services.mapping, self.standings, services.audit, services.clock
        )
        self.bearer = Bearer(
            settings,
            services.store,
            services.clock,
            self.access_tokens,
            self.standings,
            proofs,
            self._external(),
        )

        self.serves_programs = False
        """Whether the configuration has a client that acts for itself."""
        self.serves_exchange = False
        """Whether it has one that may make less of its tokens."""

    def set_servers(
        self,
        servers: Sequence[tuple[str, str]],
        elsewhere: Sequence[ResourceServer] = (),
        targets: Sequence[Target] = (),
    ) -> None:
        """Publish other servers and applications behind proxies, and issue tokens for other resource servers,
        from now on."""
        self.resources = Resources(
            self.settings.issuer, servers, self.settings.legacy_sse, elsewhere, targets
        )
        self.bearer.forget()

    def set_clients(self, clients: Sequence[Client]) -> None:
        """Those of the configuration are others from now on."""
        self.serves_programs = any(acts_for_itself(client) for client in clients)
        self.serves_exchange = any(TOKEN_EXCHANGE in client.grant_types for client in clients)
        self.bearer.forget()

    def connections(self) -> frozenset[str]:
        """Names of the identity connections that are configured."""
        external = self.settings.external
        named = {external.name} if external else set()
        named |= {entry.name for entry in self.settings.assertions}
        return frozenset(named).union(self.services.providers, self.services.passwords)

    def _external(self) -> ExternalTokens | None:
        settings, services = self.settings, self.services
        if settings.external is None or services.exchange is None:
            return None
        return ExternalTokens(
            settings.external,
            settings.issuer,
            settings.scopes,
            services.exchange,
            services.clock,
            self.people,
            services.audit,
        )

    def now(self) -> int:
        """Seconds since the epoch, whole, as rows store them."""
        return int(self.services.clock.now())

    def at(self) -> float:
        """Seconds since the epoch, for audit events."""
        return self.services.clock.now()

    def scopes(self, requested: str | None, resources: Sequence[str]) -> tuple[str, ...]:
        """The scopes to grant for ``resources``: what is known there of the request, or all if that is
        nothing."""
        asked = (requested or "").split()
        other = self.resources.elsewhere(resources)
        if other is not None:
            return tuple(scope for scope in other.scopes if scope in asked) or other.scopes
        return granted(asked, self.settings.scopes)
