"""A gateway that trusts a certified authorization server, with real clients that sign in there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import RSAKey

from gatekit.demo.browser import Browser
from gatekit.demo.wire import Login, McpClient
from gatekit.platform.segments import encode_segment
from tests.support.provider import Provider, Stranger
from tests.support.raw import ACCEPT
from tests.support.running import ECHO, RunningGateway, eventually
from tests.support.sdk import Application, text

INTROSPECTOR = {"id": "gatekit", "secret": "a secret of the resource server"}


class Trusting(RunningGateway):
    """Two servers: ``echo`` for the provider's group eng, ``inner`` for alice alone."""

    def __init__(self, folder: Path, issuer: str, **external: Any) -> None:
        servers = {
            "echo": {"command": list(ECHO), "users": ["idp:group:/acme/eng"]},
            "inner": {"command": list(ECHO), "allowed_users": ["idp:alice"]},
        }
        super().__init__(folder, servers)
        self.external: dict[str, Any] = {
            "name": "idp",
            "issuer": issuer,
            "username_claim": "preferred_username",
            "groups_claim": "realm_access.roles",
            "scopes": ["mcp"],
            **external,
        }
        self.groups = {}

    def write(self) -> None:
        self.proxy = {"auth": {"external": self.external}}
        super().write()


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(
        tmp_path_factory.mktemp("idp"),
        groups={"alice": ["/acme/eng"], "bob": ["/acme/eng"], "carol": []},
        introspector=INTROSPECTOR,
        keys={"keys": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)]},
    )
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory, idp: Provider) -> Iterator[RunningGateway]:
    """Started while the provider is out of order; the provider comes afterwards."""
    introspection = {"client_id": INTROSPECTOR["id"], "client_secret": INTROSPECTOR["secret"], "cache": 0}
    running = Trusting(tmp_path_factory.mktemp("trusting"), idp.issuer, introspection=introspection)
    running.write()
    try:
        running.start()
        idp.settings["resources"] = {
            running.endpoint("echo"): "jwt",
            running.endpoint("inner"): "opaque",
            running.endpoint(): "jwt",
            "https://elsewhere.example/api": "jwt",
        }
        yield running
    finally:
        running.stop()


def person(name: str) -> Stranger:
    return Stranger(name, "anything", Browser())


def login(gateway: RunningGateway, name: str, server: str = "echo", resource: str = "") -> str:
    """An access token, by way of registration and sign-in at the provider."""
    story = Login(gateway.endpoint(server))
    story.discover()
    if resource:
        story.resource = {**story.resource, "resource": resource}
    story.register(f"client of {name}")
    story.redeem(story.authorize(person(name)))
    return str(story.token["access_token"])


def knock(gateway: RunningGateway, token: str, server: str = "echo") -> httpx2.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {**ACCEPT, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return httpx2.post(gateway.endpoint(server), headers=headers, content=json.dumps(message), timeout=20)


def test_the_provider_is_down_when_the_gateway_starts(trusting: RunningGateway, idp: Provider) -> None:
    """The gateway starts, says what is wrong, and is well as soon as the provider is."""
    header, claims = {"alg": "RS256", "typ": "at+jwt", "kid": "a"}, {"iss": idp.issuer}
    forged = f"{_segment(header)}.{_segment(claims)}.AAAA"
    answer = knock(trusting, forged)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert httpx2.get(trusting.url + "/readyz").status_code == 200
    idp.start()
    eventually(lambda: knock(trusting, forged).status_code == 401, 15)


def _segment(claims: dict[str, Any]) -> str:
    return encode_segment(json.dumps(claims).encode())


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_official_sdk_signs_in_there_and_calls_a_tool(trusting: RunningGateway, mode: str) -> None:
    application = Application(person("alice"))
    async with application.connect(trusting.endpoint("echo"), mode) as client:
        assert "hello" in text(await client.call_tool("echo", {"message": "hello"}))
    assert application.person.browser.visited == ["sign in", "consent"]


def test_a_token_for_another_audience_is_refused(trusting: RunningGateway) -> None:
    """T3: for another resource of the same provider, and for another server of this gateway."""
    foreign = login(trusting, "alice", resource="https://elsewhere.example/api")
    assert knock(trusting, foreign).status_code == 401
    token = login(trusting, "alice")
    assert knock(trusting, token).status_code != 401
    assert knock(trusting, token, "inner").status_code == 401
    assert knock(trusting, token, "").status_code == 401


def test_opaque_tokens_are_introspected_and_revoked(trusting: RunningGateway, idp: Provider) -> None:
    """RFC 7662 at the provider; a revocation there counts here."""
    story = Login(trusting.endpoint("inner"))
    story.discover()
    story.register("client of alice")
    story.redeem(story.authorize(person("alice")))
    token = str(story.token["access_token"])
    assert token.count(".") == 0
    assert McpClient(trusting.endpoint("inner"), token).initialize()
    fields = {"token": token, "client_id": story.client_id}
    assert httpx2.post(str(story.server["revocation_endpoint"]), data=fields).status_code == 200
    # The bearer check remembers for at most half a minute, and forgets whenever something changes.
    trusting.servers = {**trusting.servers, "inner": {**trusting.servers["inner"], "title": "Inner"}}
    trusting.write()
    eventually(lambda: knock(trusting, token, "inner").status_code == 401, 5)
    assert knock(trusting, "x" + token, "inner").status_code == 401


def test_people_are_seen_and_can_be_disabled(trusting: RunningGateway) -> None:
    """F3, R6: somebody who came with a token is a person here, and refused within a second."""
    token = login(trusting, "bob")
    assert McpClient(trusting.endpoint("echo"), token).initialize()
    assert "bob" in trusting.gatekit("users", "list")
    trusting.gatekit("users", "disable", "bob")
    eventually(lambda: knock(trusting, token).status_code == 403, 3)
    trusting.gatekit("users", "enable", "bob")
    eventually(lambda: knock(trusting, token).status_code != 403, 3)
    accepted = [e for e in trusting.audit() if e["event"] == "token" and e.get("principal") == "bob"]
    assert [e["action"] for e in accepted] == ["accepted"]
    assert accepted[0]["subject"] == "bob"
    assert accepted[0]["issuer"]
    assert accepted[0]["client_id"]
    assert accepted[0]["token_id"]


def test_somebody_whom_no_list_names_leaves_no_trace(trusting: RunningGateway) -> None:
    """No row, and a 403 without an error code: a new token would change nothing."""
    answer = knock(trusting, login(trusting, "carol"))
    assert answer.status_code == 403
    assert "error=" not in answer.headers["WWW-Authenticate"]
    assert "carol" not in trusting.gatekit("users", "list")


def test_discovery_points_there(trusting: RunningGateway, idp: Provider) -> None:
    document = httpx2.get(trusting.url + "/.well-known/oauth-protected-resource/s/echo/mcp").json()
    assert document["authorization_servers"] == [idp.issuer]
    assert document["scopes_supported"] == ["mcp"]
