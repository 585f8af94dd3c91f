"""What Okta and Microsoft Entra ID send, in the order in which their own documentation shows it.

The requests are those of the providers' pages on SCIM 2.0; names and identifiers are ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gatekit.identity.scim.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.support.scim import ScimWorld, scim_world

OKTA_PATCH = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]


@pytest.fixture
async def scim(tmp_path: Path) -> AsyncIterator[ScimWorld]:
    async with scim_world(tmp_path) as world:
        yield world


def okta_user(**fields: Any) -> dict[str, Any]:
    return {
        "schemas": [USER_URN],
        "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
        **fields,
    }


async def test_okta_tries_out_and_provisions_a_user(scim: ScimWorld) -> None:
    okta = scim.okta
    assert (await okta.get("/Users?startIndex=1&count=2")).json()["totalResults"] == 0
    assert (await okta.get("/Groups?startIndex=1&count=100")).json()["Resources"] == []
    asked = await okta.get(
        "/Users?filter=" + quote('userName eq "test.user@okta.local"') + "&startIndex=1&count=100"
    )
    assert asked.status_code == 200
    assert asked.json()["totalResults"] == 0
    made = await okta.send(
        "POST", "/Users", okta_user(), {"Content-Type": "application/scim+json; charset=utf-8"}
    )
    assert made.status_code == 201
    ident = made.json()["id"]
    assert made.json()["active"] is True
    # It reads, changes and puts back the whole.
    whole = (await okta.get(f"/Users/{ident}")).json()
    whole["name"]["givenName"] = "Another"
    put = await okta.send("PUT", f"/Users/{ident}", whole)
    assert put.status_code == 200
    assert put.json()["name"]["givenName"] == "Another"
    # Deactivated and given back, without a path.
    for active in (False, True):
        body = {"schemas": OKTA_PATCH, "Operations": [{"op": "replace", "value": {"active": active}}]}
        patched = await okta.send("PATCH", f"/Users/{ident}", body)
        assert patched.json()["active"] is active
        assert (await scim.person(ident)).disabled is not active
    # Where PATCH is not chosen, by a PUT of the whole.
    put = await okta.send("PUT", f"/Users/{ident}", {**whole, "active": False})
    assert put.json()["active"] is False
    assert (await scim.person(ident)).disabled
    asked = await okta.get("/Users?filter=" + quote('userName eq "test.user@okta.local"'))
    assert asked.json()["Resources"][0]["active"] is False


async def test_okta_pushes_a_group(scim: ScimWorld) -> None:
    okta = scim.okta
    one, two = [(await okta.user(name))["id"] for name in ("one@okta.local", "two@okta.local")]
    asked = await okta.get(
        "/Groups?filter=" + quote('displayName eq "Test SCIMv2"') + "&startIndex=1&count=100"
    )
    assert asked.json()["totalResults"] == 0
    group = {"schemas": [GROUP_URN], "displayName": "Test SCIMv2", "members": []}
    made = await okta.send("POST", "/Groups", group)
    assert made.status_code == 201
    ident = made.json()["id"]
    path = f"/Groups/{ident}"
    named = {"op": "replace", "value": {"id": ident, "displayName": "Test SCIMv2 renamed"}}
    assert (await okta.send("PATCH", path, {"schemas": OKTA_PATCH, "Operations": [named]})).status_code == 204
    joins = {"op": "add", "path": "members", "value": [{"value": one, "display": "one@okta.local"}]}
    leaves = {"op": "remove", "path": f'members[value eq "{one}"]'}
    joins_too = {"op": "add", "path": "members", "value": [{"value": two, "display": "two@okta.local"}]}
    for operations in ([joins], [leaves, joins_too]):
        answer = await okta.send("PATCH", path, {"schemas": OKTA_PATCH, "Operations": operations})
        assert answer.status_code == 204
    found = (await okta.get(path)).json()
    assert found["displayName"] == "Test SCIMv2 renamed"
    assert [each["value"] for each in found["members"]] == [two]
    whole = {"op": "replace", "path": "members", "value": [{"value": one, "display": "one@okta.local"}]}
    assert (await okta.send("PATCH", path, {"schemas": OKTA_PATCH, "Operations": [whole]})).status_code == 204
    memberships = await scim.store.groups.of_user(one)
    assert [(each.group, each.source) for each in memberships] == [("Test SCIMv2 renamed", "okta")]
    assert (await okta.send("DELETE", path)).status_code == 204


def entra_user(**fields: Any) -> dict[str, Any]:
    return {
        "schemas": [USER_URN, ENTERPRISE_URN],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User_ab6490ee@testuser.com",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "Test_User_fd0ea19b@testuser.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        "roles": [],
        **fields,
    }


async def test_entra_provisions_a_user(scim: ScimWorld) -> None:
    entra = scim.entra
    probe = await entra.get("/Users?filter=" + quote('userName eq "5d48a0a8-not-there"'))
    assert (probe.status_code, probe.json()["totalResults"]) == (200, 0)
    assert (await entra.get("/Schemas")).status_code == 200
    asked = await entra.get("/Users?filter=" + quote('externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"'))
    assert asked.json()["totalResults"] == 0
    made = await entra.send("POST", "/Users", entra_user())
    assert made.status_code == 201
    ident = made.json()["id"]
    path = f"/Users/{ident}"
    matched = await entra.get(
        "/Users?filter=" + quote('emails[type eq "work"].value eq "test_user_FD0EA19B@testuser.com"')
    )
    assert [each["id"] for each in matched.json()["Resources"]] == [ident]
    several = [
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updatedEmail@example.com"},
        {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Add", "path": f"{ENTERPRISE_URN}:manager", "value": ident},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+1 555"},
        {"op": "Add", "value": {f"{ENTERPRISE_URN}:department": "Engines", "title": "Countess"}},
    ]
    answer = await entra.send("PATCH", path, {"schemas": OKTA_PATCH, "Operations": several})
    assert answer.status_code == 200
    found = answer.json()
    assert found["emails"][0]["value"] == "updatedEmail@example.com"
    assert found["name"]["familyName"] == "updatedFamilyName"
    assert found["phoneNumbers"] == [{"type": "mobile", "value": "+1 555"}]
    assert found[ENTERPRISE_URN] == {"manager": {"value": ident}, "department": "Engines"}
    assert found["title"] == "Countess"
    # Unassigned or blocked from signing in: a text that says False.
    off = [{"op": "Replace", "path": "active", "value": "False"}]
    assert (await entra.send("PATCH", path, {"schemas": OKTA_PATCH, "Operations": off})).json()[
        "active"
    ] is False
    assert (await scim.person(ident)).disabled
    asked = await entra.get("/Users?filter=" + quote('userName eq "Test_User_ab6490ee@testuser.com"'))
    assert asked.json()["Resources"][0]["active"] is False
    assert (await entra.send("DELETE", path)).status_code == 204
    assert (await entra.get(path)).status_code == 404


async def test_entra_provisions_a_group(scim: ScimWorld) -> None:
    entra = scim.entra
    member = (await entra.send("POST", "/Users", entra_user())).json()["id"]
    group = {
        "schemas": [GROUP_URN, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
        "displayName": "displayName",
        "meta": {"resourceType": "Group"},
    }
    made = await entra.send("POST", "/Groups", group)
    assert made.status_code == 201
    ident = made.json()["id"]
    path = f"/Groups/{ident}"
    found = await entra.get(f"{path}?excludedAttributes=members")
    assert found.json()["displayName"] == "displayName"
    asked = await entra.get(
        "/Groups?excludedAttributes=members&filter=" + quote('displayName eq "displayName"')
    )
    assert asked.json()["totalResults"] == 1
    for operations, members in (
        ([{"op": "Replace", "path": "displayName", "value": "1879db59-3bdf-4490-ad68-ab880a269474"}], []),
        ([{"op": "Add", "path": "members", "value": [{"$ref": None, "value": member}]}], [member]),
        ([{"op": "Remove", "path": "members", "value": [{"$ref": None, "value": member}]}], []),
        ([{"op": "Add", "path": "members", "value": [{"value": member}]}], [member]),
    ):
        answer = await entra.send("PATCH", path, {"schemas": OKTA_PATCH, "Operations": operations})
        assert (answer.status_code, answer.content) == (204, b"")
        assert (
            await scim.store.scim_groups.members("entra", (await entra.get(path)).json()["displayName"])
            == members
        )
    question = quote(f'id eq "{ident}" and members eq "{member}"')
    assert (await entra.get(f"/Groups?filter={question}&attributes=id")).json()["totalResults"] == 1
    assert (await entra.send("DELETE", path)).status_code == 204
    assert await scim.store.groups.of_user(member) == []
