"""A relying party made of the certified npm ``openid-client``, entered as an operator does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekit.demo.gateway import free_port
from tests.support.node import run_json
from tests.support.running import RunningGateway, started

SECRET = "a-secret-of-the-wiki-that-nobody-guesses"
REDIRECT = "http://127.0.0.1:33433/callback"
BYE = "http://127.0.0.1:33433/bye"


@pytest.fixture(params=["ES256", "RS256"])
def wiki(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[RunningGateway, int]]:
    """A gateway without any server, one relying party, and the port where that listens."""
    port = free_port(0)
    gateway = RunningGateway(tmp_path / "gateway", {})
    gateway.groups = {"developers": ["alice"]}
    gateway.proxy = {
        "auth": {
            "provider": "local",
            "allowed_users": ["alice"],
            "clients": {
                "wiki": {
                    "name": "Wiki",
                    "secret": SECRET,
                    "redirect_uris": [REDIRECT],
                    "post_logout_redirect_uris": [BYE],
                    "backchannel_logout_uri": f"http://127.0.0.1:{port}/backchannel",
                    "id_token_algorithm": request.param,
                }
            },
        }
    }
    with started(gateway):
        yield gateway, port


def test_sign_in_and_out(wiki: tuple[RunningGateway, int], tmp_path: Path) -> None:
    """Every validation that the library knows: issuer, audience, nonce, state, ``iss``, signature, auth_time,
    the ``sub`` of /userinfo; then it signs the person out and is told so, in the session it knows."""
    gateway, port = wiki
    alice = gateway.person("alice")
    wanted = gateway.proxy["auth"]["clients"]["wiki"]["id_token_algorithm"]
    arguments = [gateway.url, "wiki", SECRET, REDIRECT, BYE, str(port), wanted]
    said = run_json("relying_party.mjs", arguments, tmp_path / "home", alice)
    assert said.pop("person") == {
        "sub": gateway.audit("--event", "sign_in", "--user", "alice")[-1]["principal_id"],
        "name": "alice",
        "preferred_username": "alice",
        "groups": ["developers"],
    }
    assert said == {
        "same_person": True,
        "left": f"{BYE}?state=see%20you",
        "same_session": True,
        "events": ["http://schemas.openid.net/event/backchannel-logout"],
        "still_knows": False,
    }
    (out,) = gateway.audit("--event", "sign_out")
    assert out["client_id"] == "wiki"
