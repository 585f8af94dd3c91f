"""RFC 8176: how somebody signed in stands in the ID token, and where rules can see it."""

from __future__ import annotations

import pyotp
import pytest

from tests.attack import relying
from tests.attack.world import Browser, World


async def signed_in(world: World, browser: Browser, code: bool) -> None:
    page = await world.sign_in(browser, "/login")
    if code:
        setup = world.server.second.begin(world.people["alice"], "here")
        device = pyotp.TOTP(setup.secret)
        await world.server.second.enrol(world.people["alice"], setup, device.at(int(world.clock.now()) - 30))
        page = await world.sign_in(browser, "/login")
        page = await browser.submit(page, code=device.at(int(world.clock.now())))
    assert 'action="/logout"' in page.text


@pytest.mark.parametrize(("code", "amr"), [(False, ["pwd"]), (True, ["pwd", "otp", "mfa"])])
async def test_2_methods_are_named_as_registered(world: World, code: bool, amr: list[str]) -> None:
    """§2: ``pwd``, ``otp``, and ``mfa`` beside the methods that it was made of."""
    client = await world.register()
    async with world.browser() as browser:
        await signed_in(world, browser, code)
        await relying.enter(world)
        found = await relying.tokens(world, browser)
        assert (await relying.claims(world, found["id_token"]))["amr"] == amr
        approved = await world.approve(browser, await browser.visit(world.authorize_url(client)))
    granted = approved.headers["location"].partition("code=")[2].partition("&")[0]
    tokens = (await world.redeem(client, granted)).json()
    renewed = (await world.refresh(client, tokens["refresh_token"])).json()
    for each in (tokens, renewed):
        access = await world.server.bearer.check([f"Bearer {each['access_token']}".encode()])
        assert access.amr == frozenset(amr)
