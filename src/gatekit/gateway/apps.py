"""MCP Apps: who may use a tool may read the tool's own user interface.

A ``ui://`` resource belongs to the tools that refer to it and need not stand in ``resources/list``, so rules
about resources were hardly written with it in mind. It may be read by whoever may see one of these tools,
and otherwise like any resource. Everything else of an App (``_meta.ui``, its content security policy, its
permissions) passes through unchanged.
"""

from __future__ import annotations

from gatekit.errors import LinkError
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.judging import about
from gatekit.gateway.published import Published
from gatekit.gateway.router import Route, Target
from gatekit.gateway.sessions import McpSession
from gatekit.model.call import Call
from gatekit.model.decision import Allow, Decision, Deny
from gatekit.model.ports import Clock

_SCHEME = "ui://"


def concerns(call: Call, target: Route, refusal: Deny) -> bool:
    """Whether a refusal is about a user interface, and no rule was written that says so."""
    if refusal.final or not isinstance(target, Target) or call.method != "resources/read":
        return False
    return target.name.startswith(_SCHEME)


class Apps:
    """Judges a second time what the rules for resources refused."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def judge(
        self, call: Call, target: Route, refusal: Decision, tables: Published, session: McpSession | None
    ) -> Decision:
        """Allow if a visible tool of that server has this interface, else ``refusal``."""
        assert isinstance(target, Target)
        server = target.server.name
        doors = [server] if target.view is None or not target.view.name else [server, target.view.name]
        if not all(isinstance(tables.may_reach(call.access, door), Allow) for door in doors):
            return refusal
        try:
            link = await self._catalog.link(target.server, call, session)
            book = await self._catalog.books.of(link)
        except LinkError:
            return refusal
        rights = tables.rights(call.access.principal)
        now = about(rights, call.access, self._clock, call.address)
        for name, known in book.tools.items():
            if target.name in known.interface:
                decision = rights.could(server, "tool", name, now)
                if not isinstance(decision, Deny):
                    return Allow(decision.rule)
        return refusal
