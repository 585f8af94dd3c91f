"""Sign-in with an LDAP directory's password through a real gateway process, against a real OpenLDAP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urljoin

import pytest

from gatekit.demo.browser import Page, Person, StoryError
from gatekit.demo.wire import Login, McpClient, fetch
from tests.support.running import ECHO, RunningGateway, eventually, started
from tests.support.slapd import BASE, READER, READER_PASSWORD, Slapd, group, group_dn, person, user_dn


class CorpPerson(Person):
    """Chooses the directory on the sign-in page and types name and password there."""

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        link = re.search(r'href="(/go/corp\?[^"]+)"', page.text)
        if link is not None and "corp" not in self.browser.visited:
            self.browser.visited.append("corp")
            return self.browser.follow(urljoin(page.url, link[1].replace("&amp;", "&")), redirect_uri)
        return super()._next(page, redirect_uri, decision)


class CorpGateway(RunningGateway):
    """``echo`` is for whoever is in the directory's group ``company``, ``private`` for its alice."""

    def __init__(self, folder: Path, directory: Slapd) -> None:
        super().__init__(folder, {})
        self.enabled = True
        self.directory = directory

    def write(self) -> None:
        corp = {
            "type": "ldap",
            "title": "Example Corp",
            "enabled": self.enabled,
            "urls": [self.directory.url],
            "ca_file": str(self.directory.chain),
            "bind_dn": READER,
            "bind_password": READER_PASSWORD,
            "users": {"base": f"ou=people,{BASE}"},
            "group_search": {"base": f"ou=groups,{BASE}", "nesting": "walk"},
        }
        document = {
            "data_dir": "data",
            "proxy": {
                "host": "127.0.0.1",
                "port": self.port,
                "public_url": self.url,
                "auth": {"providers": {"local": {}, "corp": corp}},
            },
            "servers": {
                "echo": {"command": list(ECHO), "users": ["group:corp/company"]},
                "private": {"command": list(ECHO), "allowed_users": ["corp:alice", "local:carol"]},
            },
        }
        draft = self.config.with_suffix(".new")
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(self.config)

    def login(self, somebody: Person, server: str = "echo") -> Login:
        login = Login(self.endpoint(server))
        login.discover()
        login.register("journey")
        login.redeem(login.authorize(somebody))
        return login

    def sign_in(self, somebody: Person, server: str = "echo") -> McpClient:
        login = self.login(somebody, server)
        client = McpClient(login.url, str(login.token["access_token"]))
        client.initialize()
        return client


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Slapd]:
    server = Slapd(
        tmp_path / "slapd",
        person("alice", "alice password"),
        person("bob", "bob password"),
        group("team", user_dn("alice")),
        group("company", group_dn("team")),
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def gateway(tmp_path: Path, directory: Slapd) -> Iterator[CorpGateway]:
    running = CorpGateway(tmp_path / "gateway", directory)
    with started(running):
        yield running


def somebody(name: str, password: str) -> CorpPerson:
    return CorpPerson(name, password)


def test_the_directory_opens_the_tool_and_its_groups_decide(gateway: CorpGateway) -> None:
    client = gateway.sign_in(somebody("alice", "alice password"))
    assert "tools" in client.request("tools/list", {})
    with pytest.raises(StoryError):
        gateway.sign_in(somebody("bob", "bob password"))
    with pytest.raises(StoryError):
        gateway.sign_in(somebody("alice", "wrong"))
    events = gateway.audit("--event", "sign_in")
    assert sorted((event["connection"], event["outcome"]) for event in events) == [
        ("corp", "ok"),
        ("corp", "refused"),
        ("corp", "refused"),
    ]


def test_a_dead_directory_is_explained_and_local_people_still_come_in(gateway: CorpGateway) -> None:
    gateway.directory.stop()
    with pytest.raises(StoryError, match=r"could not sign in \(502"):
        gateway.sign_in(somebody("alice", "alice password"))
    [event] = gateway.audit("--event", "sign_in")
    assert "Can't contact LDAP server" in event["reason"]
    carol = gateway.person("carol")
    assert "tools" in gateway.sign_in(carol, "private").request("tools/list")
    gateway.directory.start()
    eventually(lambda: gateway.sign_in(somebody("alice", "alice password")) is not None)


def test_switching_the_connection_off_ends_what_it_opened(gateway: CorpGateway) -> None:
    client = gateway.sign_in(somebody("alice", "alice password"))
    gateway.enabled = False
    gateway.write()

    def refused() -> bool:
        return client.attempt("tools/list", {})[0] == 401

    eventually(refused)


def refreshed(gateway: CorpGateway, login: Login) -> tuple[int, str]:
    """Status and error of a refresh."""
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": str(login.token["refresh_token"]),
        "client_id": login.client_id,
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = fetch(f"{gateway.url}/token", urlencode(fields).encode(), form)
    return answer.status, str(answer.json().get("error", ""))


def test_whoever_left_the_directory_is_out_at_the_next_refresh(gateway: CorpGateway) -> None:
    """F7, U5: a directory that says no ends what was granted, and one that says nothing does not."""
    gateway.directory.modify(
        f"dn: {group_dn('team')}\nchangetype: modify\nadd: member\nmember: {user_dn('bob')}"
    )
    alice = gateway.login(somebody("alice", "alice password"))
    bob = gateway.login(somebody("bob", "bob password"))
    gateway.directory.stop()
    assert refreshed(gateway, bob) == (200, "")
    gateway.directory.start()
    gateway.directory.modify(f"dn: {user_dn('alice')}\nchangetype: delete")
    assert refreshed(gateway, alice) == (400, "invalid_grant")
    client = McpClient(alice.url, str(alice.token["access_token"]))
    assert client.attempt("tools/list", {})[0] == 401
    assert gateway.audit("--event", "refused", "--user", "alice")


def test_the_command_line_shows_what_a_sign_in_would_become(gateway: CorpGateway) -> None:
    found = json.loads(gateway.gatekit("connections", "test", "corp", "--user", "ALICE", "--json"))
    assert (found["ok"], found["named in lists as"]) == (True, "corp:alice")
    assert found["provider groups"] == ["company", "team"]
    assert json.loads(gateway.gatekit("connections", "test", "corp", "--json"))["lets us search"] is True
    assert "no entry" in gateway.gatekit("connections", "test", "corp", "--user", "nobody", check=False)
    gateway.directory.stop()
    assert "Can't contact" in gateway.gatekit("connections", "test", "corp", check=False)
