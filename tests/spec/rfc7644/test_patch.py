"""RFC 7644 §3.5.2: PATCH at the door. What operations mean is tried out in tests/unit/identity/scim."""

from __future__ import annotations

import pytest

from gatekit.identity.scim.schema import GROUP_URN
from tests.support.scim import ScimWorld


async def test_a_patch_answers_with_the_resource(scim: ScimWorld) -> None:
    """§3.5.2: "either return a 200 OK response code and the entire resource ... or ... 204"; "lastModified"
    and the version change."""
    made = await scim.okta.user()
    scim.clock.at += 60
    path = f"/Users/{made['id']}"
    answer = await scim.okta.patch(path, {"op": "add", "path": "title", "value": "x"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["title"], found["meta"]["version"]) == ("x", 'W/"2"')
    assert found["meta"]["lastModified"] > made["meta"]["lastModified"] == found["meta"]["created"]
    assert found == (await scim.okta.get(path)).json()
    answer = await scim.okta.patch(f"{path}?attributes=title", {"op": "remove", "path": "title"})
    assert answer.json().keys() == {"schemas", "id"}


async def test_all_or_nothing(scim: ScimWorld) -> None:
    """§3.5.2: "each HTTP PATCH request ... SHALL be treated as atomic. If a single operation encounters an
    error condition, the original SCIM resource MUST be restored"."""
    made = await scim.okta.user()
    answer = await scim.okta.patch(
        f"/Users/{made['id']}",
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "path": "nothing", "value": "x"},
    )
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidPath")
    assert (await scim.okta.get(f"/Users/{made['id']}")).json() == made
    assert not (await scim.person(made["id"])).disabled


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "path": 'emails[type eq "x"].value', "value": "y"}, "noTarget"),
        ({"op": "remove", "path": "userName"}, "mutability"),
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": "emails[", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "active", "value": "x"}, "invalidValue"),
        ({"op": "copy", "path": "title", "value": "x"}, "invalidSyntax"),
    ],
)
async def test_errors_have_their_kind(scim: ScimWorld, operation: dict[str, object], kind: str) -> None:
    """§3.12, table 9."""
    made = await scim.okta.user()
    answer = await scim.okta.patch(f"/Users/{made['id']}", operation)
    assert (answer.status_code, answer.json()["scimType"]) == (400, kind)


async def test_members(scim: ScimWorld) -> None:
    """§3.5.2, and that nobody is a member whom the connection does not have."""
    ada, bob = [(await scim.okta.user(name))["id"] for name in ("ada", "bob")]
    eve = (await scim.entra.user("eve"))["id"]
    group = await scim.okta.made("/Groups", displayName="Dev", externalId="g1", members=[{"value": ada}])
    path = f"/Groups/{group['id']}"
    assert group["members"][0].keys() == {"value", "$ref", "type"}

    async def members() -> list[str]:
        return sorted(each["value"] for each in (await scim.okta.get(path)).json().get("members", []))

    for operation, expected in (
        ({"op": "add", "path": "members", "value": [{"value": bob}, {"value": ada}]}, [ada, bob]),
        ({"op": "remove", "path": f'members[value eq "{ada}"]'}, [bob]),
        ({"op": "replace", "path": "members", "value": [{"value": ada}]}, [ada]),
        ({"op": "remove", "path": "members", "value": [{"value": ada}]}, []),
        ({"op": "replace", "value": {"members": [{"value": ada}, {"value": bob}]}}, [ada, bob]),
        ({"op": "remove", "path": "members"}, []),
        ({"op": "add", "value": {"members": [{"value": bob}], "displayName": "Devs"}}, [bob]),
    ):
        answer = await scim.okta.patch(path, operation)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await members() == sorted(expected)
    for stranger in (eve, "usr_none", group["id"]):
        join = {"op": "add", "path": "members", "value": [{"value": ada}, {"value": stranger}]}
        answer = await scim.okta.patch(path, join)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
        body = {"schemas": [GROUP_URN], "displayName": "Devs", "members": [{"value": stranger}]}
        assert (await scim.okta.send("PUT", path, body)).status_code == 400
        body["displayName"] = "New"
        assert (await scim.okta.send("POST", "/Groups", body)).status_code == 400
    body = {"schemas": [GROUP_URN], "displayName": "x", "members": [{"value": ada, "type": "Group"}]}
    assert (await scim.okta.send("POST", "/Groups", body)).status_code == 400
    assert await members() == [bob]
    shown = await scim.okta.patch(
        f"{path}?attributes=displayName", {"op": "add", "path": "externalId", "value": "y"}
    )
    assert shown.json()["displayName"] == "Devs"
    body = {"schemas": [GROUP_URN], "displayName": "Ops"}
    assert (await scim.okta.send("PUT", path, body)).json().get("members") is None
    assert (await scim.okta.send("DELETE", path)).status_code == 204
    assert (await scim.okta.patch(path, {"op": "remove", "path": "members"})).status_code == 404


async def test_who_joins_and_leaves_is_on_record_once(scim: ScimWorld) -> None:
    ada = (await scim.okta.user())["id"]
    group = await scim.okta.made("/Groups", displayName="Dev")
    join = {"op": "add", "path": "members", "value": [{"value": ada}]}
    leave = {"op": "remove", "path": f'members[value eq "{ada}"]'}
    for operation in (join, join, leave, leave):
        await scim.okta.patch(f"/Groups/{group['id']}", operation)
    assert scim.told() == [
        "user.create ada",
        "group.create okta/Dev",
        "group.add okta/Dev",
        "group.remove okta/Dev",
    ]
    assert (await scim.okta.get(f"/Groups/{group['id']}")).json()["meta"]["version"] == 'W/"3"'
