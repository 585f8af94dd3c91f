"""Beyond the sign-in page: what was issued is given back, whatever was wrong with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gatekit.doctor.opening import Found
from gatekit.doctor.signin import SignIn, Somebody, stream
from gatekit.doctor.table import chosen
from gatekit.doctor.walk import Course, Registered
from gatekit.errors import ClientWouldFail
from gatekit.platform.clock import SystemEntropy
from gatekit.platform.outbound import Answer
from tests.unit.doctor.test_jar import Scripted, redirect

ORIGIN = "https://gate.example"
BACK = "http://localhost:5000/callback"
(PROFILE,) = chosen(("codex",))
SERVER = {
    f"{name}_endpoint": f"{ORIGIN}/{path}"
    for name, path in (("authorization", "authorize"), ("token", "token"), ("revocation", "revoke"))
}


def course() -> Course:
    found = Found(url=f"{ORIGIN}/mcp", resource=f"{ORIGIN}/mcp", scopes="", issuer=ORIGIN, server=SERVER)
    return Course(PROFILE, found=found, client=Registered(client_id="c", redirect_uri=BACK))


@pytest.mark.parametrize(
    ("issued", "code", "owed"),
    [
        ({"access_token": "at", "refresh_token": "rt", "token_type": "mac"}, "token-answer", "rt"),
        ({"access_token": "at", "token_type": "Bearer", "expires_in": 3600}, "token-answer", "at"),
        ({"refresh_token": "rt"}, "no-token", "rt"),
    ],
)
async def test_tokens_that_clients_cannot_use_are_given_back(
    issued: dict[str, Any], code: str, owed: str
) -> None:
    state = PROFILE.state.replace("{port}", "54321")
    token = Answer(200, {}, msgspec.json.encode(issued))
    back = redirect(f"{BACK}?code=x&state={state}&iss={ORIGIN}")
    line = Scripted(back, token, Answer(200, {}, b""), Answer(401, {}, b"{}"))
    walked = course()
    await SignIn(line, SystemEntropy(), Somebody("alice", "pw")).run(walked)
    assert walked.stopped is not None
    assert walked.stopped.code == code
    method, url, sent = line.asked[2]
    assert (method, url, sent["token"]) == ("POST", f"{ORIGIN}/revoke", owed)


class Opens(Scripted):
    """With one event stream."""

    def __init__(self, status: int, kind: str, body: bytes) -> None:
        session = Answer(200, {"mcp-session-id": "s"}, b"{}")
        super().__init__(session, Answer(200, {}, b""))
        self.status, self.headers, self.body = status, {"content-type": kind}, body

    async def open(self, url: str, headers: Any) -> Any:
        return self, self

    async def more(self) -> bytes:
        return self.body

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "kind", "body", "code"),
    [
        (200, "text/event-stream", b": hello", ""),
        (200, "text/event-stream", b"", "stream-held"),
        (200, "text/html", b"<html>", "stream-held"),
        (405, "text/plain", b"no", "call-failed"),
        (401, "application/json", b"", "call-failed"),
    ],
)
async def test_a_stream_is_good_when_it_was_seen(status: int, kind: str, body: bytes, code: str) -> None:
    line = Opens(status, kind, body)
    if code:
        with pytest.raises(ClientWouldFail, match=code):
            await stream(line, PROFILE, f"{ORIGIN}/mcp", "at")
    else:
        assert await stream(line, PROFILE, f"{ORIGIN}/mcp", "at")
    assert line.asked[-1][0] == "DELETE"
