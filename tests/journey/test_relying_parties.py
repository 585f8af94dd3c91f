"""People sign in to other things with Gatekit, by the certified OpenID Connect libraries of others."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from gatekit.demo.browser import Person
from tests.support.node import run_json
from tests.support.running import ECHO, RunningGateway, started

METHODS = ("client_secret_basic", "client_secret_post")
SECRET = secrets.token_hex(16)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with one relying party for each way to send a secret."""
    running = RunningGateway(
        tmp_path_factory.mktemp("issuer"), {"echo": {"command": list(ECHO), "users": ["developers"]}}
    )
    (running.folder / "party.secret").write_text(SECRET, encoding="utf-8")
    party = {"secret": "${file:party.secret}", "redirect_uris": ["http://127.0.0.1:33421/callback"]}
    running.proxy = {
        "auth": {
            "enabled": True,
            "provider": "local",
            "allowed_users": ["group:developers"],
            "clients": {method: {**party, "auth_method": method} for method in METHODS},
        }
    }
    with started(running):
        yield running


@pytest.fixture(scope="module")
def somebody(issuer: RunningGateway) -> Person:
    return issuer.person("alice")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("library", ["oauth4webapi", "openid-client"])
def test_every_check_of_the_certified_libraries(
    issuer: RunningGateway,
    somebody: Person,
    tmp_path_factory: pytest.TempPathFactory,
    library: str,
    method: str,
) -> None:
    """Issuer, state, nonce, age, ID token and its signature, userinfo, refresh, revocation."""
    arguments = [issuer.url, library, method, method, SECRET]
    said = run_json("oidc_libraries.mjs", arguments, tmp_path_factory.mktemp("party"), somebody)
    assert said["sub"].startswith("usr_")
    assert said == {
        "sub": said["sub"],
        "userinfo": said["sub"],
        "refreshed": True,
        "refused": "invalid_grant",
    }
