"""RFC 7644 §3.7: several requests in one."""

from __future__ import annotations

from typing import Any

from gatekit.identity.scim.bulk import ANSWER_URN, BULK_URN
from gatekit.identity.scim.discovery import MAX_BULK_OPERATIONS
from gatekit.identity.scim.patch import PATCH_URN
from gatekit.identity.scim.schema import GROUP_URN, USER_URN
from tests.support.scim import BASE, ScimWorld


def user(name: str, ident: str) -> dict[str, Any]:
    data = {"schemas": [USER_URN], "userName": name}
    return {"method": "POST", "path": "/Users", "bulkId": ident, "data": data}


async def bulk(scim: ScimWorld, *operations: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = await scim.okta.send(
        "POST", "/Bulk", {"schemas": [BULK_URN], "Operations": list(operations), **more}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["schemas"] == [ANSWER_URN]
    found: list[dict[str, Any]] = answer.json()["Operations"]
    return found


async def test_a_group_and_its_members_at_once(scim: ScimWorld) -> None:
    """§3.7.2: "bulkId ... The service provider SHALL ... resolve"; "location ... The resource endpoint URL.
    REQUIRED in a response, except in the event of a POST failure"; "status"."""
    members = [{"value": "bulkId:a"}, {"value": "bulkId:b"}]
    group = {"schemas": [GROUP_URN], "displayName": "Dev", "members": members}
    told = await bulk(
        scim,
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": group},
        user("ada", "a"),
        user("bob", "b"),
        {
            "method": "PATCH",
            "path": "/Users/bulkId:a",
            "data": {"schemas": [PATCH_URN], "Operations": [{"op": "add", "path": "title", "value": "x"}]},
        },
    )
    assert [each["status"] for each in told] == ["201", "201", "201", "200"]
    assert [each.get("bulkId") for each in told] == ["g", "a", "b", None]
    assert all(each["location"].startswith(BASE) for each in told)
    assert [each["version"] for each in told] == ['W/"1"', 'W/"1"', 'W/"1"', 'W/"2"']
    found = (await scim.http.get(told[0]["location"], headers=scim.okta.headers)).json()
    assert len(found["members"]) == 2


async def test_the_others_go_on_after_an_error(scim: ScimWorld) -> None:
    """§3.7.3: "If any ... fails, ... the response ... includes "status" and a JSON error"."""
    told = await bulk(scim, user("ada", "a"), user("ADA", "b"), user("cyd", "c"))
    assert [each["status"] for each in told] == ["201", "409", "201"]
    assert told[1]["response"]["scimType"] == "uniqueness"
    assert "location" not in told[1]


async def test_it_stops_after_so_many_errors(scim: ScimWorld) -> None:
    """§3.7: "failOnErrors ... the number of errors that the service provider will accept before the operation
    is terminated"."""
    told = await bulk(scim, user("ada", "a"), user("ada", "b"), user("cyd", "c"), failOnErrors=1)
    assert [each["status"] for each in told] == ["201", "409"]
    assert await scim.okta.names("/Users") == ["ada"]


async def test_what_refers_to_nothing_is_a_conflict(scim: ScimWorld) -> None:
    """§3.7.1: circular references "MAY stop after a failed attempt and instead return ... 409"."""
    told = await bulk(scim, {"method": "DELETE", "path": "/Users/bulkId:none"})
    assert told[0]["status"] == "409"


async def test_versions_hold_in_bulk(scim: ScimWorld) -> None:
    made = await scim.okta.user()
    there = f"/Users/{made['id']}"
    told = await bulk(
        scim,
        {"method": "DELETE", "path": there, "version": 'W/"2"'},
        {
            "method": "PUT",
            "path": there,
            "data": {"schemas": [USER_URN], "userName": "b"},
            "version": 'W/"1"',
        },
        {"method": "PUT", "path": there, "data": "x"},
        {"method": "DELETE", "path": there, "version": 'W/"2"'},
    )
    assert [each["status"] for each in told] == ["412", "200", "400", "204"]


async def test_limits(scim: ScimWorld) -> None:
    """§3.7.4: "If either limit is exceeded, the service provider MUST return HTTP response code 413"."""
    several = [user(f"u{number}", f"b{number}") for number in range(MAX_BULK_OPERATIONS + 1)]
    answer = await scim.okta.send("POST", "/Bulk", {"schemas": [BULK_URN], "Operations": several})
    assert answer.status_code == 413
    assert await scim.okta.names("/Users") == []
    assert (await scim.okta.get("/Bulk")).status_code == 405
