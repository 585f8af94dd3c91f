"""Sign-in with GitHub through a real gateway process: against npm ``emulate`` and an emulator of our own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from gatekit.demo.browser import Browser, Page, Person, StoryError
from gatekit.demo.gateway import free_port
from gatekit.demo.wire import Login, McpClient, fetch
from tests.emulators.github import CLIENT_ID, CLIENT_SECRET, Account, GitHubEmulator, Trouble
from tests.emulators.serving import serving_in_a_thread
from tests.support.peers import NODE, NODE_MODULES
from tests.support.running import ECHO, RunningGateway, eventually, started


class GitHubPerson(Person):
    """Somebody who presses "Continue with GitHub" and picks their account there if asked."""

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        for form in page.forms:  # emulate shows one form per seeded person
            if any(field.name == "login" and field.value == self.name for field in form.fields):
                return self.browser.submit(page, form, {}, "", redirect_uri)
        link = re.search(r'href="(/go/github\?[^"]+)"', page.text)
        if link is not None and "github" not in self.browser.visited:
            self.browser.visited.append("github")
            return self.browser.follow(urljoin(page.url, link[1].replace("&amp;", "&")), redirect_uri)
        if link is not None:
            note = re.search(r'role="alert"[^>]*>([^<]+)<', page.text)
            raise StoryError(f"{page.status} {note[1] if note else page.summary()}")
        return super()._next(page, redirect_uri, decision)


class GitHubGateway(RunningGateway):
    """Local accounts and GitHub side by side. ``echo`` is for whom ``users`` names, ``private`` for alice."""

    def __init__(self, folder: Path, origin: str, api: str, users: list[str]) -> None:
        super().__init__(folder, {})
        self.github = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "base_url": origin,
            "api_url": origin + api,
        }
        self.users = users

    def write(self) -> None:
        document = {
            "data_dir": "data",
            "proxy": {
                "host": "127.0.0.1",
                "port": self.port,
                "public_url": self.url,
                "auth": {"enabled": True, "providers": {"local": {}, "github": self.github}},
            },
            "servers": {
                "echo": {"command": list(ECHO), "allowed_users": self.users},
                "private": {"command": list(ECHO), "allowed_users": ["alice"]},
            },
        }
        draft = self.config.with_suffix(".new")
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(self.config)

    def sign_in(self, person: Person, server: str = "echo") -> McpClient:
        """The whole login; a session that is initialized."""
        login = Login(self.endpoint(server))
        login.discover()
        login.register("journey")
        login.redeem(login.authorize(person))
        client = McpClient(login.url, str(login.token["access_token"]))
        client.initialize()
        return client


Start = Callable[..., GitHubGateway]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[GitHubGateway] = []

    def make(origin: str, users: list[str], api: str = "") -> GitHubGateway:
        gateway = GitHubGateway(tmp_path / "gateway", origin, api, users)
        gateway.write()
        running.append(gateway)
        gateway.start()
        return gateway

    yield make
    for gateway in running:
        gateway.stop()


def tools(client: McpClient) -> list[str]:
    return [tool["name"] for tool in client.request("tools/list")["tools"]]


def sign_ins(gateway: GitHubGateway) -> list[Mapping[str, Any]]:
    return [entry for entry in gateway.audit() if entry["event"] == "sign_in"]


def verified(email: str) -> list[dict[str, Any]]:
    return [{"email": email, "primary": True, "verified": True}]


@pytest.fixture
def emulator() -> GitHubEmulator:
    return GitHubEmulator(
        [
            Account(
                id=1, login="Octocat", name="The Octocat", emails=verified("octocat@example.com"),
                orgs=["zeta", "eta", "Acme"], teams=[("zeta", "a"), ("zeta", "b"), ("Acme", "Platform")],
            ),
            Account(id=2, login="mallory", emails=verified("mallory@example.com")),
            Account(id=3, login="alice", emails=verified("alice@evil.example")),
            Account(
                id=4, login="unsure",
                emails=[{"email": "boss@example.com", "primary": True, "verified": False}],
            ),
            Account(id=5, login="boss", emails=verified("boss@example.com")),
        ],
        api="/api/v3",
    )  # fmt: skip


def test_team_member_in_stranger_out_renamed_person_the_same(start: Start, emulator: GitHubEmulator) -> None:
    with serving_in_a_thread(emulator.app) as origin:
        gateway = start(origin, ["team:acme/platform"], "/api/v3")
        client = gateway.sign_in(GitHubPerson("Octocat", ""))
        assert tools(client)

        emulator.signed_in = 2
        with pytest.raises(
            StoryError, match=r"403 You are signed in as mallory.*nobody has given you access"
        ):
            gateway.sign_in(GitHubPerson("mallory", ""))
        people = json.loads(gateway.gatekit("users", "list", "--json"))
        assert [person["username"] for person in people] == ["octocat"]  # the stranger left no row

        emulator.signed_in = 1
        emulator.rename(1, "monalisa")
        gateway.sign_in(GitHubPerson("monalisa", ""))
        people = json.loads(gateway.gatekit("users", "list", "--json"))
        assert [person["username"] for person in people] == ["octocat"]

        # Leaving the team shows at the next sign-in, and older tokens lose the server with it.
        emulator.accounts[1].teams.clear()
        with pytest.raises(StoryError, match="403"):
            gateway.sign_in(GitHubPerson("monalisa", ""))
        eventually(lambda: client.attempt("tools/list", {})[0] in (401, 403, 404))

        records = sign_ins(gateway)
        assert {record["connection"] for record in records} == {"github"}
        assert [(r["outcome"], r.get("principal", "")) for r in sorted(records, key=lambda r: r["at"])] == [
            ("ok", "octocat"),
            ("refused", ""),
            ("ok", "octocat"),
            ("refused", ""),
        ]
        told = gateway.log.read_text(encoding="utf-8") + json.dumps(gateway.audit())
        for secret in (*emulator.tokens, CLIENT_SECRET, *(form["code"] for form in emulator.seen.token)):
            assert secret not in told


def test_github_alice_is_not_local_alice(start: Start, emulator: GitHubEmulator) -> None:
    """F1, F2: GitHub's alice is not local alice."""
    with serving_in_a_thread(emulator.app) as origin:
        gateway = start(origin, ["github:alice"], "/api/v3")
        local = gateway.person("alice")
        assert tools(gateway.sign_in(local, "private"))

        emulator.signed_in = 3
        stranger = GitHubPerson("alice", "")
        assert tools(gateway.sign_in(stranger, "echo"))
        with pytest.raises(StoryError):
            gateway.sign_in(stranger, "private")
        people = {p["username"]: p for p in json.loads(gateway.gatekit("users", "list", "--json"))}
        assert set(people) == {"alice", "alice-github"}
        with pytest.raises(StoryError):
            gateway.sign_in(local, "echo")  # and the other way round


def test_only_a_verified_address_counts(start: Start, emulator: GitHubEmulator) -> None:
    """F1: Only a verified address counts."""
    with serving_in_a_thread(emulator.app) as origin:
        gateway = start(origin, ["boss@example.com"], "/api/v3")
        emulator.signed_in = 4
        with pytest.raises(StoryError, match="403"):
            gateway.sign_in(GitHubPerson("unsure", ""))
        emulator.signed_in = 5
        assert tools(gateway.sign_in(GitHubPerson("boss", "")))


def test_cancel_and_wrong_secret_are_told_and_lead_nowhere(start: Start, emulator: GitHubEmulator) -> None:
    with serving_in_a_thread(emulator.app) as origin:
        gateway = start(origin, ["*"], "/api/v3")
        emulator.cancels = True
        with pytest.raises(StoryError, match="403 You cancelled the sign-in at GitHub"):
            gateway.sign_in(GitHubPerson("Octocat", ""))
        emulator.cancels = False
        body = b'{"error": "incorrect_client_credentials", "error_description": "x"}'
        emulator.trouble["/login/oauth/access_token"] = Trouble(200, body)
        with pytest.raises(StoryError, match="502 This gateway is not set up correctly at GitHub"):
            gateway.sign_in(GitHubPerson("Octocat", ""))


def test_B2_a_callback_in_another_browser_is_refused(start: Start, emulator: GitHubEmulator) -> None:
    with serving_in_a_thread(emulator.app) as origin:
        gateway = start(origin, ["*"], "/api/v3")
        attacker, victim = Browser(), Browser()
        page = attacker.open(f"{gateway.url}/login")
        link = re.search(r'href="(/go/github\?[^"]+)"', page.text)
        assert link
        leg = attacker.open(gateway.url + link[1]).headers["location"]
        callback = attacker.open(leg).headers["location"]
        stolen = victim.open(callback)
        assert stolen.status == 403
        assert "another browser" in stolen.text
        assert attacker.open(callback).status in (302, 303)
        assert attacker.open(callback).status == 400  # the state was for one use


# -- npm emulate ---------------------------------------------------------------------


@contextmanager
def emulate(folder: Path, callback: str) -> Iterator[str]:
    """The npm package ``emulate``, seeded; its origin."""
    seed = {
        "github": {
            "users": [
                {"login": "octocat", "name": "The Octocat", "email": "octocat@example.com"},
                {"login": "mallory", "name": "Mallory", "email": "mallory@example.com"},
            ],
            "orgs": [
                {
                    "login": "acme",
                    "name": "Acme",
                    "members": [{"login": "octocat", "role": "admin"}],
                    "teams": [{"slug": "platform", "name": "Platform"}],
                }
            ],
            "oauth_apps": [
                {
                    "client_id": CLIENT_ID,
                    "client_secret": CLIENT_SECRET,
                    "name": "Gatekit",
                    "redirect_uris": [callback],
                }
            ],
        }
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed.yaml").write_text(json.dumps(seed), encoding="utf-8")  # JSON is YAML
    port = free_port(0)
    script = NODE_MODULES / "emulate" / "dist" / "index.js"
    assert script.is_file(), "run scripts/install-peers"
    command = [str(NODE), str(script), "start", "--seed", "seed.yaml", "-s", "github", "-p", str(port)]
    with (folder / "emulate.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, stdout=log, stderr=log
        )
    origin = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(origin, process), 30.0, "emulate did not start")
        yield origin
    finally:
        process.terminate()
        process.wait(10)


def _answers(origin: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "emulate ended at once"
    try:
        return fetch(f"{origin}/user").status in (200, 401)
    except StoryError:
        return False


def test_the_published_emulator(tmp_path: Path, start: Start) -> None:
    port = free_port(0)
    with emulate(tmp_path / "emulate", f"http://127.0.0.1:{port}/callback/github") as origin:
        gateway = GitHubGateway(tmp_path / "gateway", origin, "", ["org:acme"])
        gateway.port, gateway.url = port, f"http://127.0.0.1:{port}"
        with started(gateway):
            # It answers 404 for /user/teams, which must not stop a sign-in.
            assert tools(gateway.sign_in(GitHubPerson("octocat", "")))
            with pytest.raises(StoryError, match="403 You are signed in as mallory"):
                gateway.sign_in(GitHubPerson("mallory", ""))
            # Everything about the person came from GitHub, under its numeric id.
            people = json.loads(gateway.gatekit("users", "list", "--json"))
            assert [(p["username"], p["connection"]) for p in people] == [("octocat", "github")]
