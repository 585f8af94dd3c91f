"""OpenID Connect RP-Initiated Logout 1.0, with Gatekit as the relying party."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from gatekit.errors import ProviderFailed
from tests.emulators.openid import ISSUER, OpenIdEmulator
from tests.support.clock import ManualClock

BACK = "https://gate.example/signed-out/acme"


def provider(**connection: object) -> OpenIdEmulator:
    return OpenIdEmulator(ManualClock(), **{"logout": True, **connection})


async def test_the_request_names_the_session_the_client_and_the_way_back() -> None:
    """§2: "id_token_hint: RECOMMENDED. ID Token previously issued by the OP"; client_id;
    post_logout_redirect_uri; state, which "MUST" come back unchanged if it was sent (§3)."""
    idp = provider()
    found = await idp.sign_in()
    url = await idp.provider.leave_to(found.upstream, BACK, "opaque state")
    assert url.startswith(f"{ISSUER}/logout?")
    sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert sent.pop("id_token_hint").count(".") == 2
    assert sent == {"client_id": "gate kit", "post_logout_redirect_uri": BACK, "state": "opaque state"}


async def test_nowhere_to_go() -> None:
    """§2.1: the endpoint's address is "OPTIONAL" metadata; and only if the operator wants it."""
    silent = provider()
    del silent.metadata["end_session_endpoint"]
    assert await silent.provider.leave_to((await silent.sign_in()).upstream, BACK, "s") == ""
    unwanted = provider(logout=False)
    assert (await unwanted.sign_in()).upstream == ""
    assert await unwanted.provider.leave_to("", BACK, "s") == ""


async def test_a_provider_that_is_down_is_said_so() -> None:
    idp = provider()
    idp.down = True
    with pytest.raises(ProviderFailed):
        await idp.provider.leave_to("", BACK, "s")


async def test_what_is_kept_for_both_is_kept_over_a_refresh() -> None:
    idp = provider(recheck=60)
    idp.token = {"refresh_token": "rt-1"}
    first = await idp.sign_in()
    idp.token, idp.nonce = {"id_token": ...}, ""
    again = await idp.provider.ask_again(first.upstream)
    assert again.upstream == first.upstream
    assert any(form.get("refresh_token") == "rt-1" for _, form in idp.asked)


async def test_what_was_kept_before_still_counts() -> None:
    """A refresh token alone, as it is without `logout`, is one after the operator switched that on."""
    idp = provider(recheck=60)
    idp.nonce = ""
    again = await idp.provider.ask_again("rt-0")
    assert any(form.get("refresh_token") == "rt-0" for _, form in idp.asked)
    assert "rt-0" in again.upstream


async def test_without_a_refresh_token_nobody_is_asked_and_nobody_leaves() -> None:
    """F7: that says nothing about the person."""
    idp = provider(recheck=60)
    found = await idp.sign_in()
    before = len(idp.asked)
    with pytest.raises(ProviderFailed):
        await idp.provider.ask_again(found.upstream)
    assert len(idp.asked) == before
