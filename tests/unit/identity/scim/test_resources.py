"""Reading, showing and announcing resources; several requests in one."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.errors import ScimError, ScimSyntax, ScimTooLarge, ScimUnresolved, ScimValue
from gatekit.identity.scim import bulk, discovery
from gatekit.identity.scim.read import resource_of
from gatekit.identity.scim.schema import ENTERPRISE_URN, GROUPS, SCHEMAS, USER_URN, USERS
from gatekit.identity.scim.show import selection, shown

WRITTEN: dict[str, Any] = {
    "schemas": [USER_URN, ENTERPRISE_URN],
    "id": "mine",
    "USERNAME": "ada",
    "externalId": "7",
    "name": {"GIVENNAME": "Ada", "familyName": ""},
    "active": "True",
    "emails": [{"value": "a@x.example", "type": "work", "primary": True}, "b@x.example", {}],
    "groups": [{"value": "mine"}],
    "nickName": None,
    "roles": [],
    "password": "never kept",
    "urn:example:unknown": {"a": 1},
    ENTERPRISE_URN: {"manager": "usr_2", "department": "D"},
    "meta": {"created": "x"},
}


def test_reading() -> None:
    assert resource_of(USERS, WRITTEN) == {
        "userName": "ada",
        "externalId": "7",
        "name": {"givenName": "Ada"},
        "active": True,
        "emails": [{"value": "a@x.example", "type": "work", "primary": True}, {"value": "b@x.example"}],
        ENTERPRISE_URN: {"manager": {"value": "usr_2"}, "department": "D"},
    }
    assert resource_of(USERS, {USER_URN: {"userName": "ada"}}) == {"userName": "ada"}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, ScimValue),
        ({"userName": ""}, ScimValue),
        ({"userName": 7}, ScimValue),
        ({"userName": "a\0b"}, ScimValue),
        ({"userName": "x" * 5000}, ScimValue),
        ({"userName": "a", "username": "b"}, ScimSyntax),
        ({"userName": "a", "name": "Ada"}, ScimValue),
        ({"userName": "a", "name": {"givenName": "x", "GIVENNAME": "y"}}, ScimSyntax),
        ({"userName": "a", "active": 1}, ScimValue),
        (
            {"userName": "a", "emails": [{"value": "x", "primary": True}, {"value": "y", "primary": True}]},
            ScimValue,
        ),
        ({"userName": "a", "emails": ["x"] * 101}, ScimValue),
        ({"userName": "a", "x509Certificates": [{"value": "no base64!"}]}, ScimValue),
        ({"userName": "a", "x509Certificates": [{"value": "A" * 70_000}]}, ScimValue),
        ({"userName": "a", ENTERPRISE_URN: "x"}, ScimValue),
        ({"userName": "a", "addresses": ["x"]}, ScimValue),
    ],
)
def test_what_cannot_be_read(data: dict[str, Any], error: type[ScimError]) -> None:
    with pytest.raises(error):
        resource_of(USERS, data)


FULL: dict[str, Any] = {
    "id": "usr_1",
    "userName": "ada",
    "title": "x",
    "name": {"givenName": "Ada", "familyName": "Byron"},
    "emails": [{"value": "a@x.example", "type": "work"}, {"value": "b@x.example"}],
    ENTERPRISE_URN: {"department": "D", "manager": {"value": "usr_2", "displayName": "B"}},
    "meta": {"version": 'W/"1"'},
}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["title"], {"title": "x"}),
        (["TITLE", "nothing"], {"title": "x"}),
        (["nothing"], {}),
        (["name.givenName"], {"name": {"givenName": "Ada"}}),
        (["name.givenName", "name.familyName"], {"name": FULL["name"]}),
        (["emails.value"], {"emails": [{"value": "a@x.example"}, {"value": "b@x.example"}]}),
        (["emails.type", "emails.value"], {"emails": FULL["emails"]}),
        ([ENTERPRISE_URN], {ENTERPRISE_URN: FULL[ENTERPRISE_URN]}),
        ([f"{ENTERPRISE_URN}:department"], {ENTERPRISE_URN: {"department": "D"}}),
        ([f"{ENTERPRISE_URN}:manager.value"], {ENTERPRISE_URN: {"manager": {"value": "usr_2"}}}),
        ([USER_URN], {key: value for key, value in FULL.items() if key not in ("id", ENTERPRISE_URN)}),
    ],
)
def test_only_what_is_asked_for(only: list[str], expected: dict[str, Any]) -> None:
    found = shown(USERS, FULL, selection(USERS, only, []))
    schemas = [USER_URN, *([ENTERPRISE_URN] if ENTERPRISE_URN in expected else [])]
    assert found == {"id": "usr_1", "schemas": schemas, **expected}


def test_all_but_what_is_not_wanted() -> None:
    but = ["id", "title", "name.givenName", "emails.type", f"{ENTERPRISE_URN}:manager.displayName", "meta"]
    before = repr(FULL)
    assert shown(USERS, FULL, selection(USERS, [], but)) == {
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "usr_1",
        "userName": "ada",
        "name": {"familyName": "Byron"},
        "emails": [{"value": "a@x.example"}, {"value": "b@x.example"}],
        ENTERPRISE_URN: {"department": "D", "manager": {"value": "usr_2"}},
    }
    assert repr(FULL) == before
    assert ENTERPRISE_URN not in shown(USERS, FULL, selection(USERS, [], [ENTERPRISE_URN]))


def test_what_is_not_shown_need_not_be_looked_up() -> None:
    assert selection(GROUPS, [], []).wants("members")
    assert selection(GROUPS, ["members.value"], []).wants("members")
    assert not selection(GROUPS, [], ["members"]).wants("members")
    assert not selection(GROUPS, ["displayName"], []).wants("members")


def test_what_is_announced() -> None:
    base = "https://gate.example/scim/v2"
    assert discovery.service_provider(base)["bulk"]["maxOperations"] == discovery.MAX_BULK_OPERATIONS
    kind = discovery.resource_type(USERS, base)
    assert kind["schemaExtensions"] == [{"schema": ENTERPRISE_URN, "required": False}]
    assert "schemaExtensions" not in discovery.resource_type(GROUPS, base)
    for schema in SCHEMAS:
        document = discovery.schema_document(schema, base)
        assert discovery.schema_of(document["id"].upper()) is schema
        assert all(attribute["description"] for attribute in document["attributes"])


# -- bulk --------------------------------------------------------------------------------------------------


def batch(*operations: dict[str, Any], **more: Any) -> bulk.Bulk:
    return bulk.bulk_of({"schemas": [bulk.BULK_URN], "Operations": list(operations), **more})


def post(path: str, ident: str, **data: Any) -> dict[str, Any]:
    return {"method": "POST", "path": path, "bulkId": ident, "data": data}


def test_what_is_referred_to_comes_first() -> None:
    found = batch(
        post("/Groups", "g", displayName="dev", members=[{"value": "bulkId:b"}, {"value": "bulkId:a"}]),
        post("/Users", "a", userName="a"),
        post("/Users", "b", userName="b", manager={"value": "bulkId:c"}),
        post("/Users", "c", userName="c"),
        {"method": "patch", "path": "/Users/bulkId:a", "data": {}},
    )
    assert bulk.ordered(found.requests) == (1, 3, 2, 0, 4)
    assert bulk.filled(found.requests[4], {"a": "usr_1"}).ident == "usr_1"
    full = bulk.filled(found.requests[0], {"a": "usr_1", "b": "usr_2"})
    assert full.data["members"] == [{"value": "usr_2"}, {"value": "usr_1"}]
    with pytest.raises(ScimUnresolved):
        bulk.filled(found.requests[0], {"a": "usr_1"})


def test_a_circle_does_not_hang() -> None:
    found = batch(post("/Users", "a", manager="bulkId:b"), post("/Users", "b", manager="bulkId:a"))
    assert bulk.ordered(found.requests) == (0, 1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"Operations": [post("/Users", "a")]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN], "Operations": [7]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN], "Operations": [post("/Me", "a")]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN], "Operations": [post("/Users/x", "a")]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN], "Operations": [post("/Users", "")]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN], "Operations": [{"method": "PUT", "path": "/Users"}]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN], "Operations": [{"method": "GET", "path": "/Users/x"}]}, ScimSyntax),
        ({"schemas": [bulk.BULK_URN], "Operations": [post("/Users", "a"), post("/Users", "a")]}, ScimValue),
        (
            {"schemas": [bulk.BULK_URN], "failOnErrors": True, "Operations": [post("/Users", "a")]},
            ScimValue,
        ),
        ({"schemas": [bulk.BULK_URN], "Operations": [post("/Users", "a")] * 1001}, ScimTooLarge),
    ],
)
def test_what_is_no_bulk_request(body: dict[str, Any], error: type[ScimError]) -> None:
    with pytest.raises(error):
        bulk.bulk_of(body)
