"""Passkeys as people use them: a real Chromium with an authenticator of its own, our script, our policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyotp
import pytest

from tests.attack.test_passkeys import signed_in
from tests.attack.world import form_of
from tests.journey.test_second_factor import PAGE, SECRET, submit
from tests.support.chromium import Page, chromium
from tests.support.running import ECHO, RunningGateway, started

OWN = "/account/passkeys"
MAKE = 'form[data-passkey="make"]'
SHOW = 'form[data-passkey="show"]'
REMOVE = 'form[action="/account/passkeys/remove"]'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("chromium"), {"echo": {"command": list(ECHO)}})
    running.url = f"http://localhost:{running.port}"
    running.groups["developers"] = ["alice", "bob"]
    with started(running):
        yield running


def sign_in(page: Page, name: str, then: str) -> None:
    page.fill("#username", name)
    page.fill("#password", f"a long password of {name}")
    page.press('form[action="/login"] button', then)


def make_one(page: Page, gateway: RunningGateway, name: str) -> None:
    page.visit(gateway.url + OWN, "#username")
    sign_in(page, name, MAKE)
    page.fill("#name", "my laptop")
    page.press(f"{MAKE} button", REMOVE)
    assert "my laptop" in page.text


def test_made_used_and_removed(gateway: RunningGateway, tmp_path: Path) -> None:
    gateway.person("alice")
    with chromium(tmp_path) as page:
        device = page.authenticator()
        make_one(page, gateway, "alice")
        (credential,) = page.credentials(device)
        assert credential["isResidentCredential"]
        assert credential["rpId"] == "localhost"
        page.press("form.corner button", 'a[href="/login"]')
        page.visit(gateway.url + OWN, SHOW)
        page.press(f"{SHOW} button", REMOVE)
        assert "alice" in page.text
        assert "never" not in page.text, "the use was noted"
        page.press(f"{REMOVE} button", MAKE)
        page.press("form.corner button", 'a[href="/login"]')
        page.visit(gateway.url + OWN, SHOW)
        page.press(f"{SHOW} button", "#error")
        assert "does not open anything here" in page.text
        assert not page.complaints


def test_in_place_of_a_code(gateway: RunningGateway, tmp_path: Path) -> None:
    with closing(signed_in(gateway, "bob")) as browser:
        shown = submit(browser, browser.get(PAGE), f"{PAGE}/begin")
        secret = SECRET.search(shown.text)
        assert secret
        with chromium(tmp_path) as page:
            page.authenticator()
            make_one(page, gateway, "bob")
            page.press("form.corner button", 'a[href="/login"]')
            assert form_of(shown.text)[0] == f"{PAGE}/confirm"
            submit(browser, shown, f"{PAGE}/confirm", code=pyotp.TOTP(secret[1]).now())
            page.visit(gateway.url + OWN, "#username")
            sign_in(page, "bob", "#code")
            page.press(f"{SHOW} button", REMOVE)
            assert not page.complaints


def test_without_a_passkey_the_page_says_so(gateway: RunningGateway, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.authenticator()
        page.visit(gateway.url + OWN, SHOW)
        page.run(f"document.querySelector('{SHOW} button').click()")
        page.until(f"{SHOW} [role=status]:not(:empty)")
        assert "No passkey was used" in page.text
        assert not page.complaints
