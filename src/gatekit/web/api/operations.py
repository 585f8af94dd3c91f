"""The table: every operation of the interface."""

from __future__ import annotations

from gatekit.web.api import (
    approvals,
    clients,
    connections,
    groups,
    identities,
    keys,
    people,
    pins,
    quotas,
    requests,
    rules,
    servers,
    service_accounts,
    trail,
)
from gatekit.web.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *people.OPERATIONS,
    *identities.OPERATIONS,
    *service_accounts.OPERATIONS,
    *groups.OPERATIONS,
    *keys.OPERATIONS,
    *clients.OPERATIONS,
    *servers.OPERATIONS,
    *rules.OPERATIONS,
    *connections.OPERATIONS,
    *pins.OPERATIONS,
    *quotas.OPERATIONS,
    *approvals.OPERATIONS,
    *requests.OPERATIONS,
    *trail.OPERATIONS,
)
