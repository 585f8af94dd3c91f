"""Patches, as the RFC has them and as providers send them."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.errors import ScimError, ScimMutability, ScimNoTarget, ScimPath, ScimSyntax, ScimValue
from gatekit.identity.scim.patch import PATCH_URN, joining, operations_of, patched
from gatekit.identity.scim.read import check
from gatekit.identity.scim.schema import ENTERPRISE_URN, GROUPS, USER_URN, USERS

WORK = 'emails[type eq "work"]'
ADA: dict[str, Any] = {
    "userName": "ada",
    "name": {"givenName": "Ada", "familyName": "Byron"},
    "active": True,
    "emails": [
        {"value": "ada@example.com", "type": "work", "primary": True},
        {"value": "ada@home.example", "type": "home"},
    ],
    ENTERPRISE_URN: {"department": "Engines"},
}


def body(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_URN], "Operations": list(operations)}


def done(*operations: dict[str, Any], of: dict[str, Any] = ADA, kind: Any = USERS) -> dict[str, Any]:
    before = copy.deepcopy(of)
    result = patched(kind, of, operations_of(body(*operations)))
    assert of == before, "the resource itself was changed"
    return result


def op(op: str, path: str | None = None, *value: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": op}
    if path is not None:
        operation["path"] = path
    if value:
        operation["value"] = value[0]
    return operation


def test_simple_attributes() -> None:
    assert done(op("add", "title", "Countess"))["title"] == "Countess"
    assert done(op("replace", "USERNAME", "ada2"))["userName"] == "ada2"
    assert done(op("Replace", "active", "False"))["active"] is False
    assert "name" not in done(op("remove", "name"))
    assert done(op("remove", "name.givenName"))["name"] == {"familyName": "Byron"}
    assert "active" not in done(op("replace", "active", None))


def test_complex_attributes_keep_what_is_not_named() -> None:
    changed = done(op("replace", "name", {"familyName": "Lovelace"}))
    assert changed["name"] == {"givenName": "Ada", "familyName": "Lovelace"}
    assert done(op("add", "name.middleName", "K"))["name"]["middleName"] == "K"


def test_extensions() -> None:
    changed = done(op("add", f"{ENTERPRISE_URN}:manager", "usr_2"))
    assert changed[ENTERPRISE_URN] == {"department": "Engines", "manager": {"value": "usr_2"}}
    changed = done(op("replace", None, {f"{ENTERPRISE_URN}:department": "Poetry", "name.givenName": "A"}))
    assert changed[ENTERPRISE_URN] == {"department": "Poetry"}
    assert changed["name"]["givenName"] == "A"
    assert done(op("replace", None, {ENTERPRISE_URN: {"division": "X"}}))[ENTERPRISE_URN]["division"] == "X"
    assert done(op("add", ENTERPRISE_URN, {"division": "X"}))[ENTERPRISE_URN]["department"] == "Engines"
    assert ENTERPRISE_URN not in done(op("remove", ENTERPRISE_URN))
    assert ENTERPRISE_URN not in done(op("remove", f"{ENTERPRISE_URN}:department"))
    assert done(op("replace", f"{USER_URN}:title", "x"))["title"] == "x"


def test_values_are_added_once() -> None:
    again = done(op("add", "emails", [{"value": "ada@example.com", "type": "work"}]))
    assert again["emails"] == ADA["emails"]
    more = done(op("add", "emails", {"value": "a@x.example"}))
    assert [email["value"] for email in more["emails"]][2] == "a@x.example"
    assert done(op("add", None, {"emails": [{"value": "b@x.example"}]}))["emails"][-1] == {
        "value": "b@x.example"
    }


def test_a_new_primary_value_takes_that_from_the_one_before() -> None:
    for operation in (
        op("add", "emails", {"value": "n@x.example", "primary": True}),
        op("replace", 'emails[type eq "home"].primary', True),
        op("add", "emails", {"value": "ada@home.example", "type": "home", "primary": True}),
    ):
        emails = done(operation)["emails"]
        assert emails[0]["primary"] is False
        assert sum(email.get("primary", False) for email in emails) == 1


def test_values_behind_a_filter() -> None:
    assert done(op("replace", f"{WORK}.value", "new@example.com"))["emails"][0] == {
        "value": "new@example.com",
        "type": "work",
        "primary": True,
    }
    assert done(op("replace", WORK, {"value": "n@e.example", "type": "work"}))["emails"][0] == {
        "value": "n@e.example",
        "type": "work",
    }
    assert done(op("add", WORK, {"display": "Work"}))["emails"][0]["display"] == "Work"
    assert [email["type"] for email in done(op("remove", WORK))["emails"]] == ["home"]
    assert "type" not in done(op("remove", f"{WORK}.type"))["emails"][0]
    assert done(op("remove", 'emails[type eq "fax"]')) == ADA
    made = done(op("add", 'phoneNumbers[type eq "work"].value', "1"))
    assert made["phoneNumbers"] == [{"type": "work", "value": "1"}]
    with pytest.raises(ScimNoTarget):
        done(op("replace", 'emails[type eq "fax"].value', "x"))
    with pytest.raises(ScimNoTarget):
        done(op("add", 'phoneNumbers[type sw "w"].value', "1"))


def test_whole_lists() -> None:
    assert done(op("replace", "emails", [{"value": "one@x.example"}]))["emails"] == [
        {"value": "one@x.example"}
    ]
    assert "emails" not in done(op("replace", "emails", []))
    assert "emails" not in done(op("remove", "emails"))
    left = done(op("remove", "emails", [{"value": "ada@home.example"}]))["emails"]
    assert [email["type"] for email in left] == ["work"]
    assert all(email["type"] == "other" for email in done(op("replace", "emails.type", "other"))["emails"])


def test_what_is_read_only_is_refused_by_path_and_ignored_in_a_heap() -> None:
    for path in (
        "id",
        "meta.created",
        "groups",
        'groups[value eq "g"]',
        f"{ENTERPRISE_URN}:manager.displayName",
    ):
        with pytest.raises(ScimMutability):
            done(op("replace", path, "x"))
    heap = {"id": "other", "meta": {"created": "x"}, "schemas": ["x"], "unknown": 1, "title": "t"}
    assert done(op("replace", None, heap)) == {**ADA, "title": "t"}
    group = {"displayName": "g", "members": [{"value": "usr_1"}]}
    with pytest.raises(ScimMutability):
        done(op("replace", 'members[value eq "usr_1"].value', "usr_2"), of=group, kind=GROUPS)


def test_what_is_required_stays() -> None:
    with pytest.raises(ScimMutability):
        done(op("remove", "userName"))
    with pytest.raises(ScimMutability):
        done(op("replace", "userName", None))
    with pytest.raises(ScimValue):
        done(op("replace", "emails", [{"value": "a", "primary": True}, {"value": "b", "primary": True}]))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"Operations": [op("add", "title", "x")]}, ScimSyntax),
        ({"schemas": [PATCH_URN]}, ScimSyntax),
        ({"schemas": [PATCH_URN], "Operations": []}, ScimSyntax),
        ({"schemas": [PATCH_URN], "Operations": ["x"]}, ScimSyntax),
        (body(op("move", "title", "x")), ScimSyntax),
        ({"schemas": [PATCH_URN], "Operations": [op("add", "title", "x")] * 1001}, ScimSyntax),
        (body(op("remove")), ScimNoTarget),
        (body(op("add", "title")), ScimValue),
        (body({"op": "add", "path": 7, "value": 1}), ScimPath),
        (body(op("add", "nothing", "x")), ScimPath),
        (body(op("add", "title[", "x")), ScimPath),
        (body(op("add", 'title[value eq "x"]', "x")), ScimPath),
        (body(op("add", USER_URN, {"title": "x"})), ScimPath),
        (body(op("add", "title", 7)), ScimValue),
        (body(op("add", "active", "perhaps")), ScimValue),
        (body(op("add", None, "x")), ScimValue),
        (body(op("add", ENTERPRISE_URN, "x")), ScimValue),
        (body(op("replace", None, {"title": "x", "TITLE": "y"})), ScimSyntax),
        (body({"op": "add", "OP": "remove", "path": "title", "value": "x"}), ScimSyntax),
    ],
)
def test_refused(wrong: dict[str, Any], error: type[ScimError]) -> None:
    with pytest.raises(error):
        patched(USERS, ADA, operations_of(wrong))


# -- members -----------------------------------------------------------------------------------------------


def ops(*operations: dict[str, Any]) -> Any:
    return joining(operations_of(body(*operations)))


def test_who_joins_and_leaves_can_be_said_without_knowing_who_is_there() -> None:
    found = ops(
        op("Add", "members", [{"value": "a"}, {"value": "b"}]),
        op("Remove", "members", [{"value": "c"}]),
        op("remove", 'members[value eq "b"]'),
        op("add", None, {"members": [{"value": "d"}], "externalId": "e"}),
        op("replace", None, {"id": "g", "displayName": "n"}),
    )
    assert (found.join, found.leave) == (("a", "d"), ("b", "c"))
    assert [each.value for each in found.rest] == [{"externalId": "e"}, {"id": "g", "displayName": "n"}]


@pytest.mark.parametrize(
    "operation",
    [
        op("replace", "members", [{"value": "a"}]),
        op("remove", "members"),
        op("remove", 'members[value sw "a"]'),
        op("remove", 'members[type eq "User"]'),
        op("add", "members", ["a"]),
        op("add", 'members[value eq "a"].type', "User"),
        op("replace", None, {"members": [{"value": "a"}]}),
        op("add", None, {"members.value": "a"}),
    ],
)
def test_what_needs_to_know_who_is_there(operation: dict[str, Any]) -> None:
    assert ops(operation) is None


def test_members_one_by_one_and_all_together_end_alike() -> None:
    group = {"displayName": "g", "members": [{"value": "a"}, {"value": "b"}, {"value": "c"}]}
    operations = (
        op("add", "members", [{"value": "d"}, {"value": "a"}]),
        op("remove", "members", [{"value": "b"}]),
        op("remove", 'members[value eq "c"]'),
        op("add", "members", [{"value": "c"}]),
    )
    whole = {each["value"] for each in done(*operations, of=group, kind=GROUPS)["members"]}
    found = ops(*operations)
    assert whole == ({"a", "b", "c"} | set(found.join)) - set(found.leave)


# -- noise -------------------------------------------------------------------------------------------------

PATHS = st.sampled_from(
    [None, "title", "name", "name.givenName", "emails", "emails.value", WORK, f"{WORK}.value", "active",
     ENTERPRISE_URN, f"{ENTERPRISE_URN}:manager", f"{ENTERPRISE_URN}:manager.value", "members", "id"]
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["x", "", "True", "work"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["value", "type", "primary", "givenName", "emails", "name", "title", ENTERPRISE_URN]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "replace"]), PATHS, VALUES).map(
        lambda p: op(p[0], p[1], p[2])
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(OPERATIONS)
def test_every_patch_leaves_a_good_resource_or_is_refused(operations: list[dict[str, Any]]) -> None:
    with contextlib.suppress(ScimError):
        result = done(*operations)
        check(USERS, result)
        assert result["userName"] == "ada"
        assert None not in result.values()
