"""The compiled tables of the hot path: what is published and who may use it. Swapped whole, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from gatekit.gateway.views import Chosen, Everything, View
from gatekit.model.access import EVERY_SERVER, Access
from gatekit.model.decision import Allow, Decision
from gatekit.model.people import Principal
from gatekit.model.server import Server
from gatekit.model.virtual import Virtual
from gatekit.plugins.chain import Chain
from gatekit.policy.engine import Kind, Policy, Rights

_MAX_REMEMBERED = 20_000


class Merging(Struct, frozen=True, kw_only=True):
    """How the answers of several servers become one."""

    page_size: int = 1000
    """Items on one page of a merged list."""
    patience: float = 10.0
    """Seconds that one server may take before the others' answers go on without it."""


class Inspectors(Protocol):
    """The plugins of all servers (``plugins.house.Chains``)."""

    def at(self, server: str) -> Chain | None:
        """Those of one server, ``""``: of what no single server answers; None if there are none."""
        ...


class Published:
    """One generation of the configuration as the data plane sees it."""

    __slots__ = ("_rights", "everything", "limited", "merging", "plugins", "policy", "servers", "views")

    def __init__(
        self,
        servers: Mapping[str, Server],
        policy: Policy,
        virtual: Iterable[Virtual] = (),
        merging: Merging | None = None,
        plugins: Inspectors | None = None,
    ) -> None:
        self.servers = dict(servers)
        self.policy = policy
        self.limited = bool(policy.quotas)
        """Whether there are quotas at all."""
        self.everything: View = Everything()
        self.views: dict[str, View] = {entry.name: Chosen(entry) for entry in virtual}
        self.merging = merging or Merging()
        self.plugins = plugins
        """None: there are no plugins at all."""
        self._rights: dict[str, tuple[Principal, Rights]] = {}

    def rights(self, principal: Principal) -> Rights:
        """The compiled rights of one person; recomputed when the person's groups changed."""
        known = self._rights.get(principal.id)
        if known is not None and (known[0] is principal or known[0] == principal):
            return known[1]
        if len(self._rights) >= _MAX_REMEMBERED:
            self._rights.clear()
        rights = self.policy.rights(principal)
        self._rights[principal.id] = (principal, rights)
        return rights

    def may_reach(self, access: Access, server: str) -> Decision:
        """The server-level decision: may this person use this server at all, whenever and from wherever? Each
        call is judged anew, with what is known of it."""
        return self.rights(access.principal).could(server, "server")

    def view(self, name: str) -> View | None:
        """How the endpoint ``name`` looks, if it is one that stands for several servers."""
        return self.views.get(name) if name else self.everything

    def admits(self, access: Access, endpoint: str) -> bool:
        """Whether the credential and the rules let this person in at a server's endpoint, virtual or not."""
        return (
            (endpoint in self.servers or endpoint in self.views)
            and (_for_every(access) or endpoint in access.servers)
            and isinstance(self.may_reach(access, endpoint), Allow)
        )

    def reachable(self, access: Access) -> tuple[str, ...]:
        """Servers that both the credential and the rules let this person use, in declared order.

        A token for the aggregate endpoint stands for everything its person may use; a key may name servers,
        and then it reaches no others there either.
        """
        every = _for_every(access)
        wanted = self.rights(access.principal).servers()
        return tuple(s for s in wanted if s in self.servers and (every or s in access.servers))

    def outline(self, access: Access, endpoint: str, kind: Kind) -> tuple[object, ...]:
        """What this person is shown of a kind at an endpoint: equal as long as that is the same, as far as
        the configuration has a say in it."""
        rights = self.rights(access.principal)
        own = self.servers.get(endpoint)
        if own is not None:
            return (own.fingerprint(), own.pins, rights.outline(endpoint, kind), self._shape(endpoint))
        view = self.view(endpoint)
        if view is None:
            return ()
        behind = (
            (s.name, s.fingerprint(), s.pins, rights.outline(s.name, kind), self._shape(s.name))
            for s in self.behind(view, access)
        )
        return (view.shape, rights.outline(endpoint, kind), *behind)

    def _shape(self, server: str) -> object:
        """Whatever plugins make of a server's lists, it is the same for equal shapes."""
        chain = self.plugins.at(server) if self.plugins is not None else None
        return None if chain is None else chain.shape

    def behind(self, view: View, access: Access) -> tuple[Server, ...]:
        """The servers that answer for ``view`` when this person asks.

        A credential for a virtual server need not name the servers behind it, but its person must be allowed
        to use them.
        """
        if view.sources is None:
            return tuple(self.servers[s] for s in self.reachable(access))
        rights = self.rights(access.principal)
        sources = (s for s in view.sources if s in self.servers and rights.visible(s, "server"))
        return tuple(self.servers[s] for s in sources)


def _for_every(access: Access) -> bool:
    return EVERY_SERVER in access.servers or (access.aggregate and access.credential == "access_token")


class Shelf:
    """Holds the current generation. The only mutable thing about the tables is which one is current."""

    __slots__ = ("current",)

    def __init__(self, current: Published) -> None:
        self.current = current
