"""Who people are to the policy, for commands that ask it beside a running gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from gatekit.errors import InvalidInput
from gatekit.identity.directory import Directory
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import LOCAL, Principal
from gatekit.platform.clock import SystemClock
from gatekit.policy.engine import Policy
from gatekit.policy.selectors import parse_selector
from gatekit.policy.stored import Stored, read_stored, with_stored

if TYPE_CHECKING:
    from gatekit.cli.context import Office, Workspace
    from gatekit.config.model import Config
    from gatekit.store.ports import Store

PAGE = 500


def store_of(office: Office) -> Store:
    found: Store = office.of(lambda store, *_: store)
    return found


async def stored_now(office: Office) -> Stored:
    """What the store adds to any file. Raises ``StoreError``."""
    store = store_of(office)
    return await read_stored(store.groups, store.rules, SystemClock().now())


async def policy_now(office: Office, workspace: Workspace) -> Policy:
    """Of the file and the store. Raises ``StoreError``, ``InvalidInput`` if the file is not known."""
    return Policy.compile(with_stored(file_of(workspace).rules, await stored_now(office)))


def file_of(workspace: Workspace) -> Config:
    """Raises ``InvalidInput``."""
    if workspace.config is None:
        raise InvalidInput("who may do what stands in the file as well; say --config")
    return workspace.config


def directory(office: Office, workspace: Workspace) -> Directory:
    """People as the gateway sees them; what connections say that were added at run time is not looked at."""
    store, connections = store_of(office), workspace.connections

    def rules(name: str) -> ConnectionRules:
        found = (entry.rules for entry in connections if entry.name == name)
        return next(found, ConnectionRules())

    return Directory(store.users, store.groups, store.identities, rules=rules)


async def somebody(office: Office, workspace: Workspace, name: str) -> tuple[Principal, str]:
    """The person called ``name``, and what to say about that. Raises ``StoreError``, ``InvalidInput``."""
    user = await store_of(office).users.by_username(name)
    if user is not None:
        principal = await directory(office, workspace).principal(user.id)
        if principal is None:
            raise InvalidInput(f"{name} is disabled, and refused everywhere")
        return principal, ""
    connection, colon, login = name.partition(":")
    if not colon:
        connection, login = LOCAL, name
    parse_selector(f"{connection}:{login}")
    note = f"nobody here is called {name}: judged by the name alone"
    return Principal(id=name, username=login, connection=connection, login=login), note


async def everybody(office: Office, workspace: Workspace) -> AsyncIterator[Principal]:
    """Everybody in the store who is not disabled, by username. Raises ``StoreError``."""
    people = directory(office, workspace)
    for user in await store_of(office).users.list():
        principal = await people.principal(user.id)
        if principal is not None:
            yield principal
