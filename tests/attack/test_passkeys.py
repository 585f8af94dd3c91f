"""U4: passkeys, against a running gateway, with an authenticator that lies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape

import httpx2
import pytest

from tests.attack.world import form_of
from tests.support.authenticator import PRESENT, Authenticator
from tests.support.running import ECHO, RunningGateway, started

REFUSED = "That passkey does not open anything here"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("passkeys"), {"echo": {"command": list(ECHO)}})
    running.url = f"http://localhost:{running.port}"
    running.groups["developers"] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]
    with started(running):
        yield running


def fresh(gateway: RunningGateway) -> httpx2.Client:
    return httpx2.Client(base_url=gateway.url, timeout=20, follow_redirects=True)


def signed_in(gateway: RunningGateway, name: str) -> httpx2.Client:
    gateway.person(name)
    browser = fresh(gateway)
    action, fields = form_of(browser.get("/account").text, "/login")
    page = browser.post(action, data={**fields, "username": name, "password": f"a long password of {name}"})
    assert page.status_code == 200, page.text
    return browser


def options(page: httpx2.Response) -> str:
    found = re.search(r'data-options="([^"]*)"', page.text)
    assert found, page.text
    return unescape(found[1])


def make(browser: httpx2.Client, device: Authenticator, name: str = "phone") -> httpx2.Response:
    page = browser.get("/account/passkeys")
    action, fields = form_of(page.text, "/account/passkeys/add")
    return browser.post(action, data={**fields, "name": name, "credential": device.make(options(page))})


def show(browser: httpx2.Client, device: Authenticator) -> httpx2.Response:
    page = browser.get("/account/passkeys")
    action, fields = form_of(page.text, "/login/passkey")
    return browser.post(action, data={**fields, "credential": device.show(options(page))})


def owned(gateway: RunningGateway, name: str) -> Authenticator:
    """The passkey of a new person."""
    device = Authenticator(gateway.url)
    with closing(signed_in(gateway, name)) as browser:
        assert "phone" in make(browser, device).text
    return device


def test_a_passkey_signs_in_until_it_is_removed(gateway: RunningGateway) -> None:
    device = owned(gateway, "alice")
    with fresh(gateway) as browser:
        page = show(browser, device)
        assert page.url.path == "/account/passkeys"
        assert "alice" in page.text
        action, fields = form_of(page.text, "/account/passkeys/remove")
        assert browser.post(action, data=fields).status_code == 200
    with fresh(gateway) as browser:
        assert REFUSED in show(browser, device).text
    done = [event["action"] for event in gateway.audit("--event", "admin") if event["principal"] == "alice"]
    assert sorted(done) == ["passkey.add", "passkey.remove"]


def wrong_origin(device: Authenticator) -> None:
    device.origin = "http://localhost.evil.example"


def wrong_port(device: Authenticator) -> None:
    device.origin = "http://localhost:1"


def wrong_host(device: Authenticator) -> None:
    device.rp_id = "evil.example"


def nobody_verified(device: Authenticator) -> None:
    device.flags = PRESENT


def somebody_else(device: Authenticator) -> None:
    device.handle = "c29tZWJvZHk"


def no_handle(device: Authenticator) -> None:
    device.handle = ""


def another_key(device: Authenticator) -> None:
    device.key = Authenticator("").key


LIES: list[Callable[[Authenticator], None]] = [
    wrong_origin,
    wrong_port,
    wrong_host,
    nobody_verified,
    somebody_else,
    no_handle,
    another_key,
]


def test_U4_no_lie_signs_in(gateway: RunningGateway) -> None:
    """U4: Foreign origin, foreign host, nobody verified, somebody else's handle, another key."""
    device = owned(gateway, "bob")
    for lie in LIES:
        liar = Authenticator(device.origin, count=device.count, handle=device.handle, ident=device.ident)
        liar.key = device.key
        lie(liar)
        with fresh(gateway) as browser:
            answer = show(browser, liar)
            assert answer.status_code == 403, lie.__name__
            assert REFUSED in answer.text, lie.__name__
    with fresh(gateway) as browser:
        assert show(browser, device).status_code == 200


def test_U4_no_lie_makes_a_passkey(gateway: RunningGateway) -> None:
    """U4: What would not sign in is not taken in either."""
    with closing(signed_in(gateway, "carol")) as browser:
        for lie in (wrong_origin, wrong_port, wrong_host, nobody_verified):
            liar = Authenticator(gateway.url)
            lie(liar)
            assert make(browser, liar).status_code == 400, lie.__name__
        assert "/account/passkeys/remove" not in browser.get("/account/passkeys").text


def test_U4_a_challenge_counts_once_and_in_one_browser(gateway: RunningGateway) -> None:
    """U4: An answer is good for one run, in one browser, once; so is that of a new passkey."""
    device = owned(gateway, "dave")
    device.counts = False  # as many do: only the challenge tells a replay
    with fresh(gateway) as browser, fresh(gateway) as other:
        page = browser.get("/account/passkeys")
        action, fields = form_of(page.text, "/login/passkey")
        answer = {**fields, "credential": device.show(options(page))}
        elsewhere = form_of(other.get("/account/passkeys").text, "/login/passkey")[1]
        assert other.post(action, data=answer).status_code == 403
        assert other.post(action, data={**answer, "txn": elsewhere["txn"]}).status_code == 403
        spoiled = browser.post(action, data={**answer, "credential": "{}"})
        assert REFUSED in spoiled.text
        assert REFUSED in browser.post(action, data=answer).text, "the nonce was used"
    with closing(signed_in(gateway, "heidi")) as browser:
        page = browser.get("/account/passkeys")
        action, fields = form_of(page.text, "/account/passkeys/add")
        new = {**fields, "name": "x", "credential": Authenticator(gateway.url).make(options(page))}
        assert browser.post(action, data=new).status_code == 200
        _, gone = form_of(browser.get("/account/passkeys").text, "/account/passkeys/remove")
        browser.post("/account/passkeys/remove", data=gone)
        assert browser.post(action, data=new).status_code == 400


def test_U4_a_copy_is_noticed(gateway: RunningGateway) -> None:
    """U4: A count that does not grow is refused, and the trail says whose."""
    device = owned(gateway, "erin")
    with fresh(gateway) as browser:
        assert show(browser, device).status_code == 200
    device.count -= 1
    with fresh(gateway) as browser:
        assert REFUSED in show(browser, device).text
    reasons = [event.get("reason", "") for event in gateway.audit("--event", "sign_in")]
    assert any("of erin counts backwards" in reason for reason in reasons)


def test_U4_a_passkey_is_its_owners(gateway: RunningGateway) -> None:
    """U4, I24: Nobody takes over, removes, or comes in with what belongs to somebody else or is disabled."""
    device = owned(gateway, "frank")
    with closing(signed_in(gateway, "grace")) as browser:
        assert make(browser, device).status_code == 400, "the credential is known"
        device.handle = ""
        mine = Authenticator(gateway.url)
        page = make(browser, mine)
        action, fields = form_of(page.text, "/account/passkeys/remove")
        shown = Authenticator(gateway.url, ident=device.ident).make(options(page))
        theirs = re.search(r'"id": "([^"]+)"', shown)
        assert theirs
        browser.post(action, data={**fields, "passkey": theirs[1]})
        forged = browser.post(action, data={**fields, "csrf": "x"})
        assert forged.status_code == 403
    assert "phone" in gateway.gatekit("users", "passkeys", "frank")
    gateway.gatekit("users", "passkeys", "frank", "--remove")
    assert "phone" not in gateway.gatekit("users", "passkeys", "frank")
    gateway.gatekit("users", "disable", "grace")
    with fresh(gateway) as browser:
        assert show(browser, mine).status_code == 403
