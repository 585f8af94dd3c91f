"""OpenID Connect Core §3.1.2.1 ``acr_values``, RFC 9470 §5: an application asks for a stronger sign-in."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from gatekit.model.factors import acr_of, reaches
from tests.attack import relying
from tests.attack.world import World, provider_link, returned


async def test_a_password_is_not_enough_for_mfa(world: World) -> None:
    """RFC 9470 §5: the person signs in as it was asked for; who has no second factor sets one up, also where
    nobody must have one."""
    await relying.enter(world)
    async with world.browser() as browser:
        await world.sign_in(browser, "/login")
        page = await browser.visit(relying.url(world, acr_values="urn:other mfa"))
        assert 'name="password"' in page.text, "a session is not enough"
        page = await browser.submit(page, username="alice", password="alice-password")
        secret = re.search(r'class="secret">([A-Z2-7]+)<', page.text)
        assert secret
        page = await browser.submit(page, code=pyotp.TOTP(secret[1]).at(int(world.clock.now())))
        onward = re.search(r'href="(/continue[^"]+)"', page.text)
        assert onward
        page = await browser.visit(onward[1])
        code = returned(page if page.is_redirect else await world.approve(browser, page))["code"]
        tokens = (await world.redeem(relying.WIKI, code)).json()
        assert (await relying.claims(world, tokens["id_token"]))["acr"] == "mfa"
        again = await browser.visit(relying.url(world, acr_values="mfa", prompt="none"))
        assert "code" in returned(again), "the session is good enough now"
        none = await browser.visit(relying.url(world, acr_values="phr", prompt="none"))
        assert returned(none)["error"] == "login_required"


async def test_who_cannot_is_told_so(world: World) -> None:
    """RFC 9470 §5: "unmet_authentication_requirements"."""
    await relying.enter(world)
    async with world.browser() as browser:
        page = await browser.visit(relying.url(world, acr_values="mfa"))
        away = await browser.get(provider_link(page.text, "github"))
        state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
        back = await browser.visit(f"/callback/github?code=good-octocat&state={state}")
        assert returned(back)["error"] == "unmet_authentication_requirements"


async def test_unknown_classes_pass_unheard(world: World) -> None:
    """§5.5.1.1: "acr ... as a Voluntary Claim": what nobody knows is no reason to refuse."""
    await relying.enter(world)
    found = await relying.tokens(world, world.browser(), acr_values="urn:mace:incommon:iap:silver")
    assert "acr" not in await relying.claims(world, found["id_token"])


async def test_what_is_advertised_is_there(world: World) -> None:
    async with world.http() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    assert document["acr_values_supported"] == ["mfa", "phr"]


@pytest.mark.parametrize(
    ("amr", "connection", "acr", "good_for"),
    [
        ("pwd", "local", "", set()),
        ("pwd otp mfa", "local", "mfa", {"mfa"}),
        ("swk mfa", "local", "phr", {"mfa", "phr"}),
        ("hwk mfa", "local", "phr", {"mfa", "phr"}),
        ("hwk mfa", "corp", "mfa", {"mfa"}),
        ("hwk", "local", "", set()),
        ("", "local", "", set()),
    ],
)
def test_which_class_a_sign_in_reaches(amr: str, connection: str, acr: str, good_for: set[str]) -> None:
    assert acr_of(amr, connection) == acr
    assert {name for name in ("mfa", "phr") if reaches(acr, (name,))} == good_for
