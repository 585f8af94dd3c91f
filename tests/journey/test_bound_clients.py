"""Certified client libraries that push their requests and prove their key, up to a tool's answer.

Once at an ordinary gateway, once at one that accepts nothing else and asks for nonces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekit.demo.browser import Person
from tests.support.node import run_json
from tests.support.running import ECHO, RunningGateway, started

EXPECTED = {
    "types": ["dpop", "dpop"],  # as the libraries normalise it
    "answer": True,
    "refreshed": True,
    "replayed": 401,
    "bearer": 401,
    "keyless": 401,
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("strict"), {"echo": {"command": list(ECHO)}})
    running.groups = {"developers": ["dora"]}
    running.allowed = ["group:developers"]
    running.proxy = {
        "auth": {
            "provider": "local",
            "allowed_users": ["group:developers"],
            "pushed_requests": {"required": True},
            "dpop": {"required": True, "nonce": True},
        }
    }
    with started(running):
        yield running


@pytest.mark.parametrize(("library", "algorithm"), [("oauth4webapi", "ES256"), ("openid-client", "Ed25519")])
def test_at_an_ordinary_gateway(
    gateway: RunningGateway, alice: Person, tmp_path: Path, library: str, algorithm: str
) -> None:
    """P1: the libraries find out by themselves what the gateway can."""
    arguments = [gateway.endpoint("everything"), library, algorithm]
    assert run_json("oauth_bound.mjs", arguments, tmp_path, alice) == EXPECTED


def test_at_a_strict_gateway(strict: RunningGateway, tmp_path: Path) -> None:
    """P1: nonces are asked for at /par, at /token and at the MCP endpoint, and the libraries follow."""
    dora = strict.person("dora")
    for library, algorithm in (("openid-client", "ES256"), ("oauth4webapi", "PS256")):
        arguments = [strict.endpoint("echo"), library, algorithm]
        assert run_json("oauth_bound.mjs", arguments, tmp_path / library, dora) == EXPECTED
