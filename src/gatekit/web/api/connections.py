"""Ways for people to sign in, as far as they may be told. Their secrets and addresses are not.

They are added at the command line or in the file, where what is said of them is checked.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gatekit.admin.connections import ConnectionView
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, paged


class ConnectionQuery(Paged, frozen=True, forbid_unknown_fields=True):
    enabled: bool | None = None


class Connection(Struct, frozen=True):
    """One way to sign in."""

    name: str
    kind: str
    enabled: bool
    source: Annotated[
        Literal["file", "store"], Meta(description="Those of the file are changed in the file.")
    ]


class ConnectionPage(Page[Connection], frozen=True):
    """One page."""


class ConnectionChange(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: Annotated[bool, Meta(description="False: whoever came over it is out at once.")]


def _out(view: ConnectionView) -> Connection:
    return Connection(name=view.name, kind=view.kind, enabled=view.enabled, source=view.source)


def _name(view: ConnectionView) -> str:
    return view.name


async def _list(desks: Desks, wanted: Wanted) -> Page[Connection]:
    query: ConnectionQuery = wanted.query
    views = await desks.connections().list(wanted.actor)
    fitting = [view for view in views if query.enabled in (None, view.enabled)]
    return paged(sorted(fitting, key=_name), query, _name, _out)


async def _show(desks: Desks, wanted: Wanted) -> Connection:
    return _out(await desks.connections().show(wanted.actor, wanted["connection"]))


async def _change(desks: Desks, wanted: Wanted) -> Connection:
    change: ConnectionChange = wanted.body
    await desks.connections().set_enabled(wanted.actor, wanted["connection"], change.enabled)
    return await _show(desks, wanted.looking)


async def _remove(desks: Desks, wanted: Wanted) -> None:
    await desks.connections().remove(wanted.actor, wanted["connection"])


CONNECTION = "/connections/{connection}"

OPERATIONS = (
    Operation(
        name="connections.list",
        method="GET",
        path="/connections",
        permission="connections:read",
        summary="Ways for people to sign in, by name",
        query=ConnectionQuery,
        answer=ConnectionPage,
        run=_list,
    ),
    Operation(
        name="connections.get",
        method="GET",
        path=CONNECTION,
        permission="connections:read",
        summary="One way to sign in",
        answer=Connection,
        tagged=True,
        run=_show,
    ),
    Operation(
        name="connections.change",
        method="PATCH",
        path=CONNECTION,
        permission="connections:write",
        summary="Disable a connection that was added at run time, or take that back",
        body=ConnectionChange,
        answer=Connection,
        tagged=True,
        current=_show,
        run=_change,
    ),
    Operation(
        name="connections.remove",
        method="DELETE",
        path=CONNECTION,
        permission="connections:write",
        summary="Remove a connection that was added at run time; its people stay, and cannot come in",
        current=_show,
        run=_remove,
    ),
)
