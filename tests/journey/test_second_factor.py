"""A second factor at a running gateway: set up on one's own page, used, changed, and taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import httpx2
import pyotp
import pytest

from tests.attack.test_passkeys import fresh, signed_in
from tests.attack.world import form_of
from tests.support.running import ECHO, RunningGateway, started

PAGE = "/account/second-factor"
SECRET = re.compile(r'<code class="secret">([A-Z2-7]{32})</code>')
CODE = re.compile(r"<li><code>([0-9a-z-]{19})</code></li>")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("factors"), {"echo": {"command": list(ECHO)}})
    running.groups["developers"] = ["alice", "bob"]
    with started(running):
        yield running


def submit(browser: httpx2.Client, page: httpx2.Response, action: str, **fields: str) -> httpx2.Response:
    return browser.post(action, data={**form_of(page.text, action)[1], **fields})


def password(browser: httpx2.Client, name: str) -> httpx2.Response:
    page = browser.get(PAGE)
    return submit(browser, page, "/login", username=name, password=f"a long password of {name}")


def test_set_up_used_renewed_and_taken_away(gateway: RunningGateway) -> None:
    with closing(signed_in(gateway, "alice")) as browser:
        page = submit(browser, browser.get(PAGE), f"{PAGE}/begin")
        secret = SECRET.search(page.text)
        assert secret
        device = pyotp.TOTP(secret[1])
        refused = submit(browser, page, f"{PAGE}/confirm", code="000000")
        assert refused.status_code == 403
        assert secret[1] in refused.text
        at = datetime.now(UTC)
        page_of_codes = submit(browser, refused, f"{PAGE}/confirm", code=device.at(at))
        first = CODE.findall(page_of_codes.text)
        assert len(first) == 10
        again = submit(browser, page, f"{PAGE}/confirm", code=device.at(at))
        assert again.status_code == 400, "there is one already"
        renewed = submit(browser, browser.get(PAGE), f"{PAGE}/codes")
        second = CODE.findall(renewed.text)
        assert set(first).isdisjoint(second)
    with fresh(gateway) as browser:
        page = password(browser, "alice")
        assert "One more step" in page.text
        page = submit(browser, page, "/login/code", code=first[0])
        assert page.status_code == 403, "those of before are good for nothing"
        page = submit(browser, page, "/login/code", code=second[0])
        assert page.url.path == PAGE
        assert "<dd>9</dd>" in page.text
        shown = json.loads(gateway.gatekit("users", "show", "alice", "--json"))
        assert shown["second_factor"][0]["recovery_codes_left"] == 9
        assert "None." in submit(browser, page, f"{PAGE}/remove").text
    with fresh(gateway) as browser:
        assert password(browser, "alice").url.path == PAGE
    done = [event["action"] for event in gateway.audit("--event", "admin") if event["principal"] == "alice"]
    assert sorted(done) == ["second-factor.add", "second-factor.codes", "second-factor.remove"]


def test_whoever_lost_it_is_let_in_by_an_administrator(gateway: RunningGateway) -> None:
    with closing(signed_in(gateway, "bob")) as browser:
        page = submit(browser, browser.get(PAGE), f"{PAGE}/begin")
        secret = SECRET.search(page.text)
        assert secret
        submit(browser, page, f"{PAGE}/confirm", code=pyotp.TOTP(secret[1]).now())
    facts = json.loads(gateway.gatekit("users", "show", "bob", "--json"))
    assert facts["second_factor"][0]["kind"] == "authenticator"
    with fresh(gateway) as browser:
        assert "One more step" in password(browser, "bob").text
    assert "only the password" in gateway.gatekit("users", "reset-factors", "bob")
    with fresh(gateway) as browser:
        assert password(browser, "bob").url.path == PAGE
    (event,) = [e for e in gateway.audit("--event", "admin") if e["action"] == "factors.reset"]
    assert (event["target"], event["before"]) == ("bob", "passkeys=0 second_factor=totp")
