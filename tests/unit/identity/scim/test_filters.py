"""Filters: the grammar, and what they mean."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.errors import ScimFilter, ScimPath
from gatekit.identity.scim import filters
from gatekit.identity.scim.filters import Compare, Name, Not, Present, parse_filter, parse_target
from gatekit.identity.scim.match import test_of as compiled
from gatekit.identity.scim.schema import ENTERPRISE_URN, GROUPS, USER_URN, USERS

ADA: dict[str, Any] = {
    "id": "usr_1",
    "externalId": "E-1",
    "userName": "Ada@Example.com",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "active": True,
    "title": "Countess",
    "emails": [
        {"value": "ada@example.com", "type": "work", "primary": True},
        {"value": "ada@home.example", "type": "home"},
    ],
    ENTERPRISE_URN: {"department": "Engines", "manager": {"value": "usr_2"}},
    "meta": {
        "resourceType": "User",
        "created": "2026-01-01T00:00:00Z",
        "lastModified": "2026-02-01T12:00:00Z",
    },
}


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ada@example.com"',
        'USERNAME EQ "ADA@example.com"',
        f'{USER_URN}:userName sw "ada"',
        'name.familyName co "love"',
        'userName ne "bob"',
        'nickName ne "bob"',
        'title ew "ess"',
        "title pr",
        "not (nickName pr)",
        "nickName eq null",
        "title ne null",
        "active eq true",
        'active eq "True"',
        'emails co "home.example"',
        'emails[type eq "work" and value co "example.com"]',
        'emails[type eq "home"].value eq "ada@home.example"',
        'emails[type eq "home"].value pr',
        'emails.type eq "home"',
        "emails pr",
        "emails[primary eq true]",
        f'{ENTERPRISE_URN}:department eq "engines"',
        f'{ENTERPRISE_URN}:manager.value eq "usr_2"',
        f'{ENTERPRISE_URN}:manager eq "usr_2"',
        f"{ENTERPRISE_URN} pr",
        'meta.lastModified gt "2026-01-31T23:00:00-01:00"',
        'meta.lastModified ge "2026-02-01T12:00:00Z"',
        'meta.created lt "2026-01-02"',
        'externalId eq "E-1"',
        'title pr and (userName eq "x" or active eq true)',
        'title eq "x" or title pr and active eq true',
        'userName gt "ada@example.col" and userName le "ada@example.com"',
        'name.givenName eq "\\u0041da"',
    ],
)
def test_fits(text: str) -> None:
    assert compiled(USERS, parse_filter(text))(ADA)


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ada"',
        'externalId eq "e-1"',
        "title eq null",
        'emails[type eq "work" and value co "home.example"]',
        'emails[type eq "work"].value eq "ada@home.example"',
        'not (userName sw "ada")',
        'title eq "x" and title pr or active eq false',
        '(title pr or title eq "x") and active eq false',
        "ims pr",
        'meta.lastModified gt "2026-02-01T12:00:00Z"',
    ],
)
def test_does_not_fit(text: str) -> None:
    assert not compiled(USERS, parse_filter(text))(ADA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "userName",
        "userName eq",
        "userName eq bob",
        'userName is "bob"',
        'userName eq "bob',
        'userName eq "bob" and',
        '(userName eq "bob"',
        'userName eq "bob")',
        'emails[type eq "work"',
        "userName eq 7",
        'userName eq {"a":1}',
        'password eq "secret"',
        'nobody.knows eq "x"',
        'name.nothing eq "x"',
        'name eq "x"',
        "active gt true",
        'active eq "perhaps"',
        'x509Certificates gt "AAAA"',
        'meta.created gt "yesterday"',
        "title gt null",
        'userName[value eq "x"]',
        'emails[emails.type eq "x"]',
        f'{USER_URN}:nothing eq "x"',
        'urn:nothing:userName eq "x"',
        'a:b eq "x"',
        'members eq "x"',
        "(" * 30 + "title pr" + ")" * 30,
        " or ".join(["title pr"] * 300),
        'title eq "' + "x" * 9000 + '"',
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ScimFilter):
        compiled(USERS, parse_filter(text))


def test_groups_have_members() -> None:
    group = {"displayName": "dev", "members": [{"value": "usr_1"}]}
    assert compiled(GROUPS, parse_filter('members eq "usr_1"'))(group)
    assert compiled(GROUPS, parse_filter('members[value eq "usr_1"]'))(group)
    assert not compiled(GROUPS, parse_filter('members.value eq "USR_1"'))(group)


def test_and_binds_closer_than_or() -> None:
    tree = parse_filter("a pr or b pr and not (c pr)")
    present = [Present(Name("", letter)) for letter in "abc"]
    assert tree == filters.Any((present[0], filters.All((present[1], Not(present[2])))))


def test_paths() -> None:
    assert parse_target("name.familyName").name == Name("", "name", "familyName")
    target = parse_target('emails[type eq "work"].value')
    assert target.name == Name("", "emails", "value")
    assert target.filter == Compare(Name("", "type"), "eq", "work")
    assert parse_target(f"{ENTERPRISE_URN}:manager").name == Name(ENTERPRISE_URN, "manager")
    for wrong in ("", "emails[", "emails[type]", "a b", "emails[type pr]value", "a..b", "-", '"x"', "a.b.c"):
        with pytest.raises(ScimPath):
            parse_target(wrong)


# -- every tree, written down and read again ---------------------------------------------------------------

NAMES = st.sampled_from(["userName", "title", "name.familyName", "emails.value", "active", "nickName"])
TEXTS = st.text(max_size=8).filter(lambda text: all(not "\ud800" <= c <= "\udfff" for c in text))
TREES = st.recursive(
    st.one_of(
        NAMES.map(lambda name: f"{name} pr"),
        st.tuples(
            NAMES.filter(lambda name: name != "active"),
            st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]),
            TEXTS,
        ).map(lambda parts: f"{parts[0]} {parts[1]} {_quoted(parts[2])}"),
    ),
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
    ),
    max_leaves=6,
)


def _quoted(text: str) -> str:
    return json.dumps(text)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_a_filter_and_its_opposite_share_everybody(text: str) -> None:
    for resource in (ADA, {"userName": "b"}, {"userName": "c", "active": False, "title": "A"}):
        assert compiled(USERS, parse_filter(text))(resource) != compiled(
            USERS, parse_filter(f"not ({text})")
        )(resource)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='aeqprndot ()[]".\\:$u1', max_size=40))
def test_noise_is_refused_with_a_scim_error(text: str) -> None:
    with contextlib.suppress(ScimFilter):
        compiled(USERS, parse_filter(text))(ADA)
