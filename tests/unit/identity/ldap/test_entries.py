"""What a directory says about one entry."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekit.identity.ldap.entries import Entry, subject_filter, subject_of, why_disabled
from gatekit.identity.ldap.filters import canonical_login, escaped, filled

NOW = 1_800_000_000.0


def entry(**attributes: str | bytes) -> Entry:
    values = {k: [v.encode() if isinstance(v, str) else v] for k, v in attributes.items()}
    return Entry("cn=x", {name.lower(): held for name, held in values.items()})


@given(st.uuids())
def test_a_guid_of_active_directory_is_written_as_microsoft_writes_it(guid: uuid.UUID) -> None:
    """MS-DTYP §2.3.4.2: mixed byte order."""
    found = entry(objectGUID=guid.bytes_le)
    assert subject_of(found, "objectGUID") == str(guid)
    octets = "".join(f"\\{octet:02x}" for octet in guid.bytes_le)
    assert subject_filter("objectGUID", str(guid)) == f"(objectGUID={octets})"


@pytest.mark.parametrize("text", ["", "x", "00", "zz" * 16, "00" * 17])
def test_what_is_no_guid_is_looked_for_by_nobody(text: str) -> None:
    with pytest.raises(ValueError):
        subject_filter("objectGUID", text)


def test_an_entry_without_exactly_one_subject_has_none() -> None:
    assert subject_of(Entry("cn=x", {}), "entryUUID") == ""
    assert subject_of(Entry("cn=x", {"entryuuid": [b"a", b"b"]}), "entryUUID") == ""
    assert subject_of(entry(objectGUID=b"short"), "objectGUID") == ""
    assert subject_of(entry(entryUUID=b"\xff\xfe"), "entryUUID") == ""


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"userAccountControl": "512"}, ""),
        ({"userAccountControl": "514"}, "disabled"),
        ({"userAccountControl": "66050"}, "disabled"),
        ({"accountExpires": "0"}, ""),
        ({"accountExpires": str(0x7FFF_FFFF_FFFF_FFFF)}, ""),
        ({"accountExpires": str((int(NOW) + 11_644_473_600 + 60) * 10_000_000)}, ""),
        ({"accountExpires": str((int(NOW) + 11_644_473_600 - 60) * 10_000_000)}, "expired"),
        ({"nsAccountLock": "TRUE"}, "locked"),
        ({"nsAccountLock": "FALSE"}, ""),
        ({"pwdAccountLockedTime": "000001010000Z"}, "locked"),
        ({"pwdAccountLockedTime": "20260101000000Z"}, ""),
        ({"userAccountControl": "not a number"}, ""),
    ],
)
def test_an_account_that_the_directory_switched_off_is_known(attributes: dict[str, str], reason: str) -> None:
    why = why_disabled(entry(**attributes), NOW)
    assert bool(why) == bool(reason)
    assert reason in why


@given(st.text(), st.text())
def test_no_value_changes_the_shape_of_a_search(login: str, dn: str) -> None:
    """U5: RFC 4515 §3: parentheses, asterisk, backslash and NUL in a value are written as hex."""
    made = filled("(&(objectClass=person)(|(uid={login})(owner={dn})))", login=login, dn=dn)
    assert made.count("(") == made.count(")") == 5
    assert "*" not in made
    assert "\0" not in made
    assert made.startswith("(&(objectClass=person)(|(uid=")
    assert f"(owner={escaped(dn)})" in made


@given(st.text(max_size=300))
def test_a_login_has_one_spelling(text: str) -> None:
    login = canonical_login(text)
    if login is not None:
        assert canonical_login(login) == login
        assert canonical_login(f" {login.upper().lower()} ") == canonical_login(login.upper().lower())
