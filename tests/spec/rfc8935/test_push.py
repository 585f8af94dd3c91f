"""RFC 8935: push-based delivery of security event tokens, as their recipient."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.identity.signals import CAEP, SSF
from tests.attack.company import Company
from tests.attack.world import World

REVOKED: dict[str, Any] = {f"{CAEP}session-revoked": {}}


@pytest.fixture
async def company(world: World) -> Company:
    made = Company(world)
    await made.open()
    return made


async def test_2_1_the_media_type(company: Company) -> None:
    """ "The Content-Type header field of this request MUST be 'application/secevent+jwt'" """
    token = company.transmitter.sign(company.transmitter.claims(REVOKED))
    assert (await company.told_event(token, media="application/jwt")).status_code == 400
    assert (await company.told_event(token, media="application/secevent+jwt")).status_code == 202


async def test_2_2_success(company: Company) -> None:
    """ "it MUST acknowledge successful transmission by responding with an HTTP Response Status Code of 202
    (Accepted). The body of the response MUST be empty." """
    answer = await company.push(REVOKED)
    assert (answer.status_code, answer.content) == (202, b"")


async def test_2_2_the_same_again(company: Company) -> None:
    """A transmitter that did not hear the answer sends the same again, and is answered the same."""
    token = company.transmitter.sign(company.transmitter.claims(REVOKED))
    answers = [await company.told_event(token) for _ in range(2)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"")] * 2


async def test_2_3_failure(company: Company) -> None:
    """ "the response MUST include a Content-Language header field", "err: A Security Event Token Error Code",
    "description: A UTF-8 string containing a human-readable description of the error" """
    answer = await company.push(REVOKED, aud="https://other.example")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-language"] == "en"
    assert sorted(answer.json()) == ["description", "err"]


async def test_5_a_stream_is_verified_by_an_event_that_ends_nothing(company: Company) -> None:
    """Shared Signals Framework 1.0 §8.1.4.2: the verification event, with its ``state``, about the stream."""
    about = {"format": "opaque", "id": "stream-1"}
    answer = await company.push({f"{SSF}verification": {"state": "VGhpcyBpcyBh"}}, sub_id=about)
    assert answer.status_code == 202
    assert await company.in_() == (True, True)
