"""Two people who are one, over the interface; and what records show of them and of who is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.admin.people import People
from gatekit.model.audit import SignOut
from gatekit.model.people import User
from gatekit.platform.clock import SystemClock
from tests.support.administration import OPERATOR, Administration, administration


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        yield found


@pytest.fixture
async def http(office: Administration) -> AsyncIterator[httpx2.AsyncClient]:
    async with await office.program("root", "owner") as program:
        yield program


async def provided(office: Administration, name: str, connection: str = "okta", **facts: Any) -> User:
    """Somebody who came in by a provider."""
    user = User(
        id=f"usr_{name}",
        connection=connection,
        issuer=f"https://{connection}.example",
        subject=f"sub-{name}",
        username=name,
        login=name,
        created_at=1_700_000_000,
    )
    user = replace(user, **facts)
    await office.store.users.add(user)
    return user


async def signed_out(office: Administration, name: str) -> None:
    now = SystemClock().now()
    await office.application.recorder.write(SignOut(at=now, principal_id=f"usr_{name}", principal=name))


async def merged(http: httpx2.AsyncClient, source: str, into: str) -> httpx2.Response:
    return await http.post(f"/people/{source}/merge", json={"into": into})


async def test_one_is_the_other_and_records_of_both_are_found(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    await office.person("ada")
    await provided(office, "ada-2")
    await http.post("/keys", json={"owner": "ada-2", "name": "laptop"})
    await office.key("ada-2")
    await signed_out(office, "ada-2")  # on record under the old id
    answer = await merged(http, "ada-2", "ada")
    assert answer.json() == {"into": "ada", "identities": 1, "groups": 0, "grants": 0, "keys": 2}
    assert (await http.get("/people/ada-2")).status_code == 404
    found = (await http.get("/audit", params={"person": "ada"})).json()["items"]
    assert "usr_ada-2" in {record["principal_id"] for record in found}
    other = (await http.get("/audit", params={"person": "root", "event": "admin"})).json()["items"]
    told = {record["action"]: record for record in other}
    assert "okta:ada-2" in told["user.merge"]["before"]
    assert "merged=usr_ada-2" in told["user.merged"]["after"]
    assert (await http.delete("/people/ada/identities/okta")).status_code == 204  # which undoes it


async def test_a_key_of_the_one_is_a_key_of_the_other(office: Administration) -> None:
    await office.person("ada", "auditor")
    await provided(office, "ada-2", role="auditor")
    token = await office.key("ada-2", ["people:read"])
    async with await office.program("root", "owner") as root:
        assert (await merged(root, "ada-2", "ada")).status_code == 200
    async with office.http(token) as http:
        assert (await http.get("/me")).json()["owner"] == "ada"


async def test_who_is_forgotten_is_forgotten_under_each_name(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    """Also over the interface, and also those who were merged."""
    await office.person("ada")
    await provided(office, "lovelace")
    await signed_out(office, "lovelace")
    assert (await merged(http, "lovelace", "ada")).status_code == 200
    await People(*office.parts).delete(OPERATOR, "ada", "pseudonymise")
    records = (await http.get("/audit", params={"limit": 500})).json()["items"]
    assert "lovelace" not in str([{**record, "principal_id": ""} for record in records])
    assert (await http.get("/audit", params={"person": "lovelace"})).json()["items"] == []
