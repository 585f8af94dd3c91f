"""Whom entries of the feed of changes are about."""

from __future__ import annotations

from msgspec.structs import replace

from gatekit.gateway.leaving import EVERYBODY, concerned
from gatekit.model.access import Access
from gatekit.model.people import Principal

ALICE = Access(
    principal=Principal(id="usr_alice", username="alice", connection="local"),
    client_id="cli_1",
    client_name="One",
    credential="access_token",
    credential_id="jti_1",
    grant_id="grt_1",
)
KEY = replace(ALICE, credential="api_key", credential_id="key_1", grant_id="", client_id="")


def test_an_entry_concerns_whom_it_names() -> None:
    for entry in ("user:usr_alice", "client:cli_1", "grant:grt_1"):
        assert concerned([entry]).holds(ALICE), entry
    assert concerned(["key:key_1"]).holds(KEY)
    assert concerned(["user:usr_bob", "user:usr_alice"]).holds(KEY)


def test_nobody_else_is_looked_at() -> None:
    for entry in ("user:usr_bob", "client:cli_2", "grant:grt_2", "key:key_1"):
        assert not concerned([entry]).holds(ALICE), entry
    for entry in ("user:usr_bob", "client:", "grant:", "key:key_2"):
        found = concerned([entry])
        assert not found.everybody
        assert "usr_alice" not in found.users


def test_what_cannot_be_told_concerns_everybody() -> None:
    for entry in (
        *EVERYBODY,
        "token:jti_9",
        "connection:corp",
        "group:developers",
        "signing_key:k",
        "new:x",
        "",
    ):
        assert concerned([entry]).holds(ALICE), entry
        assert concerned([entry]).holds(KEY), entry
