"""Gatekit as the authorization server of somebody else's API, and of nothing else: no server of its own.

The API is a program of its own whose library (oauth4webapi, certified) knows nothing of us but our metadata.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from gatekit.demo.wire import Login
from tests.support.peers import NODE, PEERS, ROOT
from tests.support.running import RunningGateway, eventually, started

SECRET = "a secret of thirty-two characters"
IDENTIFIER = "https://reports.example/api"


@pytest.fixture(params=["jwt", "opaque"])
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningGateway]:
    gateway = RunningGateway(tmp_path, {})
    reports = {
        "identifier": IDENTIFIER,
        "title": "Reports",
        "scopes": ["reports:read", "reports:write"],
        "introspection_secret": SECRET,
        "allowed_groups": ["developers"],
    }
    gateway.proxy = {
        "auth": {
            "provider": "local",
            "allowed_users": ["group:developers"],
            "tokens": {"format": request.param},
            "resources": {"reports": reports},
        }
    }
    with started(gateway):
        yield gateway


@contextmanager
def api(issuer: str, how: str) -> Iterator[str]:
    """The API, as a process; its URL."""
    script = ROOT / "tests" / "clients" / "resource_server.mjs"
    process = subprocess.Popen(
        [str(NODE), str(script), issuer, IDENTIFIER, how, "reports", SECRET],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GATEKIT_PEERS_DIR": str(PEERS)},
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_T3_sign_in_use_and_lose_it(running: RunningGateway) -> None:
    """T3, T7: a token for the API works there and nowhere else, and a revoked one is refused when it asks."""
    opaque = running.proxy["auth"]["tokens"]["format"] == "opaque"
    token = signed_in(running)
    headers = {"Authorization": f"Bearer {token}"}
    with api(running.url, "introspect") as asking, api(running.url, "jwt") as checking:
        found = httpx2.get(asking, headers=headers)
        assert found.status_code == 200, found.text
        assert found.json()["scope"] == "reports:read"
        by_signature = httpx2.get(checking, headers=headers)
        assert by_signature.status_code == (401 if opaque else 200), by_signature.text
        if not opaque:
            assert by_signature.json() == found.json()
        for url in (asking, checking):
            assert httpx2.get(url).status_code == 401
            assert httpx2.get(url, headers={"Authorization": f"Bearer {token[:-2]}xx"}).status_code == 401
        assert httpx2.post(running.endpoint(""), headers=headers, json={}).status_code == 401

        running.gatekit("users", "disable", "alice")
        eventually(lambda: httpx2.get(asking, headers=headers).status_code == 401)


def signed_in(running: RunningGateway) -> str:
    """A token as a client gets one that knows what its API publishes (RFC 9728)."""
    server = httpx2.get(f"{running.url}/.well-known/oauth-authorization-server").json()
    login = Login(IDENTIFIER, {"resource": IDENTIFIER, "scopes_supported": ["reports:read"]}, server)
    login.register("report reader")
    login.redeem(login.authorize(running.person("alice")))
    return str(login.token["access_token"])
