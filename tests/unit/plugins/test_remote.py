"""Plugins that run elsewhere: over a real HTTP server, and in a real process."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.plugins import PluginPlan, PluginSpec
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.plugged import Plugged
from gatekit.plugin import Answered, Asked, Block, Listed, Pass, Pieces, PluginError, Record, Replace, Subject
from gatekit.plugins import loader
from gatekit.plugins.chain import Chain, Onward
from gatekit.plugins.house import House
from gatekit.plugins.remote import Unusable, verdict_of
from gatekit.upstream.supervisor import Supervisor

ALICE = Subject(server="db", username="alice", groups=frozenset({"b", "a"}))
ASKED = Asked(method="tools/call", name="query", arguments={"sql": "select 1"}, meta={"k": 1})
SECRET = "0123456789abcdef"


class Server:
    """Answers each POST with what ``say`` makes of the message."""

    def __init__(self, say: Callable[[Any], tuple[int, Any]]) -> None:
        self.say = say
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.got.append((headers, body))
        status, answer = self.say(json.loads(body))
        said = (
            answer
            if isinstance(answer, bytes)
            else json.dumps(answer).encode()
            if answer is not None
            else b""
        )
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (status, len(said)) + said
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    made = Supervisor(SystemClock(), os.environ, "test")
    yield made
    await made.close()


@pytest.fixture
async def house(supervisor: Supervisor) -> AsyncIterator[House]:
    plugged = Plugged(SystemClock(), SystemEntropy(), supervisor)
    made = plugged._built()
    yield made
    await made.close()


@pytest.fixture
async def webhook() -> AsyncIterator[Server]:
    server = Server(lambda _: (200, {"verdict": "pass"}))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook?x=1"
    yield server
    listening.close()
    await listening.wait_closed()


def chain(house: House, use: str, on_error: Any = "closed", deadline: float = 10.0, **options: Any) -> Chain:
    spec = PluginSpec(name="far", use=use, on_error=on_error, deadline=deadline, options=options)
    chains = house.chains(PluginPlan(entries=(spec,)), ["db"])
    assert chains is not None
    found = chains.at("db")
    assert found is not None
    return found


async def test_a_webhook_is_told_and_its_verdict_counts(house: House, webhook: Server) -> None:
    def say(message: Any) -> tuple[int, Any]:
        if "drop" in message["asked"]["arguments"]["sql"]:
            return 200, {"verdict": "block", "reason": "drops", "public": "no", "note": "drop"}
        return 200, {"verdict": "replace", "content": {"sql": "select 2"}}

    webhook.say = say
    found = chain(house, "webhook", url=webhook.url, secret=SECRET, headers={"x-team": "sec"})
    seen: list[str] = []
    went = await found.request(ALICE, ASKED, seen)
    assert isinstance(went, Onward)
    assert went.asked.arguments == {"sql": "select 2"}
    dropping = Asked(method="tools/call", name="query", arguments={"sql": "drop"})
    assert await found.request(ALICE, dropping, seen) == Block("far: drops", "no", "drop")
    assert seen == ["far:replace", "far:drop"]
    headers, body = webhook.got[0]
    message = json.loads(body)
    assert (message["version"], message["hook"]) == (1, "request")
    assert message["subject"]["groups"] == ["a", "b"]
    assert message["asked"] == {
        "method": "tools/call",
        "name": "query",
        "arguments": {"sql": "select 1"},
        "meta": {"k": 1},
        "extra": {},
    }
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["x-team"] == "sec"
    assert webhook.got[1][0]["webhook-id"] != headers["webhook-id"]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"verdict": "pass"}),
        (302, {"verdict": "pass"}),
        (200, b"yes"),
        (200, {"verdict": "allow"}),
        (200, {"verdict": "pass", "allowed": True}),
        (200, b"{}"),
        (200, {"verdict": "pass", "note": "x" * 2000}),
        (200, {"verdict": "replace", "content": ["x"]}),
        (200, {"verdict": "block", "reason": 7}),
    ],
    ids=str,
)
async def test_any_other_answer_of_a_webhook_is_a_failure(house: House, webhook: Server, answer: Any) -> None:
    webhook.say = lambda _: answer
    found = chain(house, "webhook", url=webhook.url, secret=SECRET, max_bytes=1024)
    assert isinstance(await found.request(ALICE, ASKED, []), Block)
    found = chain(house, "webhook", url=webhook.url, secret=SECRET, max_bytes=1024, on_error="open")
    assert isinstance(await found.request(ALICE, ASKED, []), Onward)


async def test_a_webhook_that_is_late_or_away(house: House, webhook: Server) -> None:
    found = chain(house, "webhook", url="http://127.0.0.1:1/", secret=SECRET)
    seen: list[str] = []
    assert isinstance(await found.request(ALICE, ASKED, seen), Block)
    assert seen == ["far:error:OutboundRefused"]

    ended = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    listening = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    late = chain(house, "webhook", url=url, secret=SECRET, deadline=0.1)
    assert isinstance(await late.request(ALICE, ASKED, seen), Block)
    assert seen[-1] == "far:error:TimeoutError"
    await asyncio.wait_for(ended.wait(), 10)
    listening.close()
    await listening.wait_closed()
    webhook.say = lambda _: (204, None)
    assert isinstance(
        await chain(house, "webhook", url=webhook.url, secret=SECRET).request(ALICE, ASKED, []), Onward
    )


async def test_every_hook_of_a_webhook(house: House, webhook: Server) -> None:
    hooks = ["request", "response", "list", "notification", "question", "answer", "record"]
    found = chain(house, "webhook", url=webhook.url, secret=SECRET, hooks=hooks)
    raw = Answered("tools/call", "query", raw=Pieces((b'{"content":', b"[]}")))
    await found.response(ALICE, ASKED, raw, [])
    assert not raw.decoded
    await found.listed(ALICE, Listed(method="tools/list", key="tools", items=({"name": "a"},)), [])
    assert await found.recorded(ALICE, Record(event={"event": "call"}))
    told = [json.loads(body) for _, body in webhook.got]
    assert [message["hook"] for message in told] == ["response", "list", "record"]
    assert told[0]["answered"]["body"] == {"content": []}
    assert told[1]["listed"]["items"] == [{"name": "a"}]
    assert told[2]["event"] == {"event": "call"}


async def test_what_is_too_large_is_not_sent(house: House, webhook: Server) -> None:
    found = chain(house, "webhook", url=webhook.url, secret=SECRET, max_bytes=1024)
    large = Answered("tools/call", "query", raw=Pieces((b'{"a":"', b"x" * 2000, b'"}')))
    assert isinstance(await found.response(ALICE, ASKED, large, []), Block)
    assert not webhook.got


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x", "secret": SECRET},
        {"url": "nonsense", "secret": SECRET},
        {"url": "https://x", "secret": "short"},
        {"url": "https://x", "secret": "whsec_!!"},
        {"url": "https://x"},
        {"url": "https://x", "secret": SECRET, "hooks": ["everything"]},
    ],
)
def test_options_of_a_webhook(options: Any) -> None:
    with pytest.raises(PluginError):
        loader.make(PluginSpec(name="w", use="webhook", options=options), "")


def test_the_signature_is_the_one_of_the_standard() -> None:
    """The example of Standard Webhooks 1.0, docs for verifying: id, timestamp and body with a known key."""
    from gatekit.platform.signed import key_of, signature

    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b'{"verdict":1}', b'{"verdict":"pass"} x', b"\xff"])
def test_no_verdict(text: bytes) -> None:
    with pytest.raises(Unusable):
        verdict_of(text)


def test_verdicts() -> None:
    assert verdict_of(b'{"verdict":"pass","note":"n"}') == Pass("n")
    assert verdict_of(b'{"verdict":"replace","name":"x"}') == Replace(None, "x")


# -- a process ---------------------------------------------------------------------------------------------

PROGRAM = """
import json, os, sys, time
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    asked = message["params"].get("asked", {})
    sql = asked.get("arguments", {}).get("sql", "")
    if sql == "die":
        sys.exit(3)
    if sql == "hang":
        continue
    if sql == "noise":
        print("debugging")
        print("x" * 200_000, file=sys.stderr)
    if sql == "nonsense":
        result = {"allowed": True}
    elif sql == "drop":
        result = {"verdict": "block", "reason": "drops", "public": "no"}
    else:
        note = f"{os.getpid()} {sorted(k for k in os.environ if k.startswith(('SECRET', 'MINE')))}"
        result = {"verdict": "pass", "note": note}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    path = tmp_path / "guard.py"
    path.write_text(PROGRAM)
    return [sys.executable, "-u", str(path)]


def asking(sql: str) -> Asked:
    return Asked(method="tools/call", name="query", arguments={"sql": sql})


async def test_a_plugin_in_a_process(house: House, program: list[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("SECRET_OF_THE_GATEWAY", "x")
    found = chain(house, "process", command=program, env={"MINE": "1"})
    seen: list[str] = []
    assert await found.request(ALICE, asking("drop"), seen) == Block("far: drops", "no")
    await asyncio.gather(*(found.request(ALICE, asking(f"select {n}"), seen) for n in range(50)))
    assert len({note for note in seen[1:]}) == 1  # one process for all
    assert seen[1].endswith("['MINE']")
    assert isinstance(await found.request(ALICE, asking("noise"), seen), Onward)
    assert isinstance(await found.request(ALICE, asking("nonsense"), seen), Block)


async def test_a_process_that_dies_is_started_again(house: House, program: list[str]) -> None:
    found = chain(house, "process", command=program)
    first: list[str] = []
    await found.request(ALICE, asking("x"), first)
    assert isinstance(await found.request(ALICE, asking("die"), []), Block)
    async with asyncio.timeout(20):
        while True:
            again: list[str] = []
            if isinstance(await found.request(ALICE, asking("x"), again), Onward):
                break
            await asyncio.sleep(0.1)
    assert again[0].split()[0] != first[0].split()[0]


async def test_a_process_that_hangs_or_is_not_there(house: House, program: list[str]) -> None:
    seen: list[str] = []
    hanging = chain(house, "process", command=program, deadline=2.0)
    assert isinstance(await hanging.request(ALICE, asking("hang"), seen), Block)
    assert seen == ["far:error:TimeoutError"]
    assert isinstance(await hanging.request(ALICE, asking("x"), seen), Onward)
    missing = chain(house, "process", command=["/does/not/exist"])
    assert isinstance(await missing.request(ALICE, asking("x"), seen), Block)
    assert isinstance(await missing.request(ALICE, asking("x"), seen), Block)


async def test_the_process_ends_with_the_plugin(house: House, program: list[str]) -> None:
    found = chain(house, "process", command=program)
    seen: list[str] = []
    await found.request(ALICE, asking("x"), seen)
    pid = int(seen[0].split(":")[1].split()[0])
    await house.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert isinstance(await found.request(ALICE, asking("x"), []), Block)
