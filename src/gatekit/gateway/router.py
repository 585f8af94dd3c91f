"""Whose thing is that, and which instance answers: (endpoint, method, name) → Target.

On a server's own endpoint names are passed unchanged. Where several servers stand behind one endpoint, its
*view* knows whose a name is; what cannot be traced to exactly one server is unknown.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gatekit.errors import InvalidParams
from gatekit.gateway.published import Published
from gatekit.gateway.views import Place, View
from gatekit.model import personal
from gatekit.model.call import Call
from gatekit.model.server import Server
from gatekit.policy.engine import Kind
from gatekit.protocol import methods
from gatekit.upstream.link import UpstreamKey


class Target(Struct, frozen=True):
    """One server, and what the caller means there."""

    server: Server
    kind: Kind
    name: str
    """Name or URI as the upstream knows it; ``""`` where the method has none."""
    params: dict[str, Any]
    """As the upstream must see them."""
    view: View | None = None
    """How the endpoint names things, if it is not the server's own."""
    asked: str = ""
    """``name`` as the caller gave it, if there is a view."""


class Unknown(Struct, frozen=True):
    """Nothing of that name, as far as this caller is concerned."""

    what: str
    name: str


class Malformed(Struct, frozen=True):
    """The params do not name what the method needs."""

    fault: InvalidParams


class Everywhere(Struct, frozen=True):
    """The answer is put together from several servers."""

    servers: tuple[Server, ...]
    view: View


Route = Target | Everywhere | Unknown | Malformed


def route(call: Call, tables: Published) -> Route:
    """Find the Target of a call. Says nothing about permission except on the aggregate endpoint, where a
    server that is out of reach does not exist."""
    try:
        about = methods.target(call.method, call.params)
    except InvalidParams as fault:
        return Malformed(fault)
    kind: Kind = "server" if about.permission == "none" else about.permission
    name = about.name if kind != "server" else ""
    if call.server:
        server = tables.servers.get(call.server)
        if server is not None:
            return Target(server, kind, name, call.params)
    view = tables.view(call.server)
    if view is None:
        return Unknown("server", call.server)
    if not name:
        return Everywhere(tables.behind(view, call.access), view)
    return _within(call, tables, view, kind, name)


def _within(call: Call, tables: Published, view: View, kind: Kind, name: str) -> Route:
    within = tables.reachable(call.access) if view.sources is None else view.sources
    place = view.find(kind, name, within)
    server = tables.servers.get(place.server) if place is not None else None
    if place is None or server is None:
        return Unknown(kind, name)
    try:
        params = _renamed(call, place)
    except InvalidParams as fault:
        return Malformed(fault)
    return Target(server, kind, place.name, params, view, name)


def _renamed(call: Call, place: Place) -> dict[str, Any]:
    params = call.params
    if call.method == "completion/complete":
        ref = params["ref"]
        key = "name" if ref.get("type") == "ref/prompt" else "uri"
        return {**params, "ref": {**ref, key: place.name}}
    params = {**params, methods.spec(call.method).name_key: place.name}
    if place.fixed:
        arguments = params.get("arguments", {})
        if not isinstance(arguments, dict):
            raise InvalidParams("Invalid params: arguments must be an object")
        params["arguments"] = {**arguments, **dict(place.fixed)}
    return params


def named(target: Route) -> str:
    """The name for the record: as the upstream knows it, or what was asked for and is not there."""
    if isinstance(target, Target):
        return target.name
    return target.name if isinstance(target, Unknown) and target.what != "server" else ""


def via(target: Route) -> str:
    """Path of the endpoint for the record, if it is not the server's own."""
    if not isinstance(target, Target) or target.view is None:
        return ""
    return f"/s/{target.view.name}/mcp" if target.view.name else "/mcp"


def upstream_key(server: Server, call: Call) -> UpstreamKey:
    """Which instance serves this call (architecture §5.5: session, user or shared)."""
    if server.instances == "shared":
        return UpstreamKey(server.name, "shared")
    person = call.access.principal.id
    if server.instances == "user":
        scope = f"user:{person}"
    elif call.session:
        scope = f"session:{call.session}"
    else:
        scope = f"user:{person}:{call.access.client_id}"
    if server.personal_env:
        scope = f"{scope}~{personal.mark(server.personal_env, call.access.principal)}"
    return UpstreamKey(server.name, scope, person)


def marked(key: UpstreamKey, mark: str) -> UpstreamKey:
    """The key of an instance that is for clients with one set of capabilities only."""
    return UpstreamKey(key.server, f"{key.scope}#{mark}", key.principal_id)
