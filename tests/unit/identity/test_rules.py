"""What a connection's rules make of a sign-in."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.identity.rules import Mapped, NotAdmitted, apply, domain_of
from gatekit.model.connections import Admit, AttributeNames, ConnectionRules, GroupRules
from gatekit.model.people import ExternalIdentity

ADA = ExternalIdentity(
    connection="okta",
    issuer="https://acme.okta.com",
    subject="00u1",
    login="ada",
    email="ada@Example.com",
    email_verified=True,
    provider_groups=frozenset(("Engineering", "All")),
    attributes={"upn": ("ada.l",), "roles": ("Ops", "All"), "mail": ("root@example.org",), "two": ("a", "b")},
)


def judged(identity: ExternalIdentity = ADA, **rules: Any) -> Mapped | NotAdmitted:
    return apply(identity, ConnectionRules(**rules))


def test_without_rules_everybody_comes_in_as_they_are() -> None:
    assert judged() == Mapped(ADA, frozenset())


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ada@Example.COM", "example.com"),
        ("ada@example.com.", "example.com"),
        ("ada@good.example@evil.example", ""),
        ("@example.com", ""),
        ("ada", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_domain_of_an_address(address: str | None, domain: str) -> None:
    """F1: with several @ an address has no domain."""
    assert domain_of(address) == domain


@pytest.mark.parametrize("rules", [{"domains": ("example.com",)}, {"admit": Admit(domains=("example.com",))}])
def test_only_a_verified_address_fits_a_domain(rules: dict[str, Any]) -> None:
    """F1: an address that nobody verified fits no domain."""
    assert isinstance(judged(**rules), Mapped)
    assert isinstance(judged(replace(ADA, email_verified=False), **rules), NotAdmitted)
    assert isinstance(judged(replace(ADA, email="ada@example.com@evil.example"), **rules), NotAdmitted)
    assert isinstance(judged(replace(ADA, email="ada@notexample.com"), **rules), NotAdmitted)
    assert isinstance(judged(replace(ADA, email=None), **rules), NotAdmitted)


def test_a_group_or_a_domain_is_enough() -> None:
    admit = Admit(domains=("elsewhere.example",), groups=("Engineering",))
    assert isinstance(judged(admit=admit), Mapped)
    assert isinstance(judged(replace(ADA, provider_groups=frozenset()), admit=admit), NotAdmitted)
    assert isinstance(
        judged(replace(ADA, provider_groups=frozenset(("engineering",))), admit=admit), NotAdmitted
    )


def test_names_come_from_the_attributes_that_map_chose() -> None:
    found = judged(names=AttributeNames(login="upn", display_name="two", groups="roles"))
    assert isinstance(found, Mapped)
    assert found.identity.login == "ada.l"
    assert found.identity.display_name == ""  # several values are none
    assert found.identity.provider_groups == {"Ops", "All"}


def test_an_address_from_another_attribute_is_not_verified() -> None:
    """F1: the provider's word about one claim says nothing about another."""
    found = judged(names=AttributeNames(email="mail"))
    assert isinstance(found, Mapped)
    assert (found.identity.email, found.identity.email_verified) == ("root@example.org", False)


def test_groups_stand_for_local_ones() -> None:
    rules = GroupRules(mapped=(("Engineering", "developers"), ("Ops", "sre"), ("All", "staff")))
    found = judged(groups=rules)
    assert isinstance(found, Mapped)
    assert found.groups == {"developers", "staff"}
