"""The authorization server as ``app`` sees it: build it, ``start`` it, mount its ``routes``.

Read ``authorize.py`` for what happens to a login, ``grants/`` for what happens to a code or refresh token,
``bearer.py`` for what happens to an MCP request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import VaultError
from gatekit.identity.ports import Tended
from gatekit.identity.second_factor import SecondFactors
from gatekit.identity.standing import Standings, Upright
from gatekit.model.access import Access
from gatekit.model.audit import ClientEvent
from gatekit.model.oauth import CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE, Client
from gatekit.model.resource import ResourceServer
from gatekit.model.target import Target
from gatekit.oauth.account import Account
from gatekit.oauth.authorize import Authorize
from gatekit.oauth.backchannel import Notices
from gatekit.oauth.bearer import Bearer
from gatekit.oauth.bounds import within
from gatekit.oauth.browser import Browser
from gatekit.oauth.claims import lineage
from gatekit.oauth.clients import ClientAuthentication
from gatekit.oauth.code import Codes
from gatekit.oauth.consent import Consents
from gatekit.oauth.core import Core, Services
from gatekit.oauth.device import PAGE as DEVICE_PAGE
from gatekit.oauth.device import Devices
from gatekit.oauth.documents import Documents
from gatekit.oauth.entry import Entry
from gatekit.oauth.external.elsewhere import routes as elsewhere
from gatekit.oauth.forward.judge import Judge, Targets
from gatekit.oauth.forward.passes import Passes
from gatekit.oauth.grants.authorization_code import CodeGrant
from gatekit.oauth.grants.client_credentials import ClientCredentialsGrant
from gatekit.oauth.grants.device_code import DeviceGrant
from gatekit.oauth.grants.identity_assertion import IdentityAssertionGrant
from gatekit.oauth.grants.refresh_token import RefreshGrant
from gatekit.oauth.grants.token_exchange import TokenExchangeGrant
from gatekit.oauth.holdings import Holdings
from gatekit.oauth.http import api_route, json_answer, page_route
from gatekit.oauth.interaction import Interaction
from gatekit.oauth.introspection import Introspection
from gatekit.oauth.issuing import Issuer
from gatekit.oauth.logout import Logout
from gatekit.oauth.management import Management
from gatekit.oauth.metadata import Metadata
from gatekit.oauth.passkeys import PasskeySignIn
from gatekit.oauth.posted import Posted
from gatekit.oauth.provider_logout import ProviderLogout
from gatekit.oauth.pushed import Pushed
from gatekit.oauth.registration import Registration
from gatekit.oauth.revoke import Revocation
from gatekit.oauth.saml import SamlEndpoints
from gatekit.oauth.second_step import SecondStep
from gatekit.oauth.settings import OAuthSettings
from gatekit.oauth.signals import SignalReceiver
from gatekit.oauth.token import GrantType, Tokens
from gatekit.oauth.userinfo import UserInfo
from gatekit.oauth.verification import DECIDE as DEVICE_DECIDE
from gatekit.oauth.verification import Verification

log = logging.getLogger("gatekit.oauth")

RESOURCE_METADATA = "/.well-known/oauth-protected-resource"


class AuthorizationServer:
    """Composition of this room. ``bearer`` is the resource server's check, over the same keys and rows."""

    def __init__(self, settings: OAuthSettings, services: Services) -> None:
        self._core = Core(settings, services)
        self._metadata = Metadata(self._core)
        self._registration = Registration(self._core)
        self.browser = browser = Browser(self._core)
        consents = Consents(self._core, browser)
        codes = Codes(self._core, browser)
        documents = Documents(self._core)
        clients = ClientAuthentication(self._core, documents)
        self._pushed = Pushed(self._core, clients)
        self._authorize = Authorize(self._core, browser, consents, codes, documents, self._pushed)
        entry = Entry(self._core, browser, self._authorize, codes)
        self._second = SecondStep(self._core, browser, self._authorize, entry)
        self._interaction = Interaction(
            self._core, browser, self._authorize, consents, codes, entry, self._second
        )
        self._passkeys = PasskeySignIn(self._core, browser, self._authorize, entry)
        self.notices = Notices(self._core)
        """Tells relying parties of the end of sessions; ``app`` runs it."""
        self._provider_logout = ProviderLogout(self._core, self.notices)
        self._signals = SignalReceiver(self._core, self.notices)
        self._saml = SamlEndpoints(self._core, browser, self._authorize, self.notices)
        ways = (self._saml.onward, self._provider_logout.onward)
        self._account = Account(self._core, browser, self._authorize, ways)
        self._logout = Logout(self._core, browser, self.notices)
        self._posted = Posted(self._core, browser, self._authorize)
        self._userinfo = UserInfo(self._core)
        self._devices = Devices(self._core, clients)
        self._verification = Verification(self._core, browser, self._authorize)
        issuer = Issuer(self._core)
        grants: dict[str, GrantType] = {
            "authorization_code": CodeGrant(self._core, issuer),
            "refresh_token": RefreshGrant(self._core, issuer),
            DEVICE_CODE: DeviceGrant(self._core, issuer),
            CLIENT_CREDENTIALS: ClientCredentialsGrant(self._core, issuer),
            TOKEN_EXCHANGE: TokenExchangeGrant(self._core, issuer),
            **({JWT_BEARER: IdentityAssertionGrant(self._core, issuer)} if settings.assertions else {}),
        }
        self._tokens = Tokens(self._core, issuer, grants, clients)
        self._revocation = Revocation(self._core, issuer, clients)
        self._introspection = Introspection(self._core, clients)

    @property
    def second(self) -> SecondFactors:
        """Second factors; for the page on which people set theirs up."""
        return self._core.second

    @property
    def standings(self) -> Standings:
        """Who counts; for doors that have credentials of their own."""
        return self._core.standings

    @property
    def bearer(self) -> Bearer:
        return self._core.bearer

    async def start(self) -> None:
        """Load the signing keys; make the first one at the first start. Raises ``StoreError``."""
        await self._core.keys.load()
        await self._core.statements.load()

    def set_servers(
        self,
        servers: Sequence[tuple[str, str]],
        elsewhere: Sequence[ResourceServer] = (),
        targets: Sequence[Target] = (),
    ) -> None:
        """Publish other servers, (name, title) each, other applications behind proxies, and know other
        resource servers, from now on."""
        self._core.set_servers(servers, elsewhere, targets)

    async def set_clients(self, clients: Sequence[Client]) -> None:
        """These are the clients of the configuration from now on, and only these.

        Raises ``StoreError``, ``AuditUnavailable``.
        """
        core, now = self._core, self._core.now()
        changed = await core.store.clients.configure([replace(client, created_at=now) for client in clients])
        core.set_clients(clients)
        there = {client.id: client for client in clients}
        for ident in changed:
            client = there.get(ident)
            event = ClientEvent(
                at=core.at(),
                client_id=ident,
                client=client.name if client else "",
                action="changed" if client else "deleted",
                redirect_uris=client.redirect_uris if client else (),
                reason="by the configuration file",
            )
            await core.services.audit.write(event)

    async def changed(self) -> None:
        """Another process changed something: a person, a grant, a key. Raises ``StoreError``."""
        core = self._core
        core.bearer.forget()
        try:
            await core.keys.load()
            await core.statements.load()
        except VaultError as bad:  # sealed with another master key: whoever follows changes must go on
            log.error("there is no key to sign with error=%s", bad)
        core.bearer.forget()  # what was verified meanwhile may have been verified with an old key

    async def tidy(self) -> None:
        """Remove what has expired. For a background job, every few minutes."""
        store, now = self._core.store, self._core.now()
        await store.transactions.purge(now)
        await store.device_authorizations.purge(now)
        await store.replays.purge(now)
        # As long as a sign-in that came from it may still end: it must not count twice.
        await store.pushed_requests.purge(now - self._core.settings.transaction_lifetime)
        await store.browser_sessions.purge(now)
        await store.grants.purge(now)
        await store.relying_sessions.purge(now - self._core.settings.grant_lifetime)
        await store.access_tokens.purge(now)
        await store.api_replies.purge(now)
        await store.clients.expire_unused(now - self._core.settings.unused_client_lifetime)
        await self._core.keys.tidy()
        await self._core.statements.tidy()
        for provider in [*self._core.services.providers.values()]:
            if isinstance(provider, Tended):
                await provider.tend()

    async def is_active(self, access: Access) -> bool:
        """Whether what stood behind a verified credential still stands: for streams and sessions that stay
        open between two requests."""
        core = self._core
        now = core.services.clock.now()
        if access.expires_at <= now:  # a stream does not outlive its token (checklist T11)
            return False
        if access.issuer:
            groups = access.principal.asserted_groups
            return isinstance(await core.standings.asserted(access.principal.id, groups, now), Upright)
        if access.credential == "api_key":
            key = await core.store.api_keys.get(access.credential_id)
            if key is None or key.revoked_at is not None or key.expires_at <= now:
                return False
            return isinstance(await core.standings.person(key.user_id, now), Upright)
        if not (await core.bearer.deny_list(now)).isdisjoint(lineage(access.credential_id)):
            return False
        found = await core.standings.grant(access.grant_id, now)
        return isinstance(found, Upright) and within(found.client, access)

    async def is_person_active(self, user_id: str) -> bool:
        """The same for a person by id: for processes that serve nobody else."""
        core = self._core
        now = core.services.clock.now()
        if core.settings.external is not None:
            # Whether they are admitted depends on the groups of a token, and nobody shows one here.
            return isinstance(await core.standings.known(user_id, now), Upright)
        return isinstance(await core.standings.person(user_id, now), Upright)

    async def bereft(
        self, people: Collection[str], credentials: Collection[str], clients: Collection[str]
    ) -> frozenset[str]:
        """Those of ``people`` who held some of these and hold nothing good any more (``holdings``)."""
        return await Holdings(self._core).bereft(people, credentials, clients)

    def forward(self, targets: Targets) -> tuple[Judge, Passes]:
        """What answers reverse proxies; ``web.forward_auth`` is its door."""
        passes = Passes(self._core)
        return Judge(self._core, passes, targets), passes

    async def sign_in_for(self, request: Request, path: str) -> Response:
        """The sign-in page, which leads to our own page at ``path`` afterwards."""
        return await self._authorize.sign_in_for(request, path)

    def turned_away(self) -> dict[bytes, Callable[[str], int]]:
        """Path of a POST → (place → seconds to wait, 0 for none): what the front need not let in."""
        if self._core.settings.external is not None or not self._core.settings.registration_enabled:
            return {}
        return {b"/register": self._registration.turned_away}

    def routes(self) -> list[Route]:
        """Everything this room answers. Unknown paths below /.well-known/ are a plain 404, never a 401:
        clients probe there."""
        if self._core.settings.external is not None:
            return [*self._resource_documents(), *elsewhere(self._core.settings.external.issuer)]
        return [*self._well_known(), *self._endpoints(), *self._pages()]

    def _well_known(self) -> list[Route]:
        document = self._metadata.authorization_server
        return [
            api_route("/.well-known/oauth-authorization-server", document, ["GET"]),
            api_route("/.well-known/openid-configuration", self._metadata.openid, ["GET"]),
            *self._resource_documents(),
            api_route("/.well-known/{rest:path}", _not_found, ["GET"]),
            api_route("/jwks", self._metadata.jwks, ["GET"]),
        ]

    def _resource_documents(self) -> list[Route]:
        kinds = ("mcp", "sse") if self._core.settings.legacy_sse else ("mcp",)
        paths = [f"{RESOURCE_METADATA}{place}/{kind}" for kind in kinds for place in ("/s/{server}", "")]
        return [api_route(path, self._metadata.protected_resource, ["GET"]) for path in paths]

    def _endpoints(self) -> list[Route]:
        routes = [
            api_route("/token", self._tokens.token, ["POST"]),
            *self._pushed.routes(),
            *self._logout.routes(),
            *self._provider_logout.routes(),
            *self._signals.routes(),
            api_route("/userinfo", self._userinfo.userinfo, ["GET", "POST"]),
            api_route("/revoke", self._revocation.revoke, ["POST"]),
            api_route("/introspect", self._introspection.introspect, ["POST"]),
            api_route("/device_authorization", self._devices.authorization, ["POST"]),
        ]
        if self._core.settings.registration_enabled:
            routes.append(api_route("/register", self._registration.register, ["POST"]))
            routes += Management(self._core, self._registration).routes()
        return routes

    def _pages(self) -> list[Route]:
        pages = self._core.services.pages
        doors = [
            ("/authorize", self._authorize.authorize, ["GET", "POST"]),
            ("/continue", self._authorize.resume, ["GET"]),
            ("/login", self._account.sign_in, ["GET"]),
            ("/login", self._interaction.login, ["POST"]),
            ("/login/home", self._interaction.home, ["POST"]),
            ("/consent", self._interaction.consent, ["POST"]),
            ("/go/{connection}", self._interaction.go, ["GET"]),
            ("/callback/{connection}", self._interaction.callback, ["GET"]),
            (DEVICE_PAGE, self._verification.enter, ["GET"]),
            (DEVICE_PAGE, self._verification.entered, ["POST"]),
            (DEVICE_DECIDE, self._verification.decide, ["POST"]),
            ("/invite/{token}", self._account.invite, ["GET", "POST"]),
            ("/", self._account.home, ["GET"]),
            ("/logout", self._account.logout, ["POST"]),
        ]
        routes = [page_route(path, endpoint, methods, pages) for path, endpoint, methods in doors]
        more = (self._passkeys, self._second, self._posted, self._saml)
        return [*routes, *(route for part in more for route in part.routes())]


async def _not_found(_request: Request) -> Response:
    return json_answer({"error": "not_found"}, 404)
