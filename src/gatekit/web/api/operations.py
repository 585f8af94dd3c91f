"""The table: every operation of the interface."""

from __future__ import annotations

from gatekit.web.api import clients, groups, keys, people, servers, service_accounts, trail
from gatekit.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *people.OPERATIONS,
    *service_accounts.OPERATIONS,
    *groups.OPERATIONS,
    *keys.OPERATIONS,
    *clients.OPERATIONS,
    *servers.OPERATIONS,
    *trail.OPERATIONS,
)
"""An operation whose path is a longer form of another's stands before it."""
