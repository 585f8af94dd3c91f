"""The use cases that operations are made of, and what they ask of the running gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from gatekit.admin.admin_keys import AdminKeys
from gatekit.admin.approvals import Approvals
from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.clients import Clients
from gatekit.admin.connections import Connections
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
from gatekit.gateway.quotas import Used
from gatekit.model.ports import Clock


class ServerFacts(Struct, frozen=True):
    """A published server, as far as it may be told."""

    name: str
    url: str
    title: str = ""


class Desks(Struct, frozen=True, kw_only=True):
    """``servers``, ``connections`` and ``invite_link`` speak of the configuration that is in force now."""

    people: People
    identities: Identities
    merging: Merging
    roles: RoleDesk
    service_accounts: ServiceAccounts
    pins: Pins
    approvals: Approvals
    requests: Requests
    groups: Groups
    keys: Keys
    clients: Clients
    grants: Grants
    sessions: BrowserSessions
    admin_keys: AdminKeys
    rules: Rules
    server_users: ServerUsers
    clock: Clock
    trail: Path
    """Directory of the audit files."""
    reading: asyncio.Semaphore
    """Who reads them waits for whoever does already."""
    servers: Callable[[], Sequence[ServerFacts]]
    connections: Callable[[], Connections]
    used: Callable[[], Iterable[Used]]
    """Of quotas, by this process."""
    invite_link: Callable[[str], str]
