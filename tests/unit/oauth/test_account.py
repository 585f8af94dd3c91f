"""Home, sign in, sign out, the invite link."""

from __future__ import annotations

from gatekit.errors import AuditUnavailable
from gatekit.model.audit import SignIn
from gatekit.model.people import Invite
from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.platform.vault import token_hash
from gatekit.policy.engine import Policy
from tests.attack.world import World, form_of


async def invite(world: World, username: str = "bob") -> str:
    token = world.entropy.token("gk_inv_")
    now = int(world.clock.now())
    await world.store.invites.add(
        Invite(
            token_hash=token_hash(token),
            user_id=world.people[username].id,
            created_at=now,
            expires_at=now + 3600,
        )
    )
    return f"/invite/{token}"


async def test_home_shows_what_this_person_may_use(world: World) -> None:
    async with world.browser() as browser:
        stranger = await browser.get("/")
        assert stranger.status_code == 200
        assert "/login" in stranger.text
        assert "/s/" not in stranger.text
        home = await world.sign_in(browser, "/login", "bob")
        assert "bob" in home.text
        assert f"{world.issuer}/s/clock/mcp" in home.text.replace("<wbr>", "")
        assert "files" not in home.text


async def test_signing_in_at_home_leads_home_and_makes_no_grant(world: World) -> None:
    async with world.browser() as browser:
        page = await browser.get("/login")
        action, fields = form_of(page.text, "/login")
        answer = await browser.post(
            action, data={**fields, "username": "alice", "password": "alice-password"}
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        again = await browser.post(action, data={**fields, "username": "alice", "password": "alice-password"})
        assert again.status_code in (400, 403)
    assert await world.store.grants.list() == []


async def test_an_invite_sets_the_password_once_and_signs_in(world: World) -> None:
    link = await invite(world)
    async with world.browser() as browser:
        page = await browser.get(link)
        assert "bob" in page.text
        differs = await browser.submit(page, password="brand-new-secret", password_again="another")
        assert differs.status_code == 400
        short = await browser.submit(page, password="x", password_again="x")
        assert short.status_code == 400
        assert "at least" in short.text
        home = await browser.submit(page, password="brand-new-secret", password_again="brand-new-secret")
        assert home.status_code == 200
        assert "bob" in home.text
        assert (await browser.get(link)).status_code == 404
    async with world.browser() as browser:
        page = await browser.get("/login")
        old = await browser.submit(page, username="bob", password="bob-password")
        assert old.status_code == 403
        new = await browser.submit(page, username="bob", password="brand-new-secret")
        assert "bob" in new.text
    assert len(world.trail.named(SignIn, principal="bob", outcome="ok")) == 2


async def test_an_invite_form_belongs_to_one_browser(world: World) -> None:
    link = await invite(world)
    async with world.browser() as browser, world.browser() as other:
        page = await browser.get(link)
        action, fields = form_of(page.text)
        data = {**fields, "password": "brand-new-secret", "password_again": "brand-new-secret"}
        forged = await other.post(action, data=data)
        assert forged.status_code == 403
        assert (await browser.post(action, data=data)).status_code == 303


async def test_dead_invites(world: World) -> None:
    link = await invite(world)
    world.clock.advance(3600)
    async with world.browser() as browser:
        for dead in (link, "/invite/gk_inv_unknown", "/invite/%00"):
            assert (await browser.get(dead)).status_code == 404
            assert (await browser.post(dead, data={"password": "x"})).status_code == 404


async def test_an_invited_person_whom_the_policy_does_not_admit(world: World) -> None:
    link = await invite(world)
    only_alice = (ByLogin("local", "alice"),)
    world.policy = Policy.compile(Rules(gateway=only_alice, servers=(ServerRules(server="files"),)))
    async with world.browser() as browser:
        page = await browser.get(link)
        refused = await browser.submit(page, password="brand-new-secret", password_again="brand-new-secret")
        assert refused.status_code == 403
        assert "gk_session" not in str(refused.headers)


async def test_a_person_the_policy_does_not_admit_cannot_sign_in(world: World) -> None:
    world.policy = Policy.compile(Rules(gateway=(ByLogin("local", "alice"),)))
    async with world.browser() as browser:
        page = await world.sign_in(browser, "/login", "bob")
        assert page.status_code == 403
        assert "may not use this gateway" in page.text
        assert not [cookie for cookie in browser.cookies.jar if cookie.name.endswith("gk_session")]
    [event] = world.trail.named(SignIn)
    assert isinstance(event, SignIn)
    assert (event.outcome, event.principal) == ("refused", "bob")


async def test_signing_out_when_nobody_is_signed_in(world: World) -> None:
    async with world.browser() as browser:
        answer = await browser.post("/logout", data={"csrf": "x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (await browser.get("/logout")).status_code == 405


async def test_without_an_audit_nobody_signs_in_and_nothing_is_issued(world: World) -> None:
    client = await world.register()
    code = await world.code(client)
    tokens = await world.tokens(client)
    world.trail.failure = AuditUnavailable("disk full")
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        assert page.status_code == 503
        assert not [cookie for cookie in browser.cookies.jar if cookie.name.endswith("gk_session")]
    assert (await world.redeem(client, code)).status_code == 503
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 503
    async with world.http() as http:
        assert (
            await http.post("/register", json={"redirect_uris": ["http://localhost/"]})
        ).status_code == 503
    world.trail.failure = None
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 200


async def test_a_gateway_without_passwords_has_no_password_form(world: World) -> None:
    world.services = _without_passwords(world)
    await world.boot()
    async with world.browser() as browser:
        page = await browser.get("/login")
        assert 'type="password"' not in page.text
        assert "/go/github" in page.text
        token = page.text.split("txn=")[1].split('"')[0]
        assert (await browser.post("/login", data={"txn": token})).status_code == 403


def _without_passwords(world: World):  # type: ignore[no-untyped-def]
    from dataclasses import replace as changed

    return changed(world.services, passwords={}, invitations=None)
