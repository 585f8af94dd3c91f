"""Somebody's provider says that they are gone: by a logout token, or when it is asked again at refresh."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey
from msgspec import structs

from gatekit.model.audit import SignOut, TokenEvent
from gatekit.model.connections import Admit, ConnectionRules
from gatekit.model.people import Identity
from tests.attack.company import Company
from tests.attack.world import World


@pytest.fixture
async def company(world: World) -> Company:
    made = Company(world)
    await made.open()
    assert await made.in_() == (True, True)
    return made


@pytest.mark.parametrize("claims", [{}, {"sid": "session-1"}, {"sub": ..., "sid": "session-1"}], ids=str)
async def test_a_logout_token_ends_what_came_over_the_connection(company: Company, claims: Any) -> None:
    """Back-Channel Logout §2.7: by sub, by sid, by both; and it is on record."""
    assert await company.told(company.idp.logout_token(**claims)) == 200
    assert await company.in_() == (False, False)
    refused = await company.world.refresh(company.client, company.tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert company.world.trail.named(SignOut)
    assert company.world.trail.named(TokenEvent, action="revoked")


WRONG: dict[str, dict[str, Any]] = {
    "no event": {"events": ...},
    "another event": {"events": {"https://schemas.openid.net/secevent/risc/event-type/account-purged": {}}},
    "an event that is no object": {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
    "a nonce": {"nonce": "x"},
    "nobody": {"sub": ..., "sid": ...},
    "no jti": {"jti": ...},
    "no iat": {"iat": ...},
    "long ago": {"iat": 1, "exp": ...},
    "expired": {"exp": 1},
    "for years": {"exp": 1 << 40},
    "another audience": {"aud": "somebody else"},
    "another issuer": {"iss": "https://idp.example/realms/evil"},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=list(WRONG))
async def test_logout_tokens_that_are_none(company: Company, claims: dict[str, Any]) -> None:
    """T2, T3: Back-Channel Logout §2.6: each of its rules alone refuses."""
    assert await company.told(company.idp.logout_token(**claims)) == 400
    assert await company.in_() == (True, True)


async def test_an_id_token_signs_nobody_out(company: Company) -> None:
    """T2: the same key signs id_tokens, which every application of the person has."""
    assert await company.told(company.idp.id_token()) == 400
    assert await company.told("x.y.z") == 400
    assert await company.told("") == 400
    assert await company.in_() == (True, True)


async def test_a_foreign_key_signs_nobody_out(company: Company) -> None:
    """T1: a stranger cannot sign people out."""
    company.idp.signer = ECKey.generate_key("P-256", {"kid": "first"})
    assert await company.told(company.idp.logout_token()) == 400
    company.idp.signer, company.idp.header = None, {"alg": "none"}
    assert await company.told(company.idp.logout_token()) == 400
    assert await company.in_() == (True, True)


async def test_a_logout_token_counts_once(company: Company) -> None:
    """A2: who kept one cannot sign the person out again later."""
    token = company.idp.logout_token()
    assert await company.told(token) == 200
    company.tokens = await company.sign_in(company.browser)
    assert await company.told(token) == 400
    assert await company.in_() == (True, True)


async def test_a_connection_without_such_a_logout(company: Company) -> None:
    async with company.world.http() as http:
        for name in ("github", "nothing"):
            answer = await http.post(f"/backchannel-logout/{name}", data={"logout_token": "x"})
            assert answer.status_code == 404


async def test_it_is_not_a_logout_of_others(company: Company) -> None:
    """F1: the same sub at another connection, and people of our own, stay."""
    tokens = await company.world.tokens(await company.world.register())
    assert await company.told(company.idp.logout_token()) == 200
    assert await company.world.alive(tokens["access_token"])


async def test_a_provider_that_says_no_at_refresh_ends_everything(company: Company) -> None:
    """R6, F7: invalid_grant at the provider: refresh, access token and browser session end together."""
    company.idp.token_status, company.idp.raw = 400, b'{"error": "invalid_grant"}'
    refused = await company.world.refresh(company.client, company.tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert await company.in_() == (False, False)


@pytest.mark.parametrize("status", [500, 503, 429, 0])
async def test_a_provider_that_cannot_be_asked_has_said_nothing(company: Company, status: int) -> None:
    """F7: nobody is signed out because a provider is down."""
    company.idp.down = not status
    company.idp.token_status = status or 200
    answer = await company.world.refresh(company.client, company.tokens["refresh_token"])
    assert answer.status_code == 200
    assert (await company.in_())[1]


async def test_it_is_asked_once_in_a_while_and_with_its_newest_token(company: Company) -> None:
    """F7: two questions with one refresh token would look like theft at the provider."""
    assert not any("refresh_token" in form for _, form in company.idp.asked)
    token = company.tokens["refresh_token"]
    company.idp.nonce = ""
    for number in range(3):
        company.idp.token = {"refresh_token": f"upstream-{number + 2}"}
        token = (await company.world.refresh(company.client, token)).json()["refresh_token"]
    company.world.clock.advance(301)
    await company.world.refresh(company.client, token)
    asked = [form["refresh_token"] for _, form in company.idp.asked if "refresh_token" in form]
    assert asked == ["upstream-1", "upstream-2"]


async def test_the_rules_are_asked_again_too(company: Company) -> None:
    """R6: who has left the group at the provider is out at the next refresh."""
    company.idp.nonce = ""
    company.rules = ConnectionRules(admit=Admit(groups=("engineering",)))
    refused = await company.world.refresh(company.client, company.tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert await company.in_() == (False, False)


async def test_an_answer_about_somebody_else_changes_nobody(company: Company) -> None:
    """F1: token substitution at refresh."""
    company.idp.nonce = ""
    company.idp.claims = {"sub": "mallory"}
    company.idp.userinfo = {"sub": "mallory", "email": "mallory@example.com", "email_verified": True}
    answer = await company.world.refresh(company.client, company.tokens["refresh_token"])
    assert answer.status_code == 200
    user = await company.world.store.users.by_identity("acme", company.idp.connection.issuer, "ada")
    assert user is not None
    assert user.email == "ada@example.com"


async def test_what_came_over_another_connection_stays(company: Company) -> None:
    """R6, F1: one person, two ways in: a provider ends what came over it, and nothing else."""
    world = company.world
    ada = await world.store.users.by_identity("acme", company.idp.connection.issuer, "ada")
    assert ada is not None
    [by_acme] = await world.store.grants.list(ada.id)
    assert by_acme.connection == "acme"
    elsewhere = structs.replace(by_acme, id="gkg_elsewhere", connection="github")
    unknown = structs.replace(by_acme, id="gkg_unknown", connection="")
    await world.store.grants.add(elsewhere)
    await world.store.grants.add(unknown)
    assert await company.told(company.idp.logout_token()) == 200
    left = [grant.id for grant in await world.store.grants.list(ada.id) if grant.revoked_at is None]
    assert left == ["gkg_elsewhere"]


async def test_a_connection_that_is_off_ends_the_grants_that_came_over_it(company: Company) -> None:
    """F2, R6: also of somebody who is at home elsewhere."""
    world = company.world
    ada = await world.store.users.by_identity("acme", company.idp.connection.issuer, "ada")
    assert ada is not None
    home = Identity(user_id=ada.id, connection="github", issuer="https://github.example", subject="ada")
    await world.store.identities.add(home)
    await world.store.identities.settle(home)
    assert await company.in_() == (True, True)
    del world.providers["acme"]
    world.server.bearer.forget()
    assert not await world.alive(company.tokens["access_token"], "clock")
    refused = await world.refresh(company.client, company.tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    page = await company.browser.visit("/")
    assert "/logout" not in page.text


async def test_who_leaves_while_they_approve_connects_nothing(company: Company) -> None:
    """R6: between the click and the grant there is a moment in which ``depart`` sees neither."""
    world, grants = company.world, company.world.store.grants
    approve = grants.approve

    async def departed_before(*given: Any) -> None:
        assert await company.told(company.idp.logout_token()) == 200
        await approve(*given)

    world.store.grants.approve = departed_before  # type: ignore[method-assign, assignment]
    try:
        url = world.authorize_url(company.client, resource=f"{world.issuer}/s/clock/mcp")
        answer = await company.browser.visit(url)  # approved before: remembered
    finally:
        del world.store.grants.approve
    assert answer.status_code == 403
    ada = await world.store.users.by_identity("acme", company.idp.connection.issuer, "ada")
    assert ada is not None
    assert [grant for grant in await grants.list(ada.id) if grant.revoked_at is None] == []
