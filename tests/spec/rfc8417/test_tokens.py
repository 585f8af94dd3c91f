"""RFC 8417: what a security event token must hold."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.identity.signals import CAEP
from tests.attack.company import Company
from tests.attack.world import World

REVOKED: dict[str, Any] = {f"{CAEP}session-revoked": {}}


@pytest.fixture
async def company(world: World) -> Company:
    made = Company(world)
    await made.open()
    return made


@pytest.mark.parametrize("claim", ["iss", "iat", "jti", "events"])
async def test_2_2_claims_that_are_required(company: Company, claim: str) -> None:
    """ "This claim is REQUIRED" of iss, iat, jti and events."""
    assert (await company.push(REVOKED, **{claim: ...})).status_code == 400


@pytest.mark.parametrize("events", [{}, [], "x", {"https://x.example": []}])
async def test_2_2_events(company: Company, events: Any) -> None:
    """ "The 'events' claim value is a JSON object … each member is a name/value pair … the value … MUST be a
    JSON object" """
    assert (await company.push(REVOKED, events=events)).status_code == 400


async def test_2_several_events_of_one_transaction(company: Company) -> None:
    """§2: events that are not understood are ignored, and do not keep the others from counting."""
    answer = await company.push({"https://vendor.example/x": {}, **REVOKED})
    assert answer.status_code == 202
    assert await company.in_() == (False, False)


async def test_2_3_explicit_typing(company: Company) -> None:
    """§2.3, RFC 8725 §3.11: "application/secevent+jwt", also written out."""
    claims = company.transmitter.claims(REVOKED)
    assert (await company.told_event(company.transmitter.sign(claims, typ="JWT"))).status_code == 400
    written = company.transmitter.sign(claims, typ="application/secevent+jwt")
    assert (await company.told_event(written)).status_code == 202
