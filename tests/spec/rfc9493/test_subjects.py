"""RFC 9493: subject identifiers."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.identity.signals import CAEP
from tests.attack.company import Company
from tests.attack.world import World

REVOKED: dict[str, Any] = {f"{CAEP}session-revoked": {}}
ISS_SUB = {"format": "iss_sub", "iss": "https://idp.example/realms/acme", "sub": "ada"}


@pytest.fixture
async def company(world: World) -> Company:
    made = Company(world)
    await made.open()
    return made


@pytest.mark.parametrize(
    "subject",
    [
        {"iss": "x", "sub": "ada"},
        {"format": 7},
        {"format": ""},
        {"format": "iss_sub", "iss": "x"},
        {"format": "email"},
        {"format": "opaque", "id": ""},
        {"format": "aliases"},
        {"format": "aliases", "identifiers": [{"id": "x"}]},
        "ada",
        None,
    ],
    ids=str,
)
async def test_3_members_that_are_required(company: Company, subject: Any) -> None:
    """ "Every Subject Identifier MUST conform to a specific Identifier Format and MUST contain a 'format'
    member", and those of its format."""
    assert (await company.push(REVOKED, sub_id=subject)).status_code == 400
    assert await company.in_() == (True, True)


async def test_3_2_8_aliases_do_not_nest(company: Company) -> None:
    """ "Subject Identifiers in the 'aliases' … MUST NOT use the 'aliases' format" """
    nested = {"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": [ISS_SUB]}]}
    assert (await company.push(REVOKED, sub_id=nested)).status_code == 202
    assert await company.in_() == (True, True)


async def test_4_1_the_claim_sub_id(company: Company) -> None:
    """sub_id speaks of all events; SSF's drafts had ``subject`` in each event, which providers still send."""
    old = {f"{CAEP}session-revoked": {"subject": {"subject_type": "iss-sub", **ISS_SUB, "format": ...}}}
    del old[f"{CAEP}session-revoked"]["subject"]["format"]
    assert (await company.push(old, sub_id=...)).status_code == 202
    assert await company.in_() == (False, False)
