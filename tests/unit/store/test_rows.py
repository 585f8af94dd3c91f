from __future__ import annotations

import typing

import pytest
from msgspec import Struct

from gatekit.model import oauth, people
from gatekit.store.sql import rows

RECORDS: list[type[Struct]] = [
    people.User,
    people.Invite,
    people.BrowserSession,
    oauth.Client,
    oauth.Grant,
    oauth.AuthorizationCode,
    oauth.RefreshToken,
    oauth.ApiKey,
    oauth.Transaction,
    oauth.Consent,
    oauth.SigningKey,
]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_lists_and_flags_are_known_by_name(kind: type[Struct]) -> None:
    hints = typing.get_type_hints(kind)
    for name in kind.__struct_fields__:
        assert (typing.get_origin(hints[name]) is tuple) == (name in rows.LISTS), name
        assert (hints[name] is bool) == (name in rows.FLAGS), name


def test_a_record_survives_the_round_trip() -> None:
    client = oauth.Client(id="c", name="N", redirect_uris=("https://a/?x=1,2", 'https://b/"'), disabled=True)
    stored = rows.encode(client) | {"disabled": 1, "a column it does not know": "x"}
    assert stored["redirect_uris"] == '["https://a/?x=1,2","https://b/\\""]'
    assert rows.decode(oauth.Client, stored) == client


def test_statements() -> None:
    assert rows.insert("invites", people.Invite) == (
        "INSERT INTO invites (token_hash, user_id, created_at, expires_at, used_at) "
        "VALUES (:token_hash, :user_id, :created_at, :expires_at, :used_at)"
    )
    assert rows.update("invites", people.Invite, "token_hash") == (
        "UPDATE invites SET user_id = :user_id, created_at = :created_at, expires_at = :expires_at, "
        "used_at = :used_at WHERE token_hash = :token_hash"
    )
