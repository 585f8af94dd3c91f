"""Resource identifiers (RFC 8707): the public URLs of our MCP endpoints, and what others call themselves who
take our tokens.

The two never meet in one grant: a token is for endpoints of ours, or for one resource server elsewhere. So no
token is good at both, and each has scopes of its own (RFC 8707 §3).

A client compares the identifier with the URL it was configured with, byte for byte, so ours have no trailing
slash and the host spelling of the configuration. What clients send back is compared more kindly: several
append a slash (URL parsers do) and two send only the origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.errors import InvalidTarget
from gatekit.model.oauth import Client
from gatekit.model.resource import ResourceServer
from gatekit.model.target import Target
from gatekit.oauth.ports import Rights

AGGREGATE = ""
"""Stands for the aggregate endpoint where a server name is expected."""


class Reach(Struct, frozen=True):
    """Which endpoints an audience covers."""

    servers: frozenset[str]
    aggregate: bool


class Resources:
    """All resources of one gateway. Immutable; ``AuthorizationServer.set_servers`` makes a new one."""

    def __init__(
        self,
        issuer: str,
        servers: Sequence[tuple[str, str]],
        legacy: bool = False,
        elsewhere: Sequence[ResourceServer] = (),
        targets: Sequence[Target] = (),
    ) -> None:
        """``legacy``: the HTTP+SSE URL of an endpoint is another name of the same resource. ``targets``:
        applications behind a proxy, which are resources of their own."""
        self._issuer = issuer
        self._prefix = f"{issuer}/s/"
        self.titles: dict[str, str] = {name: title or name for name, title in servers}
        self._by_url = {self.url(name): name for name in (AGGREGATE, *self.titles)}
        self._folded = {_fold(url): url for url in self._by_url}
        if legacy:
            self._folded |= {
                _fold(self.legacy_url(name)): self.url(name) for name in (AGGREGATE, *self.titles)
            }
        self._targets = {target.name: target for target in targets}
        self._by_url |= {target.url: target.name for target in targets}
        self._folded |= {_fold(target.url): target.url for target in targets}
        self._issuer_folded = _fold(issuer)
        self._elsewhere = {other.uri: other for other in elsewhere}
        self._elsewhere_folded = {_fold(uri) or uri: uri for uri in self._elsewhere}
        self._by_name = {other.name: other for other in elsewhere}
        self.callers: Mapping[str, Client] = {
            other.name: _caller(other) for other in elsewhere if other.auth_method != "none"
        }
        """Resource servers as clients of ours: who may ask about tokens, by name."""

    def url(self, server: str) -> str:
        """The identifier of ``server``; of the aggregate endpoint for an empty name."""
        return f"{self._prefix}{server}/mcp" if server else f"{self._issuer}/mcp"

    def legacy_url(self, server: str) -> str:
        """Where ``server`` speaks HTTP+SSE."""
        return f"{self._prefix}{server}/sse" if server else f"{self._issuer}/sse"

    def title(self, server: str) -> str:
        if server in self._targets:
            return self._targets[server].title
        return self.titles.get(server, server) if server else "All servers"

    def knows(self, server: str) -> bool:
        return server == AGGREGATE or server in self.titles

    def permitted(self, servers: Iterable[str]) -> tuple[str, ...]:
        """Identifiers of what somebody may use, the aggregate first; nothing if they may use nothing."""
        names = [name for name in servers if name in self.titles]
        return tuple(self.url(name) for name in (AGGREGATE, *names)) if names else ()

    def elsewhere(self, resources: Sequence[str]) -> ResourceServer | None:
        """The one resource server elsewhere that known identifiers are about; None if they are ours."""
        return self._elsewhere.get(resources[0]) if resources else None

    def ours(self, url: str) -> bool:
        """Whether an identifier is one of this gateway's own, published or not any more."""
        reach = self.reach((url,))
        return reach.aggregate or bool(reach.servers) or url in self._by_url

    def called(self, name: str) -> ResourceServer:
        """The resource server elsewhere of that name; raise ``KeyError``."""
        return self._by_name[name]

    def offered(self, wanted: Sequence[str], rights: Rights) -> tuple[str, ...]:
        """What of ``wanted`` somebody with these rights may use; all of ours that they may if it is empty."""
        permitted = self.permitted(rights.servers())
        if not wanted:
            return permitted
        # Applications behind proxies are for who asks for them by name.
        named = {self._targets[name].url for name in rights.servers() if name in self._targets}
        permitted = (*permitted, *named)
        others = set(rights.resources())
        return tuple(
            url
            for url in wanted
            if url in permitted or (url in self._elsewhere and self._elsewhere[url].name in others)
        )

    def shown(self, resources: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
        """(identifier, name, title) of known identifiers, for a page."""
        found = []
        for url in resources:
            other = self._elsewhere.get(url)
            name = other.name if other else self._by_url[url]
            found.append((url, name, other.title if other else self.title(name)))
        return tuple(found)

    def asked(self, values: Sequence[str], only: Sequence[str] = ()) -> tuple[str, ...]:
        """As ``resolve``, where a grant begins, for a client that is limited to ``only`` (empty: to nothing).

        Who names nothing means all of ours within the limit; where there are none of ours, the one resource
        server elsewhere. Raise ``InvalidTarget``.
        """
        found = self.resolve(values, only)
        if found:
            return found
        others = [uri for uri, other in self._elsewhere.items() if not only or other.name in only]
        if not others or any(name in self.titles for name in only or self.titles):
            return self.limit(only)
        if len(others) > 1:
            raise InvalidTarget("say which resource the token is for")
        return tuple(others)

    def resolve(self, values: Sequence[str], only: Sequence[str] = ()) -> tuple[str, ...]:
        """Canonical identifiers of what a client asked for, without repetition.

        ``only``: names of servers and resource servers that it is limited to. Empty if it named nothing; a
        bare origin counts as nothing (Copilot and mcp-remote send it). Raise ``InvalidTarget`` for anything
        unknown (RFC 8707 §2).
        """
        found: dict[str, None] = {}
        for value in values:
            canonical = _fold(value)
            if canonical is not None and canonical == self._issuer_folded:
                continue
            match = self._folded.get(canonical) if canonical is not None else None
            match = match or self._elsewhere_folded.get(canonical or value)
            if match is None:
                raise InvalidTarget("unknown resource", f"unknown resource {value[:200]!r}")
            found[match] = None
        if found and only and not found.keys() <= self._within(only):
            raise InvalidTarget("the client may not use this resource")
        if len(found) > 1 and not self._elsewhere.keys().isdisjoint(found):
            raise InvalidTarget("a token for this resource is for no other; ask for one at a time")
        return tuple(found)

    def _within(self, only: Sequence[str]) -> frozenset[str]:
        own = (url for url, name in self._by_url.items() if name and name in only)
        return frozenset((*own, *(other.uri for other in self._elsewhere.values() if other.name in only)))

    def limit(self, only: Sequence[str]) -> tuple[str, ...]:
        """What of ours a client that is limited to these asks for by naming nothing; empty without a limit.

        Raise ``InvalidTarget`` if none of them is published: nothing is not the same as everything.
        """
        limit = tuple(self.url(name) for name in only if name in self.titles)
        if only and not limit:
            raise InvalidTarget("the client may not use any resource")
        return limit

    def names(self, resources: Iterable[str]) -> tuple[str, ...]:
        """Server names of known identifiers, in their order; others are left out."""
        return tuple(self._by_url[url] for url in resources if url in self._by_url)

    def reach(self, audience: Iterable[str]) -> Reach:
        """What a token's ``aud`` covers. Exact comparison only: the audience was written by us (T3)."""
        servers = set()
        aggregate = False
        for url in audience:
            if url == f"{self._issuer}/mcp":
                aggregate = True
            elif url.startswith(self._prefix) and url.endswith("/mcp"):
                name = url[len(self._prefix) : -len("/mcp")]
                if name and "/" not in name:
                    servers.add(name)
        return Reach(frozenset(servers), aggregate)


def _caller(server: ResourceServer) -> Client:
    return Client(
        id=server.name,
        name=server.title,
        redirect_uris=(),
        auth_method=server.auth_method,
        secret_hash=server.secret_hash,
        jwks_uri=server.jwks_uri,
        grant_types=(),
        source="configured",
    )


def _fold(value: str) -> str | None:
    """Lower-case scheme and host, drop the default port and one trailing slash. None: not comparable."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    # RFC 8707 §2: absolute, no fragment. A query or user name is never part of one of ours.
    if not parts.hostname or parts.fragment or parts.query or parts.username is not None or "#" in value:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}.get(parts.scheme)
    suffix = f":{port}" if port is not None and port != default else ""
    path = parts.path.removesuffix("/")
    return f"{parts.scheme}://{host}{suffix}{path}"
