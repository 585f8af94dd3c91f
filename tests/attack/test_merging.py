"""Two people made one: nobody becomes more than they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.people import Role
from tests.support.administration import Administration, administration
from tests.unit.web.test_api_merging import merged, provided


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path, auth=AUTH) as found:
        yield found


AUTH = {
    "enabled": True,
    "provider": "local",
    "allowed_users": ["*"],
    "roles": {"admin": ["boss"]},
}


@pytest.mark.parametrize(
    ("facts", "of_other"),
    [
        ({"role": "admin"}, "member"),
        ({}, "admin"),
        ({}, "owner"),
        ({"role": "auditor"}, "member"),
        ({"disabled": True}, "member"),
        ({"username": "boss"}, "member"),
    ],
    ids=["a higher one", "into an admin", "into an owner", "an auditor", "disabled", "higher by the file"],
)
async def test_nobody_rises_or_comes_back_by_a_merge(
    office: Administration, facts: dict[str, Any], of_other: Role
) -> None:
    """I24, F2: not across roles, those of the file included, and not around being disabled."""
    await office.person("ada", of_other)
    if facts.get("username") == "boss":
        await office.person("boss")
        source, into = "ada", "boss"
        await provided(office, "x")
    else:
        await provided(office, "other", **facts)
        source, into = "other", "ada"
    async with await office.program("root", "owner") as root:
        assert (await merged(root, source, into)).status_code == 409
    assert await office.store.users.by_username(source) is not None


async def test_an_admin_does_not_merge_themselves_or_somebody_above(office: Administration) -> None:
    """I24: an admin who became part of an owner, or took over another admin alone, would be more."""
    await provided(office, "friend", role="admin")
    await provided(office, "chief", role="owner")
    async with await office.program("eve", "admin") as eve:
        assert (await merged(eve, "friend", "eve")).status_code == 403
        assert (await merged(eve, "eve", "friend")).status_code == 403
        assert (await merged(eve, "chief", "friend")).status_code == 403
        assert (await merged(eve, "friend", "chief")).status_code == 403


async def test_a_key_for_less_merges_nobody_who_may_more(office: Administration) -> None:
    """I24: whoever has the one identity would be the other; that is more than such a key is good for."""
    for name in ("one", "two"):
        await provided(office, name, connection=name, role="auditor")
    await office.person("root", "owner")
    async with office.http(await office.key("root", ["people:write"])) as http:
        assert (await merged(http, "one", "two")).status_code == 403


async def test_what_has_a_keeper_of_its_own_is_not_merged(office: Administration) -> None:
    """I24: a password does not move, and a program is nobody."""
    await office.person("local-one")
    await provided(office, "ada")
    async with await office.program("root", "owner") as root:
        assert (await merged(root, "local-one", "ada")).status_code == 409
        assert (await merged(root, "ada", "ada")).status_code == 422
        assert (await merged(root, "ada", "nobody")).status_code == 404
        made = await root.post("/service-accounts", json={"name": "robot"})
        assert made.status_code == 201, made.text
        robot = next(one.username for one in await office.store.users.list() if one.connection == "service")
        assert (await merged(root, "ada", robot)).status_code in (404, 422)
