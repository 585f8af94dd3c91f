"""Groups of the store as rules: nested ones, ones that are filled by rule, and what roles they give."""

from __future__ import annotations

import pytest

from gatekit.errors import InvalidInput
from gatekit.model.people import GroupRule, Principal
from gatekit.model.rules import (
    Anyone,
    ByEmail,
    ByGroup,
    ByLogin,
    ByProviderGroup,
    Rules,
    Selector,
    ServerRules,
)
from gatekit.policy.engine import Policy
from gatekit.policy.selectors import parse_selector
from gatekit.policy.stored import Stored, with_stored
from tests.unit.policy.people import github, local


def policy(
    stored: Stored, *allowed: Selector, groups: tuple[tuple[str, tuple[Selector, ...]], ...] = ()
) -> Policy:
    rules = Rules(servers=(ServerRules(server="s", allowed=allowed),), groups=groups)
    return Policy.compile(with_stored(rules, stored))


def member(*groups: str) -> Principal:
    return local(groups=frozenset(groups))


NESTED = Stored((("all", "staff"), ("staff", "dev"), ("dev", "web")))


def test_whoever_is_in_a_child_is_in_the_parent() -> None:
    of = policy(NESTED, ByGroup("staff"))
    for group, admitted in (("web", True), ("dev", True), ("staff", True), ("all", False), ("other", False)):
        assert of.admits(member(group)) is admitted
    assert of.groups(member("dev")) == {"dev", "staff", "all"}
    assert of.groups(member("all")) == {"all"}


def test_a_circle_ends() -> None:
    of = policy(Stored((("a", "b"), ("b", "a"))), ByGroup("a"))
    assert of.admits(member("b"))
    assert of.groups(member("b")) == {"a", "b"}


def test_a_rule_fills_a_group_and_what_holds_it() -> None:
    stored = Stored(
        NESTED.nesting, (GroupRule(group="web", selectors=("github:octocat", "group:github/acme")),)
    )
    of = policy(stored, ByGroup("staff"))
    assert of.admits(github("octocat"))
    assert of.admits(github("somebody", provider_groups=frozenset({"Acme"})))
    assert not of.admits(github("somebody"))
    assert not of.admits(github("octocat", connection="ghes"))
    assert of.groups(github("octocat")) == {"web", "dev", "staff", "all"}


def test_a_group_of_the_file_and_of_the_store_are_one() -> None:
    of = policy(NESTED, ByGroup("staff"), groups=(("dev", (ByLogin("local", "bob"),)), ("staff", ())))
    assert of.admits(local("bob"))
    assert of.admits(member("web"))
    assert not of.admits(local("alice"))


def test_a_rule_that_cannot_be_read_names_nobody() -> None:
    stored = Stored((), (GroupRule(group="web", selectors=("*", "nonsense", "local:bob")),))
    of = policy(stored, ByGroup("web"))
    assert of.admits(local("bob"))
    assert not of.admits(local("alice"))


def test_one_persons_second_identity_counts_for_its_own_connection_only() -> None:
    """F1, F2: What one provider says is never what another said."""
    alice = Principal(
        id="u",
        username="alice",
        connection="local",
        logins=frozenset({("local", "alice"), ("github", "octocat")}),
        linked_groups=frozenset({("github", "acme")}),
    )
    for selector, named in (
        (ByLogin("github", "octocat"), True),
        (ByLogin("local", "octocat"), False),
        (ByLogin("github", "alice"), False),
        (ByProviderGroup("github", "acme"), True),
        (ByProviderGroup("local", "acme"), False),
        (ByProviderGroup("okta", "acme"), False),
        (ByGroup("acme"), False),
    ):
        assert policy(Stored(), selector).admits(alice) is named, selector


def test_roles() -> None:
    rules = Rules(
        groups=(("everybody", (Anyone(),)),),
        roles=(
            ("auditor", (ByGroup("everybody"), ByLogin("local", "eve"))),
            ("owner", (ByGroup("staff"),)),
            ("admin", (ByEmail("a@example.com"),)),
        ),
    )
    of = Policy.compile(with_stored(rules, NESTED))
    assert of.role(member("web")) == "owner"
    assert of.role(local(email="A@example.com")) == "admin"
    assert of.role(local(email="A@example.com", verified=False)) == "member"
    assert of.role(local("eve")) == "auditor"
    assert of.role(local("mallory")) == "member", "a role is never everybody's"
    assert [of.role_of_group(name) for name in ("web", "staff", "all", "everybody")] == [
        "owner",
        "owner",
        "member",
        "auditor",
    ]
    assert Policy.compile(Rules()).role(member("staff")) == "member"


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("okta:Ada", ByLogin("okta", "ada")),
        ("okta:ada@example.com", ByLogin("okta", "ada@example.com")),
        (" service:nightly ", ByLogin("service", "nightly")),
        ("Ada@Example.com", ByEmail("ada@example.com")),
        ("group:sre", ByGroup("sre")),
        ("group:okta/Domain Users", ByProviderGroup("okta", "domain users")),
        ("group:github/acme/web", ByProviderGroup("github", "acme/web")),
    ],
)
def test_selectors_of_the_store(text: str, selector: Selector) -> None:
    assert parse_selector(text) == selector


@pytest.mark.parametrize(
    "text",
    ["", "*", "alice", "okta:", ":ada", "okta:*", "okta:a b", "group:", "group:a b", "group:/x",
     "group:okta/", f"group:okta/{'x' * 257}", "a@b@c", "@b", "okta:a\nb", "group:okta/a\nb", "a b:c"],
)  # fmt: skip
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_selector(text)
