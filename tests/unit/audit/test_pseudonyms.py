"""Records about people who asked to be forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.audit.pseudonyms import REMOVED, Covers, digest
from gatekit.model.people import Pseudonym

AT = 1_790_000_000
ALICE = Pseudonym(
    user_id="usr_1",
    name="person-abc",
    digests=tuple(digest("salt", name) for name in ("alice", "alice@example.com", "00u1")),
    created_at=AT,
)


@pytest.fixture
def covers() -> Covers:
    return Covers([ALICE], "salt")


def record(**fields: Any) -> dict[str, Any]:
    return {"event": "call", "at": AT - 5.0, "seq": 7, "hash": "alice", **fields}


def test_what_they_did_is_shown_under_the_pseudonym(covers: Covers) -> None:
    shown = covers.cover(record(principal_id="usr_1", principal="alice", address="192.0.2.1", server="files"))
    assert shown == record(principal_id="usr_1", principal="person-abc", server="files")


def test_what_was_done_to_them_as_well(covers: Covers) -> None:
    change = {"event": "admin", "principal": "ops", "action": "user.change"}
    shown = covers.cover(
        record(**change, target="alice", before="email=alice@example.com name=Alice Doe", after="name=A")
    )
    assert shown == record(**change, target="person-abc", before=REMOVED, after=REMOVED)
    member = covers.cover(record(**change | {"action": "group.add"}, target="dev", after="Alice"))
    assert member == record(**change | {"action": "group.add"}, target="dev", after="person-abc")
    key = record(event="key", principal="ops", owner="alice", name="laptop")
    assert covers.cover(key) == key | {"owner": "person-abc"}
    said = record(event="sign_in", principal="", reason="wrong password: 'alice' from 192.0.2.1")
    assert covers.cover(said)["reason"] == "wrong password: 'person-abc' from 192.0.2.1"


def test_names_within_other_texts(covers: Covers) -> None:
    for text, shown in (
        ("first seen: 00u1 of https://idp", "first seen: person-abc of https://idp"),
        ("by ALICE", "by person-abc"),
        ("malice alicebob", "malice alicebob"),
    ):
        assert covers.cover(record(reason=text))["reason"] == shown


def test_others_and_what_came_later_stay(covers: Covers) -> None:
    for other in (
        record(principal_id="usr_2", principal="bob", address="192.0.2.1", bytes_in=5, scopes=["mcp"]),
        record(principal_id="usr_3", principal="alice", address="192.0.2.9") | {"at": AT + 100.0},
    ):
        assert covers.cover(other) == other
    one = record(principal="alice")
    assert Covers([], "").cover(one) == one


def test_a_search_finds_the_pseudonym_and_not_the_name(covers: Covers) -> None:
    assert covers.asked("person-abc") == "usr_1"
    assert covers.asked("bob") == "bob"
    assert covers.asked(None) is None
    assert covers.asked("Alice") == "\0"
    assert Covers([], "").asked("alice") == "alice"
