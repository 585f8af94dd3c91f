"""The sign-in page asks for a company address: it leads somewhere, and tells nobody who exists."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gatekit.oauth.ports import Homeless
from tests.attack.world import Browser, World, form_of


class Homes(Homeless):
    has_homes = True

    def home(self, address: str) -> str:
        return {"acme.example": "github", "people.example": "local"}.get(address.rpartition("@")[2], "")


@pytest.fixture
async def asking(world: World) -> World:
    world.services = replace(world.services, homes=Homes())
    await world.boot()
    return world


async def say(browser: Browser, email: str, **fields: str) -> tuple[int, str, str]:
    page = await browser.visit("/login")
    action, hidden = form_of(page.text, "/login/home")
    answer = await browser.post(action, data={**hidden, "email": email, **fields})
    return answer.status_code, answer.headers.get("location", ""), answer.text


async def test_a_domain_leads_to_its_connection(asking: World) -> None:
    async with asking.browser() as browser:
        status, location, _ = await say(browser, "ada@acme.example")
        assert status in (302, 303)
        assert location.startswith("/go/github?txn=")
        assert (await browser.get(location)).headers["location"].startswith("https://github.example/")


async def test_nobody_learns_who_exists(asking: World) -> None:
    """U1: the answer for somebody who exists is the answer for somebody who does not."""

    def masked(page: str, *secrets: str) -> str:
        for secret in secrets:
            page = page.replace(secret, "X")
        own = r'(value|href)="[^"]*(gk_tx_|gk_pk_|txn=)[^"]*"|name="csrf" value="[^"]*"'
        challenge = r"&#34;challenge&#34;: &#34;[^&]*&#34;"
        return re.sub(f"{own}|{challenge}", "", page)

    async with asking.browser() as browser:
        for domain in ("people.example", "nowhere.example"):
            found = [await say(browser, f"{name}@{domain}") for name in ("alice", "nobody")]
            assert found[0][:2] == found[1][:2]
            assert masked(found[0][2], "alice") == masked(found[1][2], "nobody")


@pytest.mark.parametrize("fields", [{"csrf": "x"}, {"txn": "x"}, {"csrf": ""}], ids=str)
async def test_the_form_belongs_to_its_run(asking: World, fields: dict[str, str]) -> None:
    """B3: as every form."""
    async with asking.browser() as browser:
        status, location, _ = await say(browser, "ada@acme.example", **fields)
        assert status in (400, 403)
        assert not location


async def test_an_address_is_shown_escaped(asking: World) -> None:
    """B5: what was typed comes back as text."""
    async with asking.browser() as browser:
        _, _, page = await say(browser, '"><script>alert(1)</script>@people.example')
        assert "<script>alert" not in page


async def test_without_domains_nobody_is_asked(world: World) -> None:
    async with world.browser() as browser:
        assert 'name="email"' not in (await browser.visit("/login")).text
