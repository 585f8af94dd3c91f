"""The approvals webhook, against a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from gatekit import approving
from gatekit.approving import Announcer
from gatekit.model.approvals import Approval
from gatekit.platform.clock import SystemClock, SystemEntropy
from tests.unit.config.write import faults, loaded

KEY = b"0123456789abcdef0123"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
WAITING = Approval(
    id="apr_1",
    gateway="gw",
    request_id="req_1",
    principal_id="usr_alice",
    principal="alice",
    client_id="client_1",
    client="Claude",
    server="notes",
    method="tools/call",
    name="delete_note",
    rule="rules.careful",
    reason="a note is gone for good",
    digest="d",
    arguments="sealed",
    asked_at=1,
    expires_at=301,
)


class Receiver:
    """Answers each message with the next status."""

    def __init__(self, statuses: list[int]) -> None:
        self.statuses = statuses
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        status = self.statuses[min(len(self.got), len(self.statuses) - 1)]
        self.got.append((headers, body))
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def announcing(
    folder: Path, receiver: Callable[..., Awaitable[None]], secret: str = SECRET
) -> AsyncIterator[Announcer]:
    server = await asyncio.start_server(receiver, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = f"""
servers: {{notes: {{command: x, allowed_users: [alice]}}}}
approvals: {{webhook: "http://127.0.0.1:{port}/hook", webhook_secret: "{secret}"}}
"""
    config = loaded(folder, text)
    made = Announcer(lambda: config, SystemClock(), SystemEntropy())
    try:
        yield made
    finally:
        made.close()
        server.close()
        await server.wait_closed()


async def through(announcer: Announcer) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*announcer._sending)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approving, "_TRIES", (0.0, 0.0, 0.0, 0.0))


async def test_a_message_is_signed_and_holds_nothing_to_approve_with(tmp_path: Path) -> None:
    receiver = Receiver([204])
    async with announcing(tmp_path, receiver.serve) as announcer:
        announcer(WAITING)
        await through(announcer)
    [(headers, body)] = receiver.got
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    said = json.loads(body)
    assert (said["person"], said["server"], said["name"]) == ("alice", "notes", "delete_note")
    assert said["url"].endswith("/admin/approvals?id=apr_1")
    assert "arguments" not in said
    assert b"sealed" not in body


@pytest.mark.parametrize(
    ("statuses", "tries"), [([503, 200], 2), ([429, 200], 2), ([500], 4), ([403, 200], 1), ([302, 200], 2)]
)
async def test_what_may_pass_is_tried_again_with_the_same_id(
    tmp_path: Path, statuses: list[int], tries: int
) -> None:
    receiver = Receiver(statuses)
    async with announcing(tmp_path, receiver.serve) as announcer:
        announcer(WAITING)
        await through(announcer)
    assert len(receiver.got) == tries
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_a_webhook_that_does_not_answer_keeps_nobody_waiting_and_little_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hung = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    async with announcing(tmp_path, hang) as announcer:
        for number in range(100):
            announcer(replace(WAITING, id=f"apr_{number}"))  # says at once
        assert len(announcer._sending) == approving._AT_ONCE
        assert "too slow" in caplog.text
        hung.set()


@pytest.mark.parametrize(("secret", "said"), [("short", "at least 16 bytes"), ("whsec_!!!!", "comes base64")])
def test_a_secret_that_is_none_is_told_without_it(tmp_path: Path, secret: str, said: str) -> None:
    text = f"""
servers: {{notes: {{command: x, allowed_users: [alice]}}}}
approvals: {{webhook: "https://chat.example.com/hook", webhook_secret: "{secret}"}}
"""
    found = faults(tmp_path, text)
    assert any(said in fault for fault in found), found
    assert not any(secret in fault for fault in found)
