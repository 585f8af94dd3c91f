"""The pages of administrators put together. ``control`` calls this at the first visit below ``/admin``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatekit.admin.admin_keys import AdminKeys
from gatekit.admin.approvals import Approvals
from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.clients import Clients
from gatekit.admin.connections import Connections
from gatekit.admin.desk import Roles
from gatekit.admin.factors import Factors
from gatekit.admin.foresight import Foresight
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
from gatekit.admin.scim_tokens import ScimTokens
from gatekit.admin.service_accounts import ServiceAccounts
from gatekit.admin.transfer import Transfer
from gatekit.admin.transfer_groups import GroupTransfer
from gatekit.audit.recorder import Recorder
from gatekit.config import document
from gatekit.config.model import Config
from gatekit.config.rule_text import known_of, read_rule
from gatekit.errors import ConfigError
from gatekit.identity.registry import Definition
from gatekit.identity.standing import Standings
from gatekit.model.ports import Clock, Entropy
from gatekit.oauth.browser import Browser
from gatekit.store.ports import Store
from gatekit.web.console.door import ConsoleDoor, Desks, SignInPage
from gatekit.web.console.pages import Console
from gatekit.web.pages import HtmlPages


def console(
    desk: tuple[Store, Recorder, Clock, Entropy, Roles],
    browser: Browser,
    sign_in: SignInPage,
    *,
    standings: Standings,
    config: Callable[[], Config],
    connections: Callable[[], Connections],
    approvals: Callable[[], Approvals],
    requests: Callable[[], Requests],
    definition: Callable[[str], Definition | None],
    notices: Callable[[], Sequence[tuple[str, str]]],
) -> Console:
    """``desk`` is what every use case is made of; the others give what is in force now."""
    _, _, clock, _, roles = desk

    def servers() -> list[str]:
        found = config()
        return [entry.server.name for entry in found.servers] + [
            entry.virtual.name for entry in found.virtual
        ]

    desks = Desks(
        people=People(*desk),
        identities=Identities(*desk),
        roles=RoleDesk(*desk),
        groups=Groups(*desk),
        keys=Keys(*desk),
        grants=Grants(*desk),
        sessions=BrowserSessions(*desk),
        admin_keys=AdminKeys(*desk),
        factors=Factors(*desk),
        merging=Merging(*desk),
        clients=Clients(*desk),
        service_accounts=ServiceAccounts(*desk),
        pins=Pins(*desk),
        rules=Rules(*desk, known=lambda: known_of(config())),
        foresight=Foresight(*desk, standings=standings, file=lambda: config().rules),
        rule=read_rule,
        file_rules=lambda: config().rules.rules,
        approvals=approvals,
        requests=requests(),
        scim_tokens=ScimTokens(*desk),
        transfer=Transfer(*desk),
        group_transfer=GroupTransfer(*desk),
        standing=roles,
        clock=clock,
        trail=config().data_dir / "audit",
        connections=connections,
        definition=definition,
        notices=notices,
        entry=_entry,
        servers=servers,
        public_url=lambda: config().public_url,
        invite_link=lambda token: f"{config().public_url}/invite/{token}",
    )
    return Console(ConsoleDoor(browser, sign_in, roles, HtmlPages(), clock), desks)


def _entry(text: str) -> Mapping[str, Any]:
    # What it names is looked at by the use case; here it only becomes keys and values.
    found = document.read(text)
    if found.faults:
        raise ConfigError([fault.render("entry") for fault in found.faults])
    return dict(found.data)
