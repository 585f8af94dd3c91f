"""What people do with their own account, in a browser, against a running gateway."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import httpx2
import pytest

from tests.attack.world import form_of
from tests.support.raw import ACCEPT
from tests.support.running import ECHO, RunningGateway, eventually, started

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    servers = {
        "echo": {"command": list(ECHO), "users": ["developers"]},
        "private": {"command": list(ECHO), "users": ["sre_team"]},
    }
    running = RunningGateway(tmp_path_factory.mktemp("account"), servers)
    running.groups["developers"] = [
        "alice",
        "bob",
        "carol",
        "dave",
        "erin",
        "frank",
        "grace",
        "heidi",
        "ivan",
        "judy",
    ]
    with started(running):
        yield running


def browser(gateway: RunningGateway, name: str) -> httpx2.Client:
    """The signed-in browser of a new person."""
    person = gateway.person(name)
    token = gateway.token(person, "echo")
    client = httpx2.Client(base_url=gateway.url, timeout=20, headers={"x-test-token": token})
    for cookie in person.browser.jar:
        client.cookies.set(cookie.name, cookie.value or "")
    return client


def opens(gateway: RunningGateway, token: str, server: str = "echo") -> bool:
    answer = httpx2.post(
        gateway.endpoint(server), json=INITIALIZE, headers={**ACCEPT, "Authorization": f"Bearer {token}"}
    )
    return answer.status_code == 200


def sessions(text: str) -> list[str]:
    """Names of the browser sessions that a page shows, this one first."""
    return re.findall(r'name="session" value="([^"]+)"', text)


def submit(browser: httpx2.Client, page: httpx2.Response, action: str, **fields: str) -> httpx2.Response:
    target, hidden = form_of(page.text, action)
    return browser.post(target, data={**hidden, **fields}, follow_redirects=True)


def test_a_key_made_on_the_page_opens_what_it_says_until_it_is_revoked(gateway: RunningGateway) -> None:
    with browser(gateway, "alice") as client:
        page = client.get("/account")
        assert 'name="opens:private"' in page.text  # alice may use both
        chosen = {"reach": "some", "opens:echo": "yes"}
        made = submit(client, page, "/account/keys/create", name="Build", days="7", **chosen)
        token = re.search(r">(gk_key_[A-Za-z0-9_-]+)<", made.text)
        assert token, made.text
        assert opens(gateway, token[1])
        assert not opens(gateway, token[1], "private")
        shown = client.get("/account")
        assert token[1] not in shown.text
        assert f"…{token[1][-4:]}" in shown.text
        submit(client, shown, "/account/keys/revoke")
        eventually(lambda: not opens(gateway, token[1]), 2, "the key still opens the door")
    assert {event["action"] for event in gateway.audit("--event", "key")} == {"created", "revoked"}


def test_disconnecting_an_application_ends_its_tokens(gateway: RunningGateway) -> None:
    with browser(gateway, "bob") as client:
        token = client.headers["x-test-token"]
        assert opens(gateway, token)
        page = client.get("/account")
        assert "test client of bob" in page.text
        gone = submit(client, page, "/account/apps/revoke")
        assert "test client of bob" not in gone.text
        eventually(lambda: not opens(gateway, token), 2, "the token still opens the door")


def test_signing_out_everywhere(gateway: RunningGateway) -> None:
    with browser(gateway, "carol") as client:
        submit(client, client.get("/account"), "/account/sessions/end-all")
        assert 'name="password"' in client.get("/account").text


def test_a_key_for_a_server_out_of_reach_is_refused(gateway: RunningGateway) -> None:
    """I24: A key for a server out of reach is refused."""
    with browser(gateway, "dave") as client:
        page = client.get("/account")
        assert "private" not in page.text
        beyond = {"reach": "some", "opens:private": "yes"}
        refused = submit(client, page, "/account/keys/create", name="x", days="7", **beyond)
        assert refused.status_code == 400
        assert "gk_key_" not in refused.text
        nameless = submit(client, page, "/account/keys/create", name=" ", reach="all", days="7")
        assert "a key needs a name" in nameless.text
        nothing = submit(client, page, "/account/keys/create", name="Nightly", reach="some", days="7")
        assert "choose at least one server" in nothing.text
        assert 'value="Nightly"' in nothing.text, "what was typed is not lost"


def test_somebody_elses_things_cannot_be_named(gateway: RunningGateway) -> None:
    """I24: Somebody else's things cannot be named."""
    with browser(gateway, "erin") as erin, browser(gateway, "frank") as frank:
        hers = erin.get("/account")
        _, app = form_of(hers.text, "/account/apps/revoke")
        _, session = form_of(hers.text, "/account/sessions/end")
        page = frank.get("/account")
        submit(frank, page, "/account/apps/revoke", client=app["client"])
        submit(frank, page, "/account/sessions/end", session=session["session"])
        assert "test client of erin" in erin.get("/account").text
        assert opens(gateway, erin.headers["x-test-token"])


def test_a_forged_form_changes_nothing(gateway: RunningGateway) -> None:
    """B3: A forged form changes nothing."""
    with browser(gateway, "grace") as client:
        _, grant = form_of(client.get("/account").text, "/account/apps/revoke")
        forged = client.post("/account/apps/revoke", data={**grant, "csrf": "forged"})
        assert forged.status_code == 403
        assert "test client of grace" in client.get("/account").text


def test_signing_out_one_browser_leaves_the_other(gateway: RunningGateway) -> None:
    """B7: Signing out one browser leaves the other, and what it did stands in the trail."""
    with browser(gateway, "heidi") as here, httpx2.Client(base_url=gateway.url, timeout=20) as there:
        there.headers["user-agent"] = "Mozilla/5.0 (Windows NT 10.0) <b>Firefox/140.0</b>"
        page = there.get("/account")
        submit(there, page, "/login", username="heidi", password="a long password of heidi")
        shown = here.get("/account")
        assert "Firefox on Windows" in shown.text
        assert shown.text.count("this one") == 1
        other = [one for one in sessions(shown.text) if one != sessions(shown.text)[0]]
        submit(here, shown, "/account/sessions/end", session=other[0])
        assert 'name="password"' in there.get("/account").text
        assert "Firefox on Windows" not in here.get("/account").text
    ended = [event for event in gateway.audit("--event", "admin") if event["action"] == "session.end"]
    assert [(event["principal"], event["target"], event["door"]) for event in ended] == [
        ("heidi", "heidi", "page")
    ]


def test_a_key_needs_a_recent_sign_in(gateway: RunningGateway) -> None:
    """B7: A session that was left open makes no key: what was shown long ago is asked once more."""
    with browser(gateway, "judy") as client:
        page = client.get("/account")
        with sqlite3.connect(gateway.data / "gatekit.db", timeout=10) as store:
            store.execute(
                "UPDATE browser_sessions SET auth_time = auth_time - 1000 WHERE user_id = "
                "(SELECT id FROM users WHERE username = 'judy')"
            )
        late = submit(client, page, "/account/keys/create", name="x", reach="all", days="7")
        assert 'name="password"' in late.text
        assert "gk_key_" not in late.text
        stale = client.get("/account")
        assert "Sign in again to make a key" in stale.text
        assert "/account/keys/create" not in stale.text
        form = client.get("/account/again")
        back = submit(client, form, "/login", username="judy", password="a long password of judy")
        assert back.url.path == "/account"
        made = submit(client, back, "/account/keys/create", name="x", reach="all", days="7")
        assert "gk_key_" in made.text
