"""RFC 7644 §3.2–§3.6: making, reading, replacing and removing one resource."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.identity.scim.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.support.scim import BASE, ScimWorld

ADA: dict[str, Any] = {
    "schemas": [USER_URN, ENTERPRISE_URN],
    "userName": "ada@example.com",
    "externalId": "00u1",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "emails": [{"value": "ada@example.com", "type": "work", "primary": True}],
    "active": True,
    "password": "t1meMa$heen",
    ENTERPRISE_URN: {"department": "Engines"},
}


async def test_a_resource_is_made(scim: ScimWorld) -> None:
    """§3.3: "the service provider SHALL return ... 201 ("Created"). The response body SHOULD contain the
    service provider's representation ...; the URI of the created resource SHALL include, in the HTTP
    'Location' header and the HTTP body, a JSON representation with the attribute "meta.location"."""
    answer = await scim.okta.send("POST", "/Users", ADA)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/scim+json"
    location = f"{BASE}/Users/{made['id']}"
    assert answer.headers["location"] == made["meta"]["location"] == location
    assert answer.headers["etag"] == made["meta"]["version"] == 'W/"1"'
    assert made["meta"]["resourceType"] == "User"
    for name in ("userName", "externalId", "name", "emails", "active", "schemas", ENTERPRISE_URN):
        assert made[name] == ADA[name]
    assert (await scim.okta.get(f"/Users/{made['id']}")).json() == made


async def test_a_password_is_neither_kept_nor_shown(scim: ScimWorld) -> None:
    """RFC 7643 §4.1.1: "password ... This attribute ... SHALL NOT be returned"."""
    answer = await scim.okta.send("POST", "/Users", ADA)
    assert ADA["password"] not in answer.text
    account = await scim.store.accounts.get("okta", answer.json()["id"])
    assert account is not None
    assert ADA["password"] not in account.account.body
    assert await scim.store.users.password_hash(answer.json()["id"]) is None


async def test_what_is_read_only_is_ignored_when_made(scim: ScimWorld) -> None:
    """§3.3: "Attributes whose mutability is "readOnly" that are included in the request body SHALL be
    ignored."""
    made = await scim.okta.user(id="mine", meta={"version": 'W/"9"'}, groups=[{"value": "g"}])
    assert made["id"].startswith("usr_")
    assert made["meta"]["version"] == 'W/"1"'
    assert "groups" not in made


@pytest.mark.parametrize("again", ["ada", "ADA", " ada "])
async def test_a_name_is_taken_once(scim: ScimWorld, again: str) -> None:
    """§3.3: "If the service provider determines that the creation of the requested resource conflicts with
    existing resources ..., the service provider MUST return HTTP status code 409 (Conflict) with a
    "scimType" error code of "uniqueness"."""
    await scim.okta.user("ada")
    answer = await scim.okta.send("POST", "/Users", {"schemas": [USER_URN], "userName": again})
    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    assert answer.json()["status"] == "409"
    other = await scim.okta.user("bob")
    answer = await scim.okta.send("PUT", f"/Users/{other['id']}", {"schemas": [USER_URN], "userName": again})
    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")


async def test_groups_are_named_once(scim: ScimWorld) -> None:
    group = await scim.okta.made("/Groups", displayName="Dev")
    answer = await scim.okta.send("POST", "/Groups", {"schemas": [GROUP_URN], "displayName": "Dev"})
    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    other = await scim.okta.made("/Groups", displayName="Ops")
    answer = await scim.okta.patch(
        f"/Groups/{other['id']}", {"op": "replace", "path": "displayName", "value": "Dev"}
    )
    assert answer.status_code == 409
    assert (await scim.okta.get(f"/Groups/{group['id']}")).json()["displayName"] == "Dev"


async def test_a_resource_is_replaced(scim: ScimWorld) -> None:
    """§3.5.1: "readWrite ... Any values provided SHALL replace the existing attribute values. Attributes ...
    omitted from the request body ... the service provider MAY assume that any existing values are to be
    cleared". "200 (OK) with the entire resource"."""
    made = (await scim.okta.send("POST", "/Users", ADA)).json()
    body = {"schemas": [USER_URN], "userName": "ada2", "id": "other", "title": "Countess"}
    answer = await scim.okta.send("PUT", f"/Users/{made['id']}", body)
    found = answer.json()
    assert answer.status_code == 200
    assert (found["id"], found["userName"], found["title"]) == (made["id"], "ada2", "Countess")
    assert not {"emails", "name", "externalId", ENTERPRISE_URN} & found.keys()
    assert found["meta"]["version"] == 'W/"2"'


async def test_replacing_without_active_lets_nobody_back_in(scim: ScimWorld) -> None:
    made = await scim.okta.user(active=False)
    await scim.okta.send("PUT", f"/Users/{made['id']}", {"schemas": [USER_URN], "userName": "ada"})
    assert (await scim.person(made["id"])).disabled


async def test_what_is_the_same_stays_the_same(scim: ScimWorld) -> None:
    made = (await scim.okta.send("POST", "/Users", ADA)).json()
    for _ in range(2):
        again = await scim.okta.send("PUT", f"/Users/{made['id']}", ADA)
        assert again.json() == made
    assert scim.told() == ["user.create ada@example.com"]


async def test_put_makes_nothing(scim: ScimWorld) -> None:
    """§3.5.1: "HTTP PUT MUST NOT be used to create new resources."""
    answer = await scim.okta.send("PUT", "/Users/usr_none", {"schemas": [USER_URN], "userName": "x"})
    assert answer.status_code == 404
    assert await scim.store.users.list() == []


async def test_what_is_removed_is_gone(scim: ScimWorld) -> None:
    """§3.6: "the service provider SHALL respond with a successful HTTP status 204 ...; MUST return a 404 for
    all operations associated with the previously deleted resource. Service providers MUST omit the resource
    from future query results. ... a CREATE request for a User resource with the same userName ... SHOULD NOT
    fail with a 409 error"."""
    made = await scim.okta.user()
    path = f"/Users/{made['id']}"
    answer = await scim.okta.send("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    body = {"schemas": [USER_URN], "userName": "ada"}
    answers = [
        await scim.okta.get(path),
        await scim.okta.send("PUT", path, body),
        await scim.okta.patch(path, {"op": "replace", "path": "title", "value": "x"}),
        await scim.okta.send("DELETE", path),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert await scim.okta.names("/Users") == []
    assert (await scim.okta.user())["id"] != made["id"]


@pytest.mark.parametrize(
    "path",
    ["/Nothing", "/Users/a/b", "/Users/..%2f", "/users", "/Schemas/x", "/ResourceTypes/User/x", "/Users/a.b"],
)
async def test_what_there_is_not(scim: ScimWorld, path: str) -> None:
    assert (await scim.okta.get(path)).status_code in (403, 404)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{", 400, "invalidSyntax"),
        (b"[]", 400, "invalidSyntax"),
        (b'"x"', 400, "invalidSyntax"),
        (b"\xff", 400, "invalidSyntax"),
        (b'{"userName": "a", "username": "b"}', 400, "invalidSyntax"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 400, "invalidSyntax"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400, "invalidSyntax"),
        (b'{"displayName": "x"}', 400, "invalidValue"),
        (b'{"userName": 1}', 400, "invalidValue"),
        (b'{"userName": "a\\u0007"}', 400, "invalidValue"),
        (b'{"userName": "%s"}' % (b"x" * 300), 400, "invalidValue"),
        (b'{"userName": "a", "externalId": "%s"}' % (b"x" * 300), 400, "invalidValue"),
    ],
)
async def test_bodies_that_are_refused(scim: ScimWorld, body: bytes, status: int, kind: str) -> None:
    """§3.12: errors hold "schemas", "status" as a text, and "scimType" where there is one."""
    headers = {**scim.okta.headers, "Content-Type": "application/scim+json"}
    answer = await scim.http.post("/scim/v2/Users", content=body, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["scimType"]) == (status, kind)
    assert told["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert told["status"] == str(status)
    assert told["detail"]


async def test_json_is_taken_and_a_form_is_not(scim: ScimWorld) -> None:
    """§3.8: "Service providers MUST accept requests with Content-Type application/scim+json ... SHOULD
    support application/json"."""
    body = {"schemas": [USER_URN], "userName": "ada"}
    as_json = {"Content-Type": "application/json; charset=utf-8"}
    assert (await scim.okta.send("POST", "/Users", body, as_json)).status_code == 201
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await scim.okta.send("POST", "/Users", body, form)).status_code == 400


async def test_a_body_too_large_is_not_read(scim: ScimWorld) -> None:
    headers = {**scim.okta.headers, "Content-Type": "application/json"}
    answer = await scim.http.post("/scim/v2/Users", content=b"x" * 5_000_000, headers=headers)
    assert answer.status_code == 413


async def test_versions(scim: ScimWorld) -> None:
    """§3.14: "If-Match ... If the versions do not match, the service provider SHALL return 412"; a weak
    entity-tag is enough; "If-None-Match" on GET saves the body."""
    made = await scim.okta.user()
    path = f"/Users/{made['id']}"
    assert (await scim.okta.get(path, **{"If-None-Match": 'W/"1"'})).status_code == 304
    assert (await scim.okta.get(path, **{"If-None-Match": 'W/"2", W/"3"'})).status_code == 200
    change = {"op": "replace", "path": "title", "value": "x"}
    for stale in ('W/"9"', '"abc"', "1"):
        assert (await scim.okta.patch(path, change, **{"If-Match": stale})).status_code == 412
        assert (await scim.okta.send("DELETE", path, headers={"If-Match": stale})).status_code == 412
    assert (await scim.okta.patch(path, change, **{"If-Match": 'W/"1"'})).json()["meta"]["version"] == 'W/"2"'
    body = {"schemas": [USER_URN], "userName": "b"}
    assert (await scim.okta.send("PUT", path, body, {"If-Match": 'W/"1"'})).status_code == 412
    assert (await scim.okta.send("PUT", path, body, {"If-Match": "*"})).status_code == 200
    group = await scim.okta.made("/Groups", displayName="g")
    there = f"/Groups/{group['id']}"
    assert (await scim.okta.send("DELETE", there, headers={"If-Match": 'W/"7"'})).status_code == 412
    join = {"op": "add", "path": "members", "value": [{"value": made["id"]}]}
    assert (await scim.okta.patch(there, join, **{"If-Match": 'W/"7"'})).status_code == 412
    assert (await scim.okta.patch(there, join, **{"If-Match": 'W/"1"'})).status_code == 204
    assert (await scim.okta.get(there)).headers["etag"] == 'W/"2"'


async def test_attributes(scim: ScimWorld) -> None:
    """§3.9: "attributes ... excludedAttributes": what is asked for, "minimum set" and all; on what is made as
    well."""
    made = (await scim.okta.send("POST", "/Users?attributes=userName", ADA)).json()
    assert made.keys() == {"schemas", "id", "userName"}
    path = f"/Users/{made['id']}"
    found = (await scim.okta.get(f"{path}?attributes=name.familyName,emails.value")).json()
    assert found["name"] == {"familyName": "Lovelace"}
    assert found["emails"] == [{"value": "ada@example.com"}]
    assert found.keys() == {"schemas", "id", "name", "emails"}
    found = (await scim.okta.get(f"{path}?excludedAttributes=emails,id,name.givenName")).json()
    assert "emails" not in found
    assert found["id"] == made["id"]
    assert found["name"] == {"familyName": "Lovelace"}
    assert (await scim.okta.get(f"{path}?attributes=a..b")).json()["scimType"] == "invalidPath"


async def test_me_is_nobody(scim: ScimWorld) -> None:
    """§3.11: "A service provider that does NOT support this feature SHOULD respond with HTTP status code 501
    (Not Implemented)."""
    assert (await scim.okta.get("/Me")).status_code == 501
