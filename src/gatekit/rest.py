"""The REST interface put together. ``control`` calls this at the first request below ``/api``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from gatekit.admin.admin_keys import AdminKeys
from gatekit.admin.approvals import Approvals
from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.clients import Clients
from gatekit.admin.connections import Connections
from gatekit.admin.desk import Roles
from gatekit.admin.entry import Entry
from gatekit.admin.grants import Grants
from gatekit.admin.groups import Groups
from gatekit.admin.identities import Identities
from gatekit.admin.keys import Keys
from gatekit.admin.merging import Merging
from gatekit.admin.people import People
from gatekit.admin.pins import Pins
from gatekit.admin.requests import Requests
from gatekit.admin.roles import RoleDesk
from gatekit.admin.rules import Rules
from gatekit.admin.servers import ServerUsers
from gatekit.admin.service_accounts import ServiceAccounts
from gatekit.audit.recorder import Recorder
from gatekit.config.model import Config
from gatekit.config.rule_text import known_of
from gatekit.gateway.published import Published
from gatekit.gateway.quotas import Used
from gatekit.identity.standing import Standings
from gatekit.model.ports import Clock, Entropy
from gatekit.oauth.refusals import Refusals
from gatekit.platform.vault import Vault
from gatekit.store.ports import Store
from gatekit.web.api.desks import Desks, ServerFacts
from gatekit.web.api.door import ApiDoor, Elsewhere
from gatekit.web.api.openapi import document
from gatekit.web.api.operations import OPERATIONS
from gatekit.web.api.replies import Replies


def api_routes(
    desk: tuple[Store, Recorder, Clock, Entropy, Roles],
    *,
    vault: Vault,
    standings: Standings,
    config: Callable[[], Config],
    tables: Callable[[], Published],
    connections: Callable[[], Connections],
    used: Callable[[], Iterable[Used]],
    approvals: Callable[[], Approvals],
    requests: Callable[[], Requests],
) -> tuple[list[BaseRoute], ASGIApp]:
    """Routes of the interface, and what answers for paths below ``/api`` that are none.

    ``desk`` is what every use case is made of; ``config``, ``tables`` and ``connections`` give what is in
    force now.
    """
    store, recorder, clock, _, roles = desk

    desks = Desks(
        people=People(*desk),
        identities=Identities(*desk),
        merging=Merging(*desk),
        roles=RoleDesk(*desk),
        service_accounts=ServiceAccounts(*desk),
        pins=Pins(*desk),
        approvals=approvals(),
        requests=requests(),
        groups=Groups(*desk),
        keys=Keys(*desk),
        clients=Clients(*desk),
        grants=Grants(*desk),
        sessions=BrowserSessions(*desk),
        admin_keys=AdminKeys(*desk),
        rules=Rules(*desk, known=lambda: known_of(config())),
        server_users=ServerUsers(
            *desk,
            standings=standings,
            opens=lambda principal: tables().policy.rights(principal).servers(),
        ),
        clock=clock,
        trail=config().data_dir / "audit",
        reading=asyncio.Semaphore(1),
        servers=lambda: _published(config()),
        connections=connections,
        used=used,
        invite_link=lambda token: f"{config().public_url}/invite/{token}",
    )
    routes = ApiDoor(
        OPERATIONS,
        lambda: msgspec.json.encode(document(OPERATIONS, config().public_url)),
        desks,
        Entry(store.admin_keys, standings, roles, clock),
        Replies(store.api_replies, vault),
        Refusals(recorder, clock),
        clock,
    ).routes()
    return routes, Elsewhere(routes)


def _published(config: Config) -> list[ServerFacts]:
    entries = [(entry.server.name, entry.server.title) for entry in config.servers]
    entries += [(entry.virtual.name, entry.virtual.title) for entry in config.virtual]
    return [ServerFacts(name, f"{config.public_url}/s/{name}/mcp", title) for name, title in entries]
