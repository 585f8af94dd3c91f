"""RFC 8176: how somebody signed in stands in the ID token, and where rules can see it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from msgspec.structs import replace

from gatekit.identity.oidc.people import identity
from gatekit.identity.passkeys import RelyingParty
from gatekit.model.connections import OidcConnection
from gatekit.model.passkeys import Passkey
from gatekit.model.people import ExternalIdentity
from tests.attack import relying
from tests.attack.test_passkeys import options
from tests.attack.world import Browser, World, form_of, provider_link
from tests.support.authenticator import PRESENT, VERIFIED, Authenticator


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


BACKUP_ELIGIBLE = 0x08


@pytest.mark.parametrize(("flags", "kind"), [(0, "hwk"), (BACKUP_ELIGIBLE, "swk")])
async def test_2_a_passkey_is_a_key_and_two_factors(world: World, flags: int, kind: str) -> None:
    """§2: ``hwk``, ``swk``: "Proof-of-Possession (PoP) of a hardware-secured key", a software-secured key."""
    alice, party = world.people["alice"], RelyingParty(world.issuer)
    device = Authenticator(world.issuer, flags=PRESENT | VERIFIED | flags)
    made = await party.made(device.make(party.to_make("once", alice.id, "alice", ())), "once")
    await world.store.passkeys.add(
        Passkey(id=made.id, user_id=alice.id, name="x", public_key=made.public_key, created_at=1)
    )
    await relying.enter(world)
    async with world.browser() as browser:
        page = await browser.visit("/login")
        action, fields = form_of(page.text, "/login/passkey")
        done = await browser.post(action, data={**fields, "credential": device.show(options(page))})
        assert done.headers["location"] == "/"
        found = await relying.tokens(world, browser)
    claims = await relying.claims(world, found["id_token"])
    assert (claims["amr"], claims["acr"]) == ([kind, "mfa"], "phr")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["mfa", "pwd", "otp", "pwd"], ("mfa", "otp", "pwd")),
        (["mfa now", "MFA", 7, None, "ngcmfa", "x" * 5000], ()),
        ("mfa", ()),
        (None, ()),
        ([], ()),
    ],
    ids=str,
)
def test_2_a_provider_is_believed_in_registered_words_only(said: object, kept: tuple[str, ...]) -> None:
    """§2; OpenID Connect Core §2: "The amr value is an array of case-sensitive strings."."""
    connection = OidcConnection(name="corp", issuer="https://idp.example", client_id="us")
    claims = {"iss": "https://idp.example", "sub": "1", "amr": said}
    assert identity(connection, claims).amr == kept


async def test_2_what_a_provider_says_comes_with_the_sign_in(world: World) -> None:
    provider = world.providers["github"]
    complete = provider.complete

    async def strong(*given: Any) -> ExternalIdentity:
        found: ExternalIdentity = await complete(*given)
        return replace(found, amr=("mfa", "otp"))

    provider.complete = strong
    await relying.enter(world)
    async with world.browser() as browser:
        page = await browser.visit("/login")
        away = await browser.get(provider_link(page.text, "github"))
        state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
        await browser.visit(f"/callback/github?code=good-octocat&state={state}")
        found = await relying.tokens(world, browser)
    claims = await relying.claims(world, found["id_token"])
    assert claims["amr"] == ["mfa", "otp"]
    assert claims["acr"] == "mfa"
