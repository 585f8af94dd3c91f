"""The compiled tables of the hot path: what is published and who may use it. Swapped whole, never changed."""

from __future__ import annotations

from collections.abc import Mapping

from gatekit.model.access import EVERY_SERVER, Access
from gatekit.model.decision import Decision
from gatekit.model.people import Principal
from gatekit.model.server import Server
from gatekit.policy.engine import Policy, Rights

_MAX_REMEMBERED = 20_000


class Published:
    """One generation of the configuration as the data plane sees it."""

    __slots__ = ("_rights", "policy", "servers")

    def __init__(self, servers: Mapping[str, Server], policy: Policy) -> None:
        self.servers = dict(servers)
        self.policy = policy
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
        """The server-level decision: may this person use this server at all?"""
        return self.rights(access.principal).decide(server, "server")

    def reachable(self, access: Access) -> tuple[str, ...]:
        """Servers that both the credential and the rules let this person use, in declared order.

        A token for the aggregate endpoint stands for everything its person may use; a key may name servers,
        and then it reaches no others there either.
        """
        every = EVERY_SERVER in access.servers or (access.aggregate and access.credential == "access_token")
        wanted = self.rights(access.principal).servers()
        return tuple(s for s in wanted if s in self.servers and (every or s in access.servers))


class Shelf:
    """Holds the current generation. The only mutable thing about the tables is which one is current."""

    __slots__ = ("current",)

    def __init__(self, current: Published) -> None:
        self.current = current
