"""Attributes of a person in variables."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gatekit.model.people import Principal
from gatekit.model.personal import Attribute, Filled, Lacking, Templates, fill, mark

ALICE = Principal(
    id="usr_1",
    username="alice",
    connection="github",
    login="alice-gh",
    email="alice@example.com",
    email_verified=True,
    display_name="Not Vouched For",
    subject="4711",
    groups=frozenset({"ops", "dev"}),
    provider_groups=frozenset({"acme"}),
)


def one(name: str, default: str | None = None) -> Templates:
    return (("V", (Attribute(name, default),)),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "usr_1"),
        ("name", "alice"),
        ("login", "alice-gh"),
        ("email", "alice@example.com"),
        ("subject", "4711"),
        ("connection", "github"),
        ("groups", "dev,ops"),
    ],
)
def test_every_attribute(name: str, value: str) -> None:
    assert fill(one(name), ALICE) == Filled({"V": value})


def test_text_around_it_stays() -> None:
    assert fill((("V", ("<", Attribute("id"), ">")),), ALICE) == Filled({"V": "<usr_1>"})


def test_an_address_that_nobody_vouches_for_is_none() -> None:
    assert isinstance(fill(one("email"), replace(ALICE, email_verified=False)), Lacking)


def test_a_default_stands_in() -> None:
    assert fill(one("email", "none"), replace(ALICE, email=None)) == Filled({"V": "none"})
    assert fill(one("email", ""), replace(ALICE, email=None)) == Filled({"V": ""})
    assert fill(one("email", "none"), ALICE) == Filled({"V": "alice@example.com"})


def test_nobody_has_no_attributes() -> None:
    assert isinstance(fill(one("id"), None), Lacking)


@pytest.mark.parametrize("bad", ["a\0b", "a\nb", "a\x7f", "a\u2028b", "x" * 5000])
def test_what_does_not_belong_into_a_variable_is_refused(bad: str) -> None:
    lacking = fill(one("login"), replace(ALICE, login=bad))
    assert isinstance(lacking, Lacking)
    assert bad not in repr(lacking)


def test_the_mark_follows_the_values_that_are_used() -> None:
    templates = one("email")
    same = mark(templates, ALICE)
    assert mark(templates, replace(ALICE, login="other")) == same
    assert mark(templates, replace(ALICE, email="b@example.com")) != same
    assert mark(templates, replace(ALICE, email_verified=False)) != same
    assert mark(templates, replace(ALICE, id="usr_2")) != same


def test_values_do_not_show_in_a_repr() -> None:
    assert "alice@example.com" not in repr(fill(one("email"), ALICE))
