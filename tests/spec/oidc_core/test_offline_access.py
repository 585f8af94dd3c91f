"""OpenID Connect Core §11, as the client of somebody else's provider."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.emulators.openid import CALLBACK, OpenIdEmulator
from tests.support.clock import ManualClock


@pytest.mark.parametrize(
    ("connection", "scope", "prompt"),
    [
        ({}, False, None),
        ({"recheck": 300.0}, True, ["consent"]),
        ({"recheck": 300.0, "kind": "okta"}, True, None),
        ({"recheck": 300.0, "kind": "entra"}, True, None),
        ({"recheck": 300.0, "kind": "google"}, False, ["consent"]),
    ],
    ids=str,
)
async def test_11_consent_is_asked_for(
    connection: dict[str, Any], scope: bool, prompt: list[str] | None
) -> None:
    """ "unless one or both of these conditions are fulfilled, then it MUST ignore the offline_access
    request": prompt contains consent, or there are other reasons. Who is known to have those is asked for no
    page more."""
    leg = await OpenIdEmulator(ManualClock(), **connection).provider.begin(CALLBACK)
    sent = parse_qs(urlsplit(leg.url).query)
    assert ("offline_access" in sent["scope"][0].split()) is scope
    assert sent.get("prompt") == prompt
