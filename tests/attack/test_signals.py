"""POST /ssf/{connection}: what a provider pushes about its people, and what a stranger would like to push."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.errors import AuditUnavailable
from gatekit.identity.signals import CAEP, OLDEST, RISC, SSF
from gatekit.model.audit import AdminEvent
from tests.attack.company import Company
from tests.attack.world import World
from tests.emulators.transmitter import AUDIENCE, TRANSMITTER, Transmitter

REVOKED = f"{CAEP}session-revoked"
DISABLED = f"{RISC}account-disabled"


@pytest.fixture
async def company(world: World) -> Company:
    made = Company(world)
    await made.open()
    assert await made.in_() == (True, True)
    return made


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_revoked_session_ends_what_came_over_the_connection(company: Company, algorithm: str) -> None:
    """R6: signed by a library that nobody here wrote."""
    company.transmitter = Transmitter(company.world.clock, algorithm)
    assert (await company.push({REVOKED: {}})).status_code == 202
    assert await company.in_() == (False, False)
    refused = await company.world.refresh(company.client, company.tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    [event] = company.world.trail.named(AdminEvent, action="signal.session-revoked")
    assert (event.principal, event.door, event.after) == ("connection:acme", "provider", "end")


@pytest.mark.parametrize(
    ("kind", "event", "ends"),
    [
        (f"{CAEP}credential-change", {"change_type": "update", "credential_type": "password"}, True),
        (f"{CAEP}credential-change", {"change_type": "revoke", "credential_type": "fido2-roaming"}, True),
        (f"{CAEP}credential-change", {"change_type": "create", "credential_type": "fido2-roaming"}, False),
        (f"{CAEP}assurance-level-change", {"change_direction": "decrease"}, False),
        (f"{RISC}sessions-revoked", {}, True),
        (f"{RISC}credential-compromise", {"credential_type": "password"}, True),
        (f"{RISC}account-credential-change-required", {}, True),
        (f"{RISC}account-purged", {}, True),
        (f"{RISC}account-enabled", {}, False),
        ("https://vendor.example/events/coffee", {}, False),
    ],
)
async def test_what_follows_from_which_event(company: Company, kind: str, event: Any, ends: bool) -> None:
    """F7: unknown events are acknowledged and recorded, and change nothing."""
    assert (await company.push({kind: event})).status_code == 202
    assert await company.in_() == (not ends, not ends)
    assert company.world.trail.named(AdminEvent, action=f"signal.{kind.rpartition('/')[2]}")


async def test_an_account_that_is_disabled_there_is_disabled_here(company: Company) -> None:
    """R6: API keys end with it; and it is not the provider that gives back."""
    assert (await company.push({DISABLED: {"reason": "hijacking"}})).status_code == 202
    assert (await company.person()).disabled
    assert company.world.trail.named(AdminEvent, action="user.disable", door="provider")
    assert (await company.push({f"{RISC}account-enabled": {}}, jti="two")).status_code == 202
    assert (await company.person()).disabled


async def test_a_guest_of_the_connection_is_not_disabled(company: Company) -> None:
    """F1: a provider disposes of its own people; of others it ends what came over it."""
    await company.moves_to("github")
    assert (await company.push({DISABLED: {}})).status_code == 202
    assert not (await company.person()).disabled
    assert await company.in_() == (False, False)


async def test_the_last_owner_is_not_locked_out(company: Company) -> None:
    """F1: whoever holds the provider's key cannot take the gateway from everybody."""
    await company.world.store.users.update(replace(await company.person(), role="owner"))
    assert (await company.push({DISABLED: {}})).status_code == 202
    assert not (await company.person()).disabled
    assert await company.in_() == (False, False)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://evil.example"}, "invalid_issuer"),
    "no issuer": ({"iss": ...}, "invalid_issuer"),
    "another audience": ({"aud": "https://other.example"}, "invalid_audience"),
    "no audience": ({"aud": ...}, "invalid_audience"),
    "no jti": ({"jti": ...}, "invalid_request"),
    "no iat": ({"iat": ...}, "invalid_request"),
    "from the future": ({"iat": 1 << 40}, "invalid_request"),
    "long ago": ({"iat": 1}, "invalid_request"),
    "expired": ({"exp": 1}, "invalid_request"),
    "no events": ({"events": ...}, "invalid_request"),
    "no event": ({"events": {}}, "invalid_request"),
    "events in a list": ({"events": [REVOKED]}, "invalid_request"),
    "an event that is no object": ({"events": {REVOKED: True}}, "invalid_request"),
    "many events": ({"events": {f"{REVOKED}{n}": {} for n in range(17)}}, "invalid_request"),
    "nobody": ({"sub_id": ...}, "invalid_request"),
    "a subject without format": ({"sub_id": {"iss": "x", "sub": "ada"}}, "invalid_request"),
    "a subject without sub": ({"sub_id": {"format": "iss_sub", "iss": "x"}}, "invalid_request"),
    "aliases of nobody": ({"sub_id": {"format": "aliases", "identifiers": []}}, "invalid_request"),
}


@pytest.mark.parametrize(("claims", "code"), WRONG.values(), ids=list(WRONG))
async def test_tokens_that_are_none(company: Company, claims: dict[str, Any], code: str) -> None:
    """T2, T3: genuine signature, wrong token: each rule alone refuses."""
    answer = await company.push({REVOKED: {}}, **claims)
    assert (answer.status_code, answer.json()["err"]) == (400, code)
    assert await company.in_() == (True, True)


async def test_a_stranger_signs_nobody_out(company: Company) -> None:
    """T1: a foreign key under the right name, no signature, a symmetric one, a key brought along."""
    stranger = Transmitter(company.world.clock, "ES256")
    honest = company.transmitter.claims({REVOKED: {}})
    for forged in (
        stranger.sign(honest),
        stranger.sign(honest, jwk=stranger.jwks()["keys"][0], jku="https://evil.example/jwks"),
        company.transmitter.unsigned(honest),
        company.transmitter.symmetric(honest),
    ):
        answer = await company.told_event(forged)
        assert answer.status_code == 400
        assert answer.json()["err"] in ("invalid_key", "invalid_request")
    assert await company.in_() == (True, True)


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "at+jwt", None])
async def test_no_other_token_is_taken_for_an_event(company: Company, typ: str | None) -> None:
    """T2: the provider signs id_tokens and logout tokens with the same key."""
    claims = company.transmitter.claims({REVOKED: {}})
    answer = await company.told_event(company.transmitter.sign(claims, typ=typ))
    assert (answer.status_code, answer.json()["err"]) == (400, "invalid_request")
    assert await company.told(company.transmitter.sign(claims)) == 400  # nor an event for a logout
    assert await company.in_() == (True, True)


async def test_another_connections_key_is_no_key_of_this_one(company: Company) -> None:
    """F1: two providers, each with a stream of its own: neither speaks for the other's people."""
    other = company.second_stream("beta")
    token = other.sign({**other.claims({REVOKED: {}}), "iss": TRANSMITTER, "aud": AUDIENCE})
    assert (await company.told_event(token)).json()["err"] == "invalid_key"
    answer = await company.told_event(other.sign(other.claims({REVOKED: {}})), "beta")
    assert answer.status_code == 202  # genuine there; and there it has no such person
    assert await company.in_() == (True, True)


async def test_an_event_counts_once(company: Company) -> None:
    """A2: who kept one cannot sign the person out again; a transmitter that sends it twice hears 202."""
    token = company.transmitter.sign(company.transmitter.claims({REVOKED: {}}))
    assert (await company.told_event(token)).status_code == 202
    company.tokens = await company.sign_in(company.browser)
    assert (await company.told_event(token)).status_code == 202
    assert await company.in_() == (True, True)
    assert len(company.world.trail.named(AdminEvent, action="signal.session-revoked")) == 1


async def test_an_event_that_comes_late_ends_only_what_was_there(company: Company) -> None:
    """F7: a queue of days at the transmitter does not sign out who has signed in since."""
    token = company.transmitter.sign(company.transmitter.claims({REVOKED: {}}))
    company.world.clock.advance(3600)
    company.tokens = await company.sign_in(company.world.browser())
    before = company.browser
    assert (await company.told_event(token)).status_code == 202
    assert await company.world.alive(company.tokens["access_token"], "clock")
    assert "/logout" not in (await before.visit("/")).text
    company.world.clock.advance(OLDEST)
    assert (await company.told_event(token)).status_code == 400


async def test_what_could_not_be_done_is_not_acknowledged(company: Company) -> None:
    """R6: the transmitter has to say it again, and then it counts."""
    token = company.transmitter.sign(company.transmitter.claims({REVOKED: {}}))
    company.world.trail.failure = AuditUnavailable("the disk is full")
    assert (await company.told_event(token)).status_code == 503
    company.world.trail.failure = None
    assert (await company.told_event(token)).status_code == 202
    assert await company.in_() == (False, False)


async def test_keys_that_cannot_be_had_refuse_nothing_for_good(company: Company) -> None:
    """F7: 503, so that the transmitter tries again."""
    company.keys_down = True
    assert (await company.push({REVOKED: {}})).status_code == 503
    assert await company.in_() == (True, True)


async def test_events_at_once(company: Company) -> None:
    """A2: copies that race each other end one thing once, and all are acknowledged."""
    token = company.transmitter.sign(company.transmitter.claims({REVOKED: {}}))
    answers = await asyncio.gather(*(company.told_event(token) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert await company.in_() == (False, False)


async def test_bodies_that_are_too_much(company: Company) -> None:
    """D7: bounded before anything is parsed; other media types are not read."""
    assert (await company.told_event("x" * (1 << 20))).status_code == 413
    assert (await company.told_event("x" * 20_000)).json()["err"] == "invalid_request"
    assert (await company.told_event("{}", media="application/json")).json()["err"] == "invalid_request"
    assert (await company.told_event("\xff.\x00.x")).json()["err"] == "invalid_request"


async def test_a_flood_costs_no_signatures(company: Company) -> None:
    """T1: an address has a budget; what the provider sends does not spend it."""
    for number in range(150):
        answer = await company.push({f"{SSF}verification": {"state": "x"}}, jti=f"v{number}")
        assert answer.status_code == 202
    forged = Transmitter(company.world.clock, "ES256").sign(company.transmitter.claims({REVOKED: {}}))
    statuses = [(await company.told_event(forged)).status_code for _ in range(130)]
    assert statuses[0] == 400
    assert statuses[-1] == 429


async def test_connections_that_have_no_stream(company: Company) -> None:
    """F2: not asked for, unknown, or switched off: there is no such door."""
    token = company.transmitter.sign(company.transmitter.claims({REVOKED: {}}))
    for name in ("github", "nothing", "local"):
        assert (await company.told_event(token, name)).status_code == 404
    company.rules = replace(company.rules, enabled=False)
    assert (await company.told_event(token)).status_code == 404


@pytest.mark.parametrize(
    ("subject", "ends"),
    [
        ({"format": "opaque", "id": "ada"}, False),
        ({"format": "opaque", "id": "session-1"}, True),
        ({"format": "email", "email": "ADA@example.com"}, True),
        ({"format": "email", "email": "ada@elsewhere.example"}, False),
        ({"format": "email", "email": "ada@evil.example@example.com"}, False),
        ({"format": "account", "uri": "acct:ada@example.com"}, False),
        ({"format": "iss_sub", "iss": "https://idp.example/realms/acme", "sub": "bert"}, False),
        ({"format": "iss_sub", "iss": "https://idp.example/realms/beta", "sub": "ada"}, False),
        ({"format": "complex", "session": {"format": "opaque", "id": "session-1"}}, True),
        ({"format": "complex", "session": {"format": "opaque", "id": "session-2"}}, False),
        ({"format": "complex", "tenant": {"format": "opaque", "id": "acme"}}, False),
        (
            {
                "format": "complex",
                "user": {"format": "email", "email": "ada@example.com"},
                "session": {"format": "opaque", "id": "session-2"},
            },
            True,
        ),
        (
            {
                "format": "aliases",
                "identifiers": [
                    {"format": "email", "email": "ada@example.com"},
                    {"format": "opaque", "id": "session-1"},
                ],
            },
            True,
        ),
    ],
)
async def test_whom_it_is_about(company: Company, subject: dict[str, Any], ends: bool) -> None:
    """F1, F2: RFC 9493; an address counts only where this connection is believed about its domain."""
    company.rules = replace(company.rules, domains=("example.com",))
    assert (await company.push({REVOKED: {}}, sub_id=subject)).status_code == 202
    assert await company.in_() == (not ends, not ends)


async def test_an_address_of_a_domain_that_is_not_the_connections(company: Company) -> None:
    """F2: a provider that could name any address could sign anybody out."""
    subject = {"format": "email", "email": "ada@example.com"}
    assert (await company.push({REVOKED: {}}, sub_id=subject)).status_code == 202
    assert await company.in_() == (True, True)


async def test_two_people_are_nobody(company: Company) -> None:
    """F1: identifiers that contradict each other sign neither out."""
    await company.guest("bert")
    names = [
        {"format": "iss_sub", "iss": company.idp.connection.issuer, "sub": who} for who in ("ada", "bert")
    ]
    answer = await company.push({REVOKED: {}}, sub_id={"format": "aliases", "identifiers": names})
    assert answer.status_code == 202
    assert await company.in_() == (True, True)
