"""Nobody becomes somebody else by an address (checklist F2)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.errors import SignInRefused
from gatekit.identity.mapping import Mapping
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import ExternalIdentity, Role, User
from tests.attack.world import World

TRUSTING = ConnectionRules(link=True, trusted_domains=("example.com",))
ADA = ExternalIdentity(
    connection="okta",
    issuer="https://acme.okta.com",
    subject="00u1",
    login="ada",
    email="ada@example.com",
    email_verified=True,
)


class Company:
    """Ada is known by ``github``; ``okta`` says that it is her."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rules = {"github": TRUSTING, "okta": TRUSTING}

    async def known(self, **facts: Any) -> User:
        user = User(
            id=self.world.entropy.ident("usr_"),
            connection="github",
            issuer="https://github.com",
            subject=str(facts.pop("subject", "7")),
            username=str(facts.pop("username", "ada")),
            email="ada@example.com",
            email_verified=True,
        )
        user = replace(user, **facts)
        await self.world.store.users.add(user)
        return user

    async def admitted(self, identity: ExternalIdentity = ADA) -> User:
        store = self.world.store
        mapping = Mapping(
            store.users,
            store.groups,
            store.identities,
            clock=self.world.clock,
            entropy=self.world.entropy,
            admits=lambda _: True,
            rules=lambda name: self.rules.get(name, ConnectionRules()),
        )
        return await mapping.admit(identity)


@pytest.fixture
def company(world: World) -> Company:
    return Company(world)


async def test_verified_and_trusted_on_both_sides_is_one_person(company: Company) -> None:
    """F2: and the second time by the identity, not by the address."""
    user = await company.known()
    assert (await company.admitted()).id == user.id
    assert (await company.admitted(replace(ADA, email="other@example.com"))).id == user.id
    row = await company.world.store.users.get(user.id)
    assert row is not None
    assert row.email == "ada@example.com"  # what the provider at home says, and no other


@pytest.mark.parametrize(
    "facts",
    [
        {"email_verified": False},
        {"role": "admin"},
        {"role": "owner"},
        {"email": "ada@example.com.evil.example"},
        {"email": "x-ada@example.com"},
        {"connection": "okta", "issuer": "https://acme.okta.com"},
        {"connection": "unknown"},
    ],
    ids=str,
)
async def test_somebody_to_whom_nothing_is_added(company: Company, facts: dict[str, Any]) -> None:
    """F2: not verified, with power over others, at the same connection, or not trusted."""
    user = await company.known(**facts)
    assert (await company.admitted()).id != user.id


async def test_somebody_who_is_disabled_stays_out(company: Company) -> None:
    """F2: and does not come back as somebody new."""
    user = await company.known(disabled=True)
    with pytest.raises(SignInRefused):
        await company.admitted()
    assert len(await company.world.store.identities.of_user(user.id)) == 1


@pytest.mark.parametrize(
    "identity",
    [
        replace(ADA, email_verified=False),
        replace(ADA, email=None),
        replace(ADA, email="ada@example.com@evil.example"),
        replace(ADA, email="ada@evil.example"),
        replace(ADA, email="%@example.com"),
        replace(ADA, email="_da@example.com"),
        replace(ADA, email="ada@example.com".replace("a", "\u0430")),
    ],
    ids=str,
)
async def test_a_sign_in_that_proves_too_little(company: Company, identity: ExternalIdentity) -> None:
    """F1, F2: unverified, several @, another domain, wild cards of a search."""
    user = await company.known()
    assert (await company.admitted(identity)).id != user.id


async def test_letters_that_fold_into_others_link_nobody(company: Company) -> None:
    """F2: the Kelvin sign is a k in lower case, and another address (as CVE-2019-19844 of Django had it)."""
    user = await company.known(email="kim@example.com", username="kim")
    assert (await company.admitted(replace(ADA, email="\u212aim@example.com"))).id != user.id
    assert (await company.admitted(replace(ADA, subject="00u3", email="KIM@example.com"))).id == user.id


@pytest.mark.parametrize("connection", ["github", "okta"])
@pytest.mark.parametrize(
    "rules",
    [
        ConnectionRules(),
        ConnectionRules(link=True),
        ConnectionRules(trusted_domains=("example.com",)),
        ConnectionRules(link=True, trusted_domains=("evil.example",)),
        ConnectionRules(link=True, trusted_domains=("example.com",), enabled=False),
    ],
    ids=range(5),
)
async def test_one_side_alone_is_not_enough(
    company: Company, connection: str, rules: ConnectionRules
) -> None:
    """F2: both connections must say so, and be in force (CVE-2025-64717: an inactive one linked)."""
    user = await company.known()
    company.rules[connection] = rules
    assert (await company.admitted()).id != user.id


async def test_two_people_with_one_address_are_nobody(company: Company) -> None:
    """F2: a choice between two would be a guess."""
    first = await company.known()
    second = await company.known(subject="8", username="ada2")
    assert (await company.admitted()).id not in (first.id, second.id)


async def test_a_second_account_of_the_same_provider_is_not_added(company: Company) -> None:
    """F2: one identity for each connection."""
    user = await company.known()
    assert (await company.admitted()).id == user.id
    assert (await company.admitted(replace(ADA, subject="00u2"))).id != user.id


@pytest.mark.parametrize("role", ["member", "auditor"])
async def test_roles_that_change_nobody_may_be_linked(company: Company, role: Role) -> None:
    user = await company.known(role=role)
    assert (await company.admitted()).id == user.id
