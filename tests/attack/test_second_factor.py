"""F5, U1: the step after the password, tried without the password, twice, from elsewhere, and by guessing."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx2
import pyotp
import pytest

from gatekit.admin.desk import operator
from gatekit.admin.people import People
from gatekit.identity.second_factor import GUESSES, RECOVERY_CODES
from gatekit.model.audit import AdminEvent, SignIn
from gatekit.model.factors import LocalFactors, SecondFactor, Totp
from gatekit.model.passkeys import Passkey
from tests.attack.world import Browser, World, form_of

WRONG = "That code is not right"
STEP = "<h1>One more step</h1>"


async def ruled(world: World, second: SecondFactor) -> World:
    world.services = replace(world.services, local=lambda: LocalFactors(second_factor=second))
    await world.boot()
    return world


async def enrolled(world: World, name: str = "alice") -> tuple[pyotp.TOTP, tuple[str, ...]]:
    """What the person has then: an application, and recovery codes."""
    second, user = world.server.second, world.people[name]
    setup = second.begin(user, "here")
    device = pyotp.TOTP(setup.secret)
    codes = await second.enrol(user, setup, device.at(int(world.clock.now())))
    world.clock.advance(60)
    return device, codes


def now(world: World, device: pyotp.TOTP) -> str:
    return device.at(int(world.clock.now()))


async def halfway(world: World, browser: Browser, name: str = "alice") -> httpx2.Response:
    page = await world.sign_in(browser, world.authorize_url(await world.register()), name)
    assert 'name="decision"' not in page.text
    return page


async def signed_in(browser: Browser) -> bool:
    return 'action="/logout"' in (await browser.get("/")).text


async def test_a_code_after_the_password_goes_on_to_the_client(world: World) -> None:
    device, _ = await enrolled(world)
    async with world.browser() as browser:
        page = await halfway(world, browser)
        assert STEP in page.text
        assert not await signed_in(browser)
        page = await browser.submit(page, code=f" {now(world, device)[:3]} {now(world, device)[3:]} ")
        assert 'name="decision"' in page.text
        assert await signed_in(browser)
    (event,) = [event for event in world.trail.events if isinstance(event, SignIn)]
    assert (event.outcome, event.reason, event.amr) == ("ok", "", ("pwd", "otp", "mfa"))


async def test_F5_no_step_is_left_out(world: World) -> None:
    """F5: an empty post, another run, another browser, the page after it: the code is still asked for."""
    await enrolled(world)
    async with world.browser() as browser, world.browser() as other:
        page = await halfway(world, browser)
        action, fields = form_of(page.text, "/login/code")
        for answer in (
            await browser.post(action, data={}),
            await browser.post(action, data=fields),
            await browser.post(action, data={**fields, "code": ""}),
            await browser.post(action, data={**fields, "csrf": ""}),
            await other.post(action, data=fields),
            await browser.post("/login/setup", data=fields),
        ):
            assert answer.status_code in (400, 403), answer.text
        onward = await browser.get(f"/continue?txn={fields['txn']}")
        assert 'name="password"' in onward.text
        assert not await signed_in(browser)
        assert not await signed_in(other)


async def test_F5_no_code_before_the_password(world: World) -> None:
    """F5: a run in which nobody showed a password takes no code, not even a right one."""
    device, _ = await enrolled(world)
    async with world.browser() as browser:
        page = await browser.visit(world.authorize_url(await world.register()))
        txn = form_of(page.text, "/login")[1]["txn"]
        wrong = await browser.submit(page, username="alice", password="wrong")
        assert wrong.status_code == 403
        run = await world.server.browser.run(_request(browser), txn)
        csrf = world.server.browser.csrf(run, "code")
        answer = await browser.post(
            "/login/code", data={"txn": txn, "csrf": csrf, "code": now(world, device)}
        )
        assert answer.status_code == 403
        assert not await signed_in(browser)


def _request(browser: Browser) -> Any:
    """As much of a request as finds a run."""

    return SimpleNamespace(cookies=dict(browser.cookies.items()))


async def test_F5_a_new_password_ends_what_the_old_one_began(world: World) -> None:
    """F5: who showed the old password goes on with the new one."""
    device, _ = await enrolled(world)
    async with world.browser() as browser:
        page = await halfway(world, browser)
        alice = world.people["alice"]
        await world.store.users.set_password(alice.id, await world.hasher.hash("another password"), 1)
        answer = await browser.submit(page, code=now(world, device))
        assert answer.status_code == 403
        assert not await signed_in(browser)


async def test_F5_an_invitation_stands_for_the_password_only(world: World) -> None:
    """F5: a one-time link sets the password; the code is asked for after it as always."""
    await enrolled(world)
    desk = People(world.store, world.trail, world.clock, world.entropy)
    invited = await desk.invite(operator("root"), "alice")
    async with world.browser() as browser:
        page = await browser.get(f"/invite/{invited.token}")
        after = await browser.submit(
            page, password="a long new password", password_again="a long new password"
        )
        assert 'name="password"' in after.text, "the sign-in page"
        assert not await signed_in(browser)


async def test_U1_a_code_counts_once(world: World) -> None:
    """U1: neither a code nor a recovery code is good twice, in another browser either."""
    device, codes = await enrolled(world)
    for code in (now(world, device), codes[3].upper().replace("-", " ")):
        for again in (False, True):
            async with world.browser() as browser:
                page = await browser.submit(await halfway(world, browser), code=code)
                assert (WRONG in page.text) is again
                assert await signed_in(browser) is not again
    reasons = [event.reason for event in world.trail.events if isinstance(event, SignIn)]
    assert "a code of alice came a second time" in reasons
    assert f"recovery code used, {RECOVERY_CODES - 1} left" in reasons
    assert "wrong recovery code of alice" in reasons


async def test_U1_guesses_at_codes_slow_down_and_a_password_does_not_help(world: World) -> None:
    """U1: counted by person wherever they come from; the right password takes nothing back."""
    device, _ = await enrolled(world)
    wrong = str((int(now(world, device)) + 1) % 10**6).zfill(6)
    for number in range(GUESSES.free):
        async with world.browser(f"198.51.100.{number + 10}") as browser:
            assert WRONG in (await browser.submit(await halfway(world, browser), code=wrong)).text
    async with world.browser("203.0.113.9") as browser:
        page = await halfway(world, browser)
        page = await browser.submit(page, code=now(world, device))
        assert WRONG in page.text, "right, and too early"
        world.clock.advance(2)
        page = await browser.submit(page, code=now(world, device))
        assert 'name="decision"' in page.text
    assert any(
        "too many wrong codes of alice" in event.reason
        for event in world.trail.events
        if isinstance(event, SignIn)
    )


async def set_up(world: World, browser: Browser, page: httpx2.Response) -> httpx2.Response:
    found = re.search(r'<code class="secret">([A-Z2-7]{32})</code>', page.text)
    assert found, page.text
    return await browser.submit(page, code=now(world, pyotp.TOTP(found[1])))


async def test_where_it_is_required_one_is_set_up_at_the_next_sign_in(world: World) -> None:
    await ruled(world, "required")
    async with world.browser() as browser:
        page = await halfway(world, browser)
        wrong = await browser.submit(page, code="000000")
        assert wrong.status_code == 403
        assert form_of(wrong.text)[1]["setup"] == form_of(page.text)[1]["setup"], "the same picture again"
        assert not await signed_in(browser)
        shown = await set_up(world, browser, wrong)
        codes = re.findall(r"<li><code>([0-9a-z-]{19})</code></li>", shown.text)
        assert len(set(codes)) == RECOVERY_CODES
        onward = re.search(r'href="(/continue\?[^"]+)"', shown.text)
        assert onward
        assert 'name="decision"' in (await browser.visit(onward[1])).text
    async with world.browser() as browser:
        page = await browser.submit(await halfway(world, browser), code=codes[0])
        assert 'name="decision"' in page.text
    actions = [event.action for event in world.trail.events if isinstance(event, AdminEvent)]
    assert actions == ["second-factor.add"]


async def test_F5_a_setup_belongs_to_its_run_and_its_person(world: World) -> None:
    """F5: what one began, another does not finish: not in another run, not for another person, not later."""
    await ruled(world, "required")
    async with world.browser() as browser, world.browser() as other:
        mine = await halfway(world, browser)
        theirs = await world.sign_in(other, world.authorize_url(await world.register(), resource=None), "bob")
        action, fields = form_of(mine.text, "/login/setup")
        secret = re.search(r'class="secret">([A-Z2-7]+)<', mine.text)
        assert secret
        code = now(world, pyotp.TOTP(secret[1]))
        own = form_of(theirs.text, "/login/setup")[1]
        answer = await other.post(action, data={**own, "setup": fields["setup"], "code": code})
        assert answer.status_code == 403
        answer = await browser.post(action, data={**fields, "setup": "", "code": code})
        assert answer.status_code == 403
        assert secret[1] not in answer.text, "a new one"
    assert await world.store.factors.get(world.people["alice"].id) is None
    assert await world.store.factors.get(world.people["bob"].id) is None


async def test_F5_who_has_a_passkey_is_not_enrolled_by_the_password_alone(world: World) -> None:
    """F5: required, and there is a passkey: whoever knows the password sets up nothing beside it."""
    await ruled(world, "required")
    alice = world.people["alice"]
    await world.store.passkeys.add(Passkey(id="k", user_id=alice.id, name="x", public_key="k", created_at=1))
    async with world.browser() as browser:
        page = await halfway(world, browser)
        assert "needs a passkey" in page.text
        assert 'data-passkey="show"' in page.text
        assert 'name="code"' not in page.text
        txn = form_of(page.text, "/login/passkey")[1]["txn"]
        run = await world.server.browser.run(_request(browser), txn)
        for step in ("code", "setup"):
            csrf = world.server.browser.csrf(run, step)
            answer = await browser.post(f"/login/{step}", data={"txn": txn, "csrf": csrf, "code": "000000"})
            assert answer.status_code == 403
        assert not await signed_in(browser)


async def test_off_asks_nobody(world: World) -> None:
    await enrolled(world)
    await ruled(world, "off")
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(await world.register()))
        assert 'name="decision"' in page.text


@pytest.mark.parametrize("second", ["optional", "required"])
async def test_people_of_a_provider_are_asked_there(world: World, second: SecondFactor) -> None:
    await ruled(world, second)
    carol = world.people["alice"]
    stranger = type(carol)(id="usr_x", connection="github", issuer="i", subject="s", username="x")
    assert await world.server.second.after_password(stranger) == "nothing"


async def test_F5_a_factor_that_cannot_be_read_opens_nothing(world: World) -> None:
    """F5: sealed by another key, nobody comes in, and the trail says why."""
    alice = world.people["alice"]
    await world.store.factors.add(Totp(user_id=alice.id, secret_sealed="x", last_step=0, created_at=1), [])
    async with world.browser() as browser:
        page = await browser.submit(await halfway(world, browser), code="000000")
        assert WRONG in page.text
        assert not await signed_in(browser)
    assert any("unreadable" in event.reason for event in world.trail.events if isinstance(event, SignIn))


async def test_no_secret_is_kept_in_the_clear(world: World) -> None:
    """R6: neither the secret nor a recovery code can be read in the store."""
    device, codes = await enrolled(world)
    await world.store.close()
    kept = b"".join(path.read_bytes() for path in world.directory.glob("gatekit.db*"))
    await world.open()
    for secret in (device.secret, *codes, *(code.replace("-", "") for code in codes)):
        assert secret.encode() not in kept
