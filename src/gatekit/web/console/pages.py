"""The pages put together: which of them answers where."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gatekit.web.console.approvals import DEEDS as APPROVAL_DEEDS
from gatekit.web.console.approvals import ApprovalPages
from gatekit.web.console.clients import DEEDS as CLIENT_DEEDS
from gatekit.web.console.clients import ClientPages
from gatekit.web.console.connection_deeds import DEEDS as CONNECTION_DEEDS
from gatekit.web.console.connections import ConnectionPages
from gatekit.web.console.deeds import Deed, DeedPages
from gatekit.web.console.door import FORM_BYTES, ConsoleDoor, Desks, Handler
from gatekit.web.console.group_deeds import DEEDS as GROUP_DEEDS
from gatekit.web.console.groups import GroupPages
from gatekit.web.console.holding_deeds import DEEDS as HOLDING_DEEDS
from gatekit.web.console.keys import DEEDS as KEY_DEEDS
from gatekit.web.console.keys import KeyPages
from gatekit.web.console.overview import OverviewPage
from gatekit.web.console.people import PeoplePages
from gatekit.web.console.person_deeds import DEEDS as PERSON_DEEDS
from gatekit.web.console.pins import DEEDS as PIN_DEEDS
from gatekit.web.console.pins import PinPages
from gatekit.web.console.programs import DEEDS as PROGRAM_DEEDS
from gatekit.web.console.programs import ProgramPages
from gatekit.web.console.provisioning import DEEDS as PROVISIONING_DEEDS
from gatekit.web.console.provisioning import ProvisioningPages
from gatekit.web.console.requests import DEEDS as REQUEST_DEEDS
from gatekit.web.console.requests import RequestPages
from gatekit.web.console.route import (
    ACT,
    APPROVALS,
    CLIENT,
    CLIENTS,
    CONNECTION,
    CONNECTIONS,
    DEED,
    EXPORT,
    GROUP,
    GROUPS,
    IMPORT,
    KEYS,
    NEW_PERSON,
    OVERVIEW,
    PEOPLE,
    PERSON,
    PIN,
    PINS,
    PROVISIONING,
    REQUESTS,
    RULE,
    RULES,
    SERVICES,
    Answer,
)
from gatekit.web.console.rule_deeds import DEEDS as RULE_DEEDS
from gatekit.web.console.rules import RulePages
from gatekit.web.console.transfers import MAX_BYTES, TransferPages

DEEDS: tuple[Deed, ...] = (
    *(*GROUP_DEEDS, *HOLDING_DEEDS, *KEY_DEEDS, *CONNECTION_DEEDS),
    *(*CLIENT_DEEDS, *PROGRAM_DEEDS, *PROVISIONING_DEEDS, *PERSON_DEEDS),
    *(*PIN_DEEDS, *RULE_DEEDS, *APPROVAL_DEEDS, *REQUEST_DEEDS),
)
"""All that can be done to things; what can be done to people is ``acts.ACTS``."""


_MEMBERS = frozenset({APPROVALS, DEED})
"""Who approves calls need not run the gateway. Each deed says whether it is for them."""


class Console:
    """Every page of ``route.DOORS``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        people, connections = PeoplePages(door, desks), ConnectionPages(door, desks)
        clients = ClientPages(door, desks)
        transfers = TransferPages(door, desks)
        groups, deeds = GroupPages(door, desks), DeedPages(door, desks, DEEDS)
        pins, rules = PinPages(door, desks), RulePages(door, desks)
        self._door = door
        self._handlers: dict[tuple[str, str], Handler] = {
            (OVERVIEW, "GET"): OverviewPage(door, desks).show,
            (PEOPLE, "GET"): people.list,
            (NEW_PERSON, "GET"): people.blank,
            (NEW_PERSON, "POST"): people.add,
            (PERSON, "GET"): people.person,
            (ACT, "GET"): people.ask,
            (ACT, "POST"): people.do,
            (GROUPS, "GET"): groups.list,
            (GROUP, "GET"): groups.group,
            (CONNECTIONS, "GET"): connections.list,
            (CONNECTION, "GET"): connections.connection,
            (KEYS, "GET"): KeyPages(door, desks).list,
            (CLIENTS, "GET"): clients.list,
            (CLIENT, "GET"): clients.client,
            (SERVICES, "GET"): ProgramPages(door, desks).list,
            (PROVISIONING, "GET"): ProvisioningPages(door, desks).show,
            (RULES, "GET"): rules.list,
            (RULE, "GET"): rules.rule,
            (PINS, "GET"): pins.list,
            (APPROVALS, "GET"): ApprovalPages(door, desks).show,
            (REQUESTS, "GET"): RequestPages(door, desks).list,
            (PIN, "GET"): pins.pin,
            (EXPORT, "GET"): transfers.export,
            (IMPORT, "GET"): transfers.ask,
            (IMPORT, "POST"): transfers.do,
            (DEED, "GET"): deeds.ask,
            (DEED, "POST"): deeds.do,
        }

    def answer(self, path: str, method: str) -> Answer:
        """What answers at one of ``route.DOORS``."""
        handler = self._handlers[path, method]

        async def handle(request: Request) -> Response:
            members = path in _MEMBERS
            if method == "GET":
                return await self._door.look(request, handler, members=members)
            limit = MAX_BYTES if path == IMPORT else FORM_BYTES
            return await self._door.sent(request, handler, limit, members=members)

        return handle
