"""Provisioning through a real gateway process: by clients nobody here wrote, and what it does to people."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gatekit.demo.browser import StoryError
from gatekit.demo.wire import McpClient
from gatekit.identity.scim.patch import PATCH_URN
from gatekit.identity.scim.schema import USER_URN
from tests.emulators.github import Account, GitHubEmulator
from tests.emulators.serving import serving_in_a_thread
from tests.journey.test_github import GitHubGateway, GitHubPerson
from tests.support.peers import PEERS
from tests.support.running import eventually

SCIM2 = PEERS / "scim" / "bin" / "scim2"


class Provisioned(GitHubGateway):
    """Its GitHub connection is provisioned; ``secret`` is a token that was made at the command line."""

    def begin(self) -> None:
        self.github |= {"provisioning": {}, "create": False}  # type: ignore[dict-item]
        self.write()
        self.start()
        self.secret = self.gatekit(
            "connections", "scim-token", "create", "github", "--config", str(self.config)
        ).strip()
        self.http = httpx2.Client(
            base_url=f"{self.url}/scim/v2/", headers={"Authorization": f"Bearer {self.secret}"}
        )

    def scim2(self, *words: str, sent: Any = None, check: bool = True) -> str:
        environment = {**os.environ, "SCIM_CLI_HEADERS": f"Authorization: Bearer {self.secret}"}
        done = subprocess.run(
            [str(SCIM2), "--url", f"{self.url}/scim/v2", *words],
            input="" if sent is None else json.dumps(sent),
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def set_active(self, ident: str, active: bool) -> None:
        operation = {"op": "Replace", "path": "active", "value": str(active)}
        body = {"schemas": [PATCH_URN], "Operations": [operation]}
        answer = self.http.patch(f"Users/{ident}", json=body)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    account = Account(
        id=1, login="Octocat", emails=[{"email": "o@example.com", "primary": True, "verified": True}]
    )
    with serving_in_a_thread(GitHubEmulator([account], api="/api/v3").app) as origin:
        running = Provisioned(tmp_path_factory.mktemp("provisioning"), origin, "/api/v3", ["github:octocat"])
        try:
            running.begin()
            yield running
        finally:
            running.stop()
            running.http.close()


def test_every_check_of_scim2_tester_passes(gateway: Provisioned) -> None:
    printed = gateway.scim2("test", check=False)
    counted = Counter(re.findall(r"^([A-Z]+) [a-z_]+$", printed, re.MULTILINE))
    assert set(counted) == {"SUCCESS"}, printed
    assert counted["SUCCESS"] > 100


def test_scim2_cli_keeps_a_person(gateway: Provisioned) -> None:
    ada = json.loads(gateway.scim2("create", "user", sent={"schemas": [USER_URN], "userName": "ada"}))
    change = {"schemas": [PATCH_URN], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    assert not json.loads(gateway.scim2("modify", "user", ada["id"], sent=change))["active"]
    assert "disabled" in gateway.gatekit("users", "show", "ada", "--data-dir", str(gateway.data))
    gateway.scim2("delete", "user", ada["id"])
    people = json.loads(gateway.gatekit("users", "list", "--json"))
    assert "ada" not in [person["username"] for person in people]
    told = [entry for entry in gateway.audit() if entry["event"] == "admin" and entry.get("door") == "scim"]
    assert {entry["principal"] for entry in told} == {"scim:github"}
    assert gateway.secret not in json.dumps(gateway.audit()) + gateway.log.read_text(encoding="utf-8")


def allowed(client: McpClient) -> bool:
    """Whether the same token opens a session: the one before ended with its person."""
    try:
        client.initialize()
    except StoryError:
        return False
    return True


def test_whoever_is_deactivated_is_out_and_whoever_is_reactivated_is_back(gateway: Provisioned) -> None:
    """Provisioned, then signed in for the first time, where nobody else becomes one (`create: false`)."""
    body = {"schemas": [USER_URN], "userName": "octo@acme.example", "externalId": "1"}
    ident = gateway.http.post("Users", json=body).json()["id"]
    client = gateway.sign_in(GitHubPerson("Octocat", ""))
    assert allowed(client)
    (person,) = json.loads(gateway.gatekit("users", "list", "--json"))
    assert (person["username"], person["login"]) == ("octo@acme.example", "Octocat")
    gateway.set_active(ident, False)
    eventually(lambda: not allowed(client))
    gateway.set_active(ident, True)
    eventually(lambda: allowed(client))
    assert gateway.http.delete(f"Users/{ident}").status_code == 204
    eventually(lambda: not allowed(client))
    with pytest.raises(StoryError, match="create: false"):
        gateway.sign_in(GitHubPerson("Octocat", ""))


def test_who_came_by_signing_in_before_is_found_by_name(gateway: Provisioned) -> None:
    gateway.github["create"] = True  # type: ignore[assignment]
    gateway.write()
    eventually(
        lambda: any(each.get("action") == "applied" for each in gateway.audit("--event", "config")), 20.0
    )
    client = gateway.sign_in(GitHubPerson("Octocat", ""))
    found = gateway.http.get("Users", params={"filter": 'userName eq "octocat"'}).json()["Resources"]
    gateway.set_active(found[0]["id"], False)
    eventually(lambda: not allowed(client))


def test_a_revoked_token_opens_nothing_at_once(gateway: Provisioned) -> None:
    assert gateway.http.get("Users").status_code == 200
    place = ("--data-dir", str(gateway.data))
    (listed,) = json.loads(gateway.gatekit("connections", "scim-token", "list", "--json", *place))
    assert gateway.secret not in json.dumps(listed)
    gateway.gatekit("connections", "scim-token", "revoke", listed["id"], "--yes", *place)
    assert gateway.http.get("Users").status_code == 401
