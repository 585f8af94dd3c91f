"""A gateway as an operator starts it, flooded over many connections at the same moment."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gatekit.demo.wire import REDIRECT_URI, fetch, post_json
from tests.support.raw import HANDSHAKE
from tests.support.running import ECHO, RunningGateway, started

REGISTRATION = json.dumps({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}).encode()
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": HANDSHAKE,
        "capabilities": {},
        "clientInfo": {"name": "caller", "version": "1"},
    },
}


def test_a_flood_of_registrations_is_told_to_wait_and_calls_go_on(tmp_path: Path) -> None:
    """K1: The budget holds, nobody is left without an answer, what is above the budget of the record is
    refused before anything looks at it, and who is signed in calls as if nothing were."""
    gateway = RunningGateway(
        tmp_path, {"echo": {"command": list(ECHO), "users": ["developers"], "instances": "shared"}}
    )
    with started(gateway):
        token = gateway.token(gateway.person("alice"), "echo")
        gate = threading.Barrier(64)

        def one(number: int) -> list[int]:
            gate.wait(60)
            if number % 16 == 0:
                bearer = {"Authorization": f"Bearer {token}"}
                url = gateway.endpoint("echo")
                return [post_json(url, INITIALIZE, bearer).status for _ in range(2)]
            url, kind = f"{gateway.url}/register", {"Content-Type": "application/json"}
            return [fetch(url, REGISTRATION, kind).status for _ in range(2)]

        with ThreadPoolExecutor(64) as pool:
            seen = [code for codes in pool.map(one, range(64)) for code in codes]
        refused = [event for event in gateway.audit() if event.get("action") == "refused"]
    assert set(seen) == {200, 201, 429}
    assert seen.count(200) == 8
    assert 19 <= seen.count(201) <= 24  # one of twenty was spent for the token; ten come back in a minute
    # One refusal each goes on record until that budget is spent as well; the rest never got that far.
    assert len(refused) < seen.count(429)
    looked_at = gateway.log.read_text(encoding="utf-8").count("refused path=/register")
    assert 0 < looked_at < seen.count(429)
