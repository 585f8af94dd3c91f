"""RFC 9865: pages by cursor."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.scim import ScimWorld


@pytest.fixture
async def five(scim: ScimWorld) -> ScimWorld:
    for name in ("eva", "dan", "cyd", "bob", "ada"):
        await scim.okta.user(name)
    return scim


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["eva", "dan", "cyd", "bob", "ada"]),
        ("&sortBy=userName", ["ada", "bob", "cyd", "dan", "eva"]),
        ("&sortBy=userName&sortOrder=descending", ["eva", "dan", "cyd", "bob", "ada"]),
        ("&filter=" + quote('not (userName eq "cyd")'), ["eva", "dan", "bob", "ada"]),
    ],
)
async def test_everybody_comes_once(five: ScimWorld, query: str, expected: list[str]) -> None:
    """§2: the first request has an empty cursor; each answer but the last has "nextCursor"; §2.1: what comes
    or goes meanwhile does not make anybody else come twice or not at all."""
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page: dict[str, Any] = (await five.okta.get(f"/Users?count=2&cursor={cursor}{query}")).json()
        seen += [each["userName"] for each in page["Resources"]]
        assert "startIndex" not in page
        assert page["totalResults"] == len(expected)
        cursor = page.get("nextCursor")
    assert seen == expected


async def test_somebody_who_leaves_moves_nobody_else(five: ScimWorld) -> None:
    page = (await five.okta.get("/Users?count=2&cursor=")).json()
    await five.okta.send("DELETE", f"/Users/{page['Resources'][0]['id']}")
    rest = (await five.okta.get(f"/Users?count=9&cursor={page['nextCursor']}")).json()
    assert [each["userName"] for each in rest["Resources"]] == ["cyd", "bob", "ada"]


async def test_wrong_cursors(five: ScimWorld) -> None:
    """§2.1: "invalidCursor", "invalidCount"."""
    page = (await five.okta.get("/Users?count=2&cursor=")).json()
    for query, kind in (
        ("count=2&cursor=nonsense", "invalidCursor"),
        ("count=2&cursor=%C3%BC", "invalidCursor"),
        ("count=2&cursor=W10", "invalidCursor"),
        (f"count=2&cursor={page['nextCursor']}&sortBy=title", "invalidCursor"),
        (f"count=2&cursor={page['nextCursor']}&filter=title+pr", "invalidCursor"),
        ("count=0&cursor=", "invalidCount"),
        ("count=501&cursor=", "invalidCount"),
    ):
        answer = await five.okta.get(f"/Users?{query}")
        assert (answer.status_code, answer.json()["scimType"]) == (400, kind), query
    sorted_page = (await five.okta.get("/Users?count=1&cursor=&sortBy=userName")).json()
    await five.okta.send("DELETE", f"/Users/{sorted_page['Resources'][0]['id']}")
    answer = await five.okta.get(f"/Users?count=1&cursor={sorted_page['nextCursor']}&sortBy=userName")
    assert answer.json()["scimType"] == "invalidCursor"
