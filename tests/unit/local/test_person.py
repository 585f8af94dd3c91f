"""Who the local person is: accounts, names in the file, and who may not come in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekit.config.load import load
from gatekit.errors import IdentityError, NotFound, StoreLocked
from gatekit.identity.directory import Directory
from gatekit.local.person import LocalDoor, People, os_person
from gatekit.localapp import Local, LocalApplication
from gatekit.model.people import User
from gatekit.model.rules import Anyone, ByGroup, ByLogin, Rules, ServerRules
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store
from tests.support.stdio import open_house

LOCAL = frozenset({"local"})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(tmp_path / "gatekit.db")
    for name, connection, disabled in (
        ("alice", "local", False),
        ("dora", "local", True),
        ("octocat", "github", False),
    ):
        await opened.users.add(
            User(
                id=f"usr_{name}",
                connection=connection,
                issuer="i",
                subject=name,
                username=name,
                disabled=disabled,
            )
        )
    yield opened
    await opened.close()


def people(store: Store) -> People:
    return People(store.users, Directory(store.users, store.groups, store.identities))


def rules(*logins: str) -> Rules:
    allowed = tuple(ByLogin("local", login) for login in logins)
    return Rules(servers=(ServerRules(server="s", allowed=allowed),))


async def test_an_account_comes_before_a_name_in_the_file(store: Store) -> None:
    found = await people(store).find("alice", rules("alice"), LOCAL, 0)
    assert found.id == "usr_alice"


@pytest.mark.parametrize("name", ["carol", "Carol"])
async def test_a_name_in_a_list_is_somebody(store: Store, name: str) -> None:
    found = await people(store).find(name, rules("carol"), LOCAL, 0)
    assert (found.id, found.username, found.connection) == ("local:carol", "carol", "local")


async def test_a_name_that_only_a_group_of_the_file_holds(store: Store) -> None:
    group = (("dev", (ByLogin("local", "carol"),)),)
    listed = Rules(groups=group, servers=(ServerRules(server="s", allowed=(ByGroup("dev"),)),))
    assert (await people(store).find("carol", listed, LOCAL, 0)).id == "local:carol"


@pytest.mark.parametrize(
    ("name", "listed", "connections", "words"),
    [
        ("dora", rules("dora"), LOCAL, "disabled"),
        ("alice", rules("bob"), LOCAL, "does not admit"),
        ("octocat", Rules(gateway=(Anyone(),)), LOCAL, "not configured any more"),
        ("carol", Rules(gateway=(), servers=rules("carol").servers), LOCAL, "does not admit"),
    ],
)
async def test_who_may_not_come_in(
    store: Store, name: str, listed: Rules, connections: frozenset[str], words: str
) -> None:
    with pytest.raises(IdentityError, match=words):
        await people(store).find(name, listed, connections, 0)


async def test_a_stranger_is_told_what_to_do(store: Store) -> None:
    with pytest.raises(NotFound, match="--user NAME"):
        await people(store).find("mallory", Rules(gateway=(Anyone(),)), LOCAL, 0)


async def test_the_door_lets_in_one_person_until_it_is_shut() -> None:
    door = LocalDoor(os_person(5, "ada"), "files")
    door.introduce("Cursor")
    access = await door.check([])
    assert (access.principal.id, access.client_name, access.servers, access.aggregate) == (
        "os:5",
        "Cursor",
        frozenset({"files"}),
        False,
    )
    door.refuse("the user is disabled")
    assert door.cached(b"") is None
    door.admit(os_person(5, "ada"))
    assert door.cached(b"") is not None


async def test_each_process_writes_a_trail_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(open_house(tmp_path, {"s": {"command": ["true"]}}))
    open_ones = [await LocalApplication.open(config, Local("ada", 5)) for _ in range(3)]
    written = {path.name.split("-")[0] for path in (tmp_path / "data" / "audit").glob("*.jsonl")}
    assert written == {"local", "locala", "localb"}
    monkeypatch.setattr("gatekit.localapp.MAX_WRITERS", 3)
    with pytest.raises(StoreLocked, match="end some of them"):
        await LocalApplication.open(config, Local("ada", 5))
    for each in open_ones:
        await each.close()
