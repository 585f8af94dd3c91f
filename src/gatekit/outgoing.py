"""Config → the ways out: whom the gateway asks over the network, and which private hosts it may reach there.

The HTTP client costs 100 ms and 7 MB at start-up, so each of these imports it only when somebody is to be
asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gatekit.config.model import Config, Connection, GitHubConnection, SamlConnection
from gatekit.errors import OutboundRefused
from gatekit.identity.ports import RedirectProvider
from gatekit.model.connections import OidcConnection
from gatekit.model.ports import Clock, Entropy
from gatekit.model.rules import ByProviderGroup
from gatekit.model.trust import Issuer
from gatekit.oauth.ports import Send
from gatekit.platform.fetching import Answer, Exchange, Fetch
from gatekit.platform.targets import parse
from gatekit.platform.vault import Vault
from gatekit.store.ports import Store
from gatekit.upstream.network import Channel, Dial

if TYPE_CHECKING:
    from gatekit.identity.saml.provider import SamlProvider


def document_fetch(config: Config, clock: Clock) -> Fetch | None:
    """How clients' metadata documents are fetched, if they are in use."""
    if not config.registration.metadata_documents:
        return None
    from gatekit.platform.outbound import Outbound  # noqa: PLC0415  (as below: 100 ms and 7 MB)

    return Outbound(clock).fetch


def key_hosts(config: Config) -> tuple[str, ...]:
    """Hosts of the key sets that the operator named, for clients and for resource servers."""
    named = [client.jwks_uri for client in config.clients]
    named += [resource.jwks_uri for resource in config.resources]
    return tuple(urlsplit(uri).hostname or "" for uri in named if uri)


def key_fetch(clock: Clock, hosts: Callable[[], Iterable[str]] = tuple) -> Fetch:
    """How key sets of clients are fetched; ``hosts``: names that may lie in a private network now."""

    async def fetch(
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109
    ) -> Answer:
        from gatekit.platform.outbound import Outbound  # noqa: PLC0415  (as above; few gateways need it)

        outbound = Outbound(clock, hosts())
        return await outbound.fetch(method, url, headers=headers, max_bytes=max_bytes, timeout=timeout)

    return fetch


def trusted_exchange(config: Config, clock: Clock) -> Exchange | None:
    """How other issuers are asked for their keys, if any is believed."""
    issuers: list[Issuer] = [*config.assertions, *([config.external] if config.external else [])]
    if not issuers:
        return None
    from gatekit.platform.outbound import Outbound  # noqa: PLC0415  (as above)

    named = [url for issuer in issuers for url in (issuer.issuer, issuer.jwks_uri)]
    if config.external is not None and config.external.introspection is not None:
        named.append(config.external.introspection.endpoint)
    # The operator named these hosts, so they may lie in a private network. What an issuer publishes about
    # itself may name further ones, and those must be public.
    return Outbound(clock, [parse(url).host for url in named if url]).fetch


def logout_send(clock: Clock) -> Send:
    """How relying parties are told of the end of a session."""

    async def send(url: str, form: Mapping[str, str]) -> int:
        # As in ``providers``: imported only when there is somebody to tell.
        from gatekit.platform.outbound import Outbound  # noqa: PLC0415

        # The operator entered it, so it may lie in a private network; it and nothing else.
        outbound = Outbound(clock, [parse(url).host])
        answer = await outbound.fetch("POST", url, form=form, max_bytes=16 * 1024, timeout=5.0)
        return answer.status

    return send


def dialler(clock: Clock) -> Dial:
    """How remote servers are reached."""

    def dial(url: str) -> Channel:
        # As in ``providers``: imported only where there is a remote server.
        from gatekit.platform import channel  # noqa: PLC0415
        from gatekit.platform.outbound import Outbound  # noqa: PLC0415

        # The operator named it, so it may lie in a private network; it and nothing else.
        return channel.Channel(Outbound(clock, [parse(url).host]), clock, url)

    return dial


def warm_up(config: Config) -> None:
    """Import what remote servers need before the first call waits for it, and everybody else with it."""
    if any(entry.server.url for entry in config.servers):
        import gatekit.platform.channel  # noqa: PLC0415, F401


def saml_get(connection: SamlConnection, clock: Clock) -> Callable[[str], Awaitable[bytes]]:
    """How a provider's metadata is fetched."""

    async def get(url: str) -> bytes:
        from gatekit.platform.outbound import Outbound  # noqa: PLC0415  (as above)

        # The host that the operator named may lie in a private network; where it redirects to must be public.
        outbound = Outbound(clock, [urlsplit(connection.metadata).hostname or ""])
        answer = await outbound.fetch("GET", url, max_bytes=4 << 20, timeout=10.0, redirects=3)
        if answer.status != 200:
            raise OutboundRefused(f"{urlsplit(url).hostname}: answered {answer.status}")
        return answer.body

    return get


def saml_provider(
    connection: SamlConnection, config: Config, store: Store, vault: Vault, clock: Clock, entropy: Entropy
) -> SamlProvider:
    # lxml costs 30 ms and 10 MB, and the HTTP client as above.
    from gatekit.identity.saml.keys import SamlKeys  # noqa: PLC0415
    from gatekit.identity.saml.provider import SamlProvider, SamlSettings  # noqa: PLC0415
    from gatekit.identity.saml.source import Fetched, Source, Written  # noqa: PLC0415

    place = f"{config.public_url}/saml/{connection.name}"
    settings = SamlSettings(
        name=connection.name,
        title=connection.title,
        entity_id=connection.own_entity_id or f"{place}/metadata",
        acs=f"{place}/acs",
        slo=f"{place}/slo",
        subject=connection.subject,
        name_id_format=connection.name_id_format,
        contexts=connection.authn_contexts,
        force=connection.force_authn,
        signs_requests=connection.sign_requests,
        idp_initiated=connection.idp_initiated,
        single_logout=connection.single_logout,
        verified_email=connection.verified_email,
        names=connection.rules.names,
    )
    which, signer = connection.entity_id, connection.metadata_certificate
    source: Source
    if connection.metadata.startswith("<"):
        source = Written(connection.name, connection.metadata, clock, which, signer)
    else:
        get = saml_get(connection, clock)
        source = Fetched(connection.name, connection.metadata, get, store.settings, clock, which, signer)
    keys = SamlKeys(store.signing_keys, vault, clock, urlsplit(config.public_url).hostname or "gatekit")
    return SamlProvider(settings, source, keys, store.replays, clock, entropy)


def redirect_provider(
    config: Config, connection: Connection, store: Store, vault: Vault, clock: Clock, entropy: Entropy
) -> RedirectProvider:
    """What people of this connection are sent to. Contacts nobody."""
    # An HTTP client costs 100 ms and 7 MB at start-up, so it is imported only where a provider needs it.
    if isinstance(connection, OidcConnection):
        return openid_provider(connection, clock, entropy)
    if isinstance(connection, GitHubConnection):
        rules = connection.rules
        asks = bool(connection.allowed_orgs or rules.groups.mapped or rules.admit.groups)
        groups = asks or _asks_for_groups(config, connection.name)
        return github_provider(connection, clock, entropy, groups=groups)
    if isinstance(connection, SamlConnection):
        return saml_provider(connection, config, store, vault, clock, entropy)
    raise ValueError(f"nobody is sent anywhere by the kind {connection.kind}")


def openid_provider(connection: OidcConnection, clock: Clock, entropy: Entropy) -> RedirectProvider:
    from gatekit.identity.oidc.provider import OidcProvider  # noqa: PLC0415
    from gatekit.platform.outbound import Outbound  # noqa: PLC0415

    # What the operator named may lie in a private network: there stands many a company's own provider. What
    # its metadata names besides must be public, or the same host.
    named = [url for url in (connection.issuer, connection.graph_url) if url]
    hosts = {urlsplit(url).hostname or "" for url in named} - _PUBLIC
    return OidcProvider(connection, Outbound(clock, hosts).fetch, clock, entropy)


def github_provider(
    connection: GitHubConnection, clock: Clock, entropy: Entropy, *, groups: bool
) -> RedirectProvider:
    """``groups``: whether people are asked to show their organisations and teams."""
    from gatekit.identity.github import GitHubProvider, GitHubSettings  # noqa: PLC0415
    from gatekit.platform.outbound import Outbound  # noqa: PLC0415

    settings = GitHubSettings(
        name=connection.name,
        client_id=connection.client_id,
        client_secret=str(connection.client_secret),
        base_url=connection.base_url,
        api_url=connection.api_url,
        fetch_orgs=groups,
        allowed_orgs=connection.allowed_orgs,
        title=connection.title,
    )
    # As above: that is what an enterprise server does.
    hosts = {urlsplit(url).hostname or "" for url in (connection.base_url, connection.api_url)} - _PUBLIC
    return GitHubProvider(settings, Outbound(clock, hosts), entropy)


_PUBLIC = frozenset(
    [
        "",
        *("github.com", "api.github.com"),
        *("accounts.google.com", "login.microsoftonline.com", "graph.microsoft.com"),
    ]
)
"""Hosts of the large services: never at a private address, so a name server that says so is wrong."""


def _asks_for_groups(config: Config, connection: str) -> bool:
    """Whether any rule names an organisation or team of this connection."""
    rules = config.rules
    lists = [rules.gateway or (), *(members for _, members in rules.groups)]
    for server in rules.servers:
        lists += [server.allowed or (), *(tool.allowed for tool in server.tools)]
    return any(
        isinstance(selector, ByProviderGroup) and selector.connection == connection
        for members in lists
        for selector in members
    )
