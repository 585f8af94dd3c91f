"""Rules over the REST interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.administration import Administration, administration

DENY = {"effect": "deny", "tools": ["drop_*"], "arguments": {"/n": {"above": 3}}}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        yield found


@pytest.fixture
async def http(office: Administration) -> AsyncIterator[httpx2.AsyncClient]:
    async with await office.program("root", "admin") as program:
        yield program


async def test_the_life_of_a_rule(http: httpx2.AsyncClient) -> None:
    made = await http.post(
        "/rules", json={"name": "no-drops", "rule": DENY, "expires_at": "2999-01-01T00:00:00Z"}
    )
    assert made.status_code == 201, made.text
    assert made.json()["rule"] == DENY
    assert made.json()["expires_at"] == "2999-01-01T00:00:00Z"
    assert (await http.get("/rules")).json()["items"] == [made.json()]

    seen = await http.get("/rules/no-drops")
    wish = {"rule": {"effect": "deny"}, "enabled": False}
    changed = await http.put("/rules/no-drops", json=wish, headers={"If-Match": seen.headers["ETag"]})
    assert (changed.json()["enabled"], changed.json()["expires_at"]) == (False, None)
    late = await http.put("/rules/no-drops", json=wish, headers={"If-Match": seen.headers["ETag"]})
    assert late.status_code == 412
    assert (await http.delete("/rules/no-drops")).status_code == 204
    assert (await http.get("/rules/no-drops")).status_code == 404


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"name": "x", "rule": {"effect": "deny", "servers": ["none"]}}, 422),
        ({"name": "x", "rule": {"effect": "allow", "who": ["*"]}}, 422),
        ({"name": "x", "rule": {"effect": "deny"}, "expires_at": "2001-01-01T00:00:00Z"}, 422),
        ({"name": "x", "rule": {"effect": "deny"}, "expires_at": "2999-01-01T00:00:00"}, 400),
        ({"name": "x", "rule": {"effect": "deny", "place": "rules"}}, 400),
        ({"name": "X", "rule": {"effect": "deny"}}, 400),
        ({"rule": {"effect": "deny"}}, 400),
    ],
)
async def test_what_is_no_rule(http: httpx2.AsyncClient, wish: dict[str, object], status: int) -> None:
    assert (await http.post("/rules", json=wish)).status_code == status
    assert (await http.get("/rules")).json()["items"] == []
