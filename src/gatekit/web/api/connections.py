"""Ways for people to sign in. Their secrets go in and never come out.

An entry is read with the code that reads the file, so it means the same and the same is wrong with it; but
nothing in it may name what lies on the gateway's machine.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
    updated_at: Annotated[
        int, Meta(description="When it became what it is, if it was added at run time.")
    ] = 0
    settings: Annotated[
        dict[str, Any] | None,
        Meta(description="What it is set to; secrets are `***`. Null in lists."),
    ] = None


class ConnectionPage(Page[Connection], frozen=True):
    """One page."""


class ConnectionChange(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: Annotated[bool, Meta(description="False: whoever came over it is out at once.")]


Entry = Annotated[
    dict[str, Any],
    Meta(
        description="As under `proxy.auth.providers.NAME` in the file, with `type`; no `${…}`, no file names."
    ),
]


class NewConnection(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    entry: Entry


class ConnectionEntry(Struct, frozen=True, forbid_unknown_fields=True):
    entry: Entry


def _out(view: ConnectionView) -> Connection:
    return Connection(
        name=view.name,
        kind=view.kind,
        enabled=view.enabled,
        source=view.source,
        updated_at=view.updated_at,
        settings=dict(view.settings) if view.settings is not None else None,
    )


def _name(view: ConnectionView) -> str:
    return view.name


async def _list(desks: Desks, wanted: Wanted) -> Page[Connection]:
    query: ConnectionQuery = wanted.query
    views = await desks.connections().list(wanted.actor)
    fitting = [view for view in views if query.enabled in (None, view.enabled)]
    return paged(sorted(fitting, key=_name), query, _name, _out)


async def _show(desks: Desks, wanted: Wanted) -> Connection:
    return _out(await desks.connections().show(wanted.actor, wanted["connection"]))


async def _add(desks: Desks, wanted: Wanted) -> Connection:
    new: NewConnection = wanted.body
    await desks.connections().add(wanted.actor, new.name, new.entry)
    return _out(await desks.connections().show(wanted.looking.actor, new.name))


async def _replace(desks: Desks, wanted: Wanted) -> Connection:
    change: ConnectionEntry = wanted.body
    await desks.connections().replace(wanted.actor, wanted["connection"], change.entry)
    return await _show(desks, wanted.looking)


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
        name="connections.add",
        method="POST",
        path="/connections",
        permission="connections:write",
        summary="Add a way to sign in",
        body=NewConnection,
        answer=Connection,
        status=201,
        tagged=True,
        run=_add,
    ),
    Operation(
        name="connections.replace",
        method="PUT",
        path=CONNECTION,
        permission="connections:write",
        summary="Another entry for a connection that was added at run time; its secrets are entered again",
        body=ConnectionEntry,
        answer=Connection,
        tagged=True,
        current=_show,
        run=_replace,
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
