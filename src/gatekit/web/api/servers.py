"""What is published, who may use it, and who the key is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.admin.admin_keys import SCOPES
from gatekit.admin.permissions import permitted
from gatekit.errors import NotFound
from gatekit.model.people import Role
from gatekit.web.api.desks import Desks, ServerFacts
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, cursor, paged, uncursor
from gatekit.web.api.times import moment


class Server(Struct, frozen=True):
    """A published server. Its command and environment are not told: they may hold secrets."""

    name: str
    url: str
    title: str


class ServerPage(Page[Server], frozen=True):
    """One page."""


class ServerUser(Struct, frozen=True):
    """Somebody who may use a server."""

    username: str


class ServerUserPage(Page[ServerUser], frozen=True):
    """One page."""


class Me(Struct, frozen=True):
    """The key that asks, and what it may do now."""

    key_id: str
    key_name: str
    owner: str
    role: Role
    scopes: Annotated[
        tuple[str, ...], Meta(description="Those of the key that its owner has at this moment.")
    ]
    expires_at: datetime


def _out(server: ServerFacts) -> Server:
    return Server(server.name, server.url, server.title)


def _name(server: ServerFacts) -> str:
    return server.name


def _known(desks: Desks, name: str) -> ServerFacts:
    for server in desks.servers():
        if server.name == name:
            return server
    raise NotFound(f"there is no server {name}")


async def _list(desks: Desks, wanted: Wanted) -> Page[Server]:
    return paged(sorted(desks.servers(), key=_name), wanted.query, _name, _out)


async def _show(desks: Desks, wanted: Wanted) -> Server:
    return _out(_known(desks, wanted["name"]))


async def _users(desks: Desks, wanted: Wanted) -> Page[ServerUser]:
    query: Paged = wanted.query
    server = _known(desks, wanted["name"])
    after = uncursor(query.cursor) if query.cursor else ""
    found = await desks.server_users.of(wanted.actor, server.name, after, query.limit)
    users = tuple(ServerUser(username) for username in found.usernames)
    return Page(users, cursor(found.after) if found.after else None)


async def _me(desks: Desks, wanted: Wanted) -> Me:  # noqa: ARG001
    actor, key = wanted.actor, wanted.key
    scopes = tuple(scope for scope in SCOPES if scope in key.scopes and permitted(actor.role, scope))
    return Me(key.id, key.name, actor.name, actor.role, scopes, moment(key.expires_at))


OPERATIONS = (
    Operation(
        name="me.get",
        method="GET",
        path="/me",
        permission=None,
        summary="The key that asks",
        answer=Me,
        run=_me,
    ),
    Operation(
        name="servers.list",
        method="GET",
        path="/servers",
        permission="servers:read",
        summary="Published servers, by name",
        query=Paged,
        answer=ServerPage,
        run=_list,
    ),
    Operation(
        name="servers.get",
        method="GET",
        path="/servers/{name}",
        permission="servers:read",
        summary="One server",
        answer=Server,
        run=_show,
    ),
    Operation(
        name="servers.people",
        method="GET",
        path="/servers/{name}/people",
        permission="servers:read",
        summary="Who may use a server, by username; a page may be short although there are more",
        query=Paged,
        answer=ServerUserPage,
        run=_users,
    ),
)
