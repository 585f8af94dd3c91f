"""Every fault that we measured in the first gateway with plugins, tried here: at least one test for each,
over real processes and through the doors that clients use. ``tests/arch/test_rivals_b.py`` counts them."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gatekit.config.load import load
from gatekit.model.rules import ByGroup, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from gatekit.plugin import Block, Listed, Pass, Plugin, Replace
from gatekit.plugins.builtin.detect import rules as packs
from gatekit.plugins.builtin.detect.scanner import Scanner
from gatekit.plugins.chain import Chain
from gatekit.plugins.house import Chains
from gatekit.plugins.verdicts import Entry
from tests.support.running import ECHO, RunningGateway, started
from tests.unit.gateway.rig import Answer, Rig, child, person
from tests.unit.gateway.shelves import ALICE, shelf

TALKER = "/s/talker/mcp"
SERVERS = (
    Server(name="talker", command=child("talker.py")),
    Server(name="unruly", command=child("unruly.py")),
    Server(name="mirror", command=child("mirror.py")),
    shelf("shelf", tools=["_odd", "plain"], resources=["file:///a/b.txt"], prompts=["p"]),
)
RULES = Rules(
    servers=(
        *(ServerRules(server=name, allowed=(ALICE,)) for name in ("talker", "unruly", "mirror")),
        ServerRules(
            server="shelf", allowed=(ALICE,), tools=(ToolRule(glob="_odd", allowed=(ByGroup("nobody"),)),)
        ),
    )
)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, SERVERS, RULES)
    made.door.give("alice", person("alice"))
    yield made
    await made.close()


class Client:
    """A client of the handshake era with a session."""

    def __init__(self, rig: Rig, path: str, session: str) -> None:
        self.rig, self.path, self.session, self.requests = rig, path, session, 0

    @classmethod
    async def opened(cls, rig: Rig, path: str = TALKER, **capabilities: Any) -> Client:
        return cls(rig, path, await rig.open(path, capabilities=capabilities))

    def begin(self, method: str, params: Any = None, request_id: Any = 0) -> Answer:
        self.requests += 1
        number = self.requests if request_id == 0 else request_id
        return self.rig.begin(self.path, method, params, number, mcp_session_id=self.session)

    async def ask(self, method: str, params: Any = None) -> Any:
        return (await self.begin(method, params).end()).json

    async def tell(self, method: str, params: Any) -> None:
        assert (await self.begin(method, params, None).end()).status == 202

    def start(self, tool: str, **arguments: Any) -> Answer:
        return self.begin("tools/call", {"name": tool, "arguments": arguments})

    async def call(self, tool: str, **arguments: Any) -> str:
        answer = (await self.start(tool, **arguments).end()).json
        return str(answer["result"]["content"][0]["text"])

    def stream(self) -> Answer:
        """What belongs to no call."""
        return self.rig.start(self.path, method="GET", mcp_session_id=self.session)


async def test_fault_1_a_long_line(rig: Rig) -> None:
    """Part B, fault 1: an answer of more than 64 kB killed the server, and its state went with it."""
    client = await Client.opened(rig)
    await client.call("remember", value="kept")
    for size in (60_000, 70_000, 1_000_000):
        assert len(await client.call("large", size=size)) == size
    assert await client.call("remember") == "kept"


async def test_fault_2_calls_do_not_wait_for_each_other(rig: Rig) -> None:
    """Part B, fault 2: one request at a time; a slow call delayed every quick one."""
    client = await Client.opened(rig)
    slow = client.start("slow")
    await rig.calling()
    assert "pid" in await client.call("whoami")
    assert not slow.done
    await client.tell("notifications/cancelled", {"requestId": 1})
    await slow.end()


async def test_fault_3_cancelling_reaches_the_server(rig: Rig) -> None:
    """Part B, fault 3: the notice was read when the call had ended, and nothing reached the server."""
    client = await Client.opened(rig)
    slow = client.start("slow")
    await rig.calling()
    await client.tell("notifications/cancelled", {"requestId": 1})
    await slow.end()
    async with asyncio.timeout(10):
        while await client.call("remember") != "cancelled":
            await asyncio.sleep(0.01)


async def test_fault_4_every_method_passes(rig: Rig) -> None:
    """Part B, fault 4: ping, templates, subscriptions, completion, log levels and what is unknown failed."""
    client = await Client.opened(rig, "/s/mirror/mcp")
    assert (await client.ask("ping"))["result"] == {}
    asked = {
        "resources/templates/list": {},
        "resources/subscribe": {"uri": "file:///a"},
        "completion/complete": {
            "ref": {"type": "ref/prompt", "name": "p"},
            "argument": {"name": "a", "value": "b"},
        },
        "logging/setLevel": {"level": "error"},
        "com.example/unheard_of": {"any": [1, {"thing": None}]},
    }
    for method, params in asked.items():
        answer = await client.ask(method, params)
        assert "result" in answer, (method, answer)
    assert answer["result"]["echo"] == asked["com.example/unheard_of"]


async def test_fault_5_the_server_may_ask(rig: Rig) -> None:
    """Part B, fault 5: what servers ask was swallowed, and one that reused a pending id failed all calls."""
    client = await Client.opened(rig, elicitation={}, sampling={}, roots={})
    for tool, method in (("ask", "elicitation/create"), ("sample", "sampling/createMessage")):
        call = client.start(tool)
        await call.until(method)
        (question,) = [event for event in call.events if event.get("method") == method]
        body = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "n": tool}}
        await rig.http(TALKER, json.dumps(body).encode(), mcp_session_id=client.session)
        assert tool in (await call.end()).json["result"]["content"][0]["text"]
    rude = await Client.opened(rig, "/s/unruly/mcp", roots={})
    other = rude.start("slow", seconds=0.5)
    collided = rude.start("collide")
    await collided.until("roots/list")
    (question,) = [event for event in collided.events if event.get("method") == "roots/list"]
    body = {"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}}
    await rig.http("/s/unruly/mcp", json.dumps(body).encode(), mcp_session_id=rude.session)
    assert "roots" in (await collided.end()).json["result"]["content"][0]["text"]
    assert "result" in (await other.end()).json


async def test_fault_6_further_pages(rig: Rig) -> None:
    """Part B, fault 6: nextCursor was dropped, and what stood on the second page did not exist."""
    client = await Client.opened(rig)
    first = (await client.ask("tools/list"))["result"]
    second = (await client.ask("tools/list", {"cursor": first["nextCursor"]}))["result"]
    names = {tool["name"] for tool in (*first["tools"], *second["tools"])}
    assert {"ask", "whoami"} <= names
    everywhere = await Client.opened(rig, "/mcp")
    merged = (await everywhere.ask("tools/list"))["result"]["tools"]
    assert {f"talker__{name}" for name in names} <= {tool["name"] for tool in merged}


async def test_fault_7_news_after_a_restart(rig: Rig) -> None:
    """Part B, fault 7: after a restart no notification of that server was ever forwarded again."""
    client = await Client.opened(rig)
    stream = client.stream()
    await client.call("grow")
    await stream.until("notifications/tools/list_changed")
    before = json.loads(await client.call("whoami"))["pid"]
    os.kill(before, 9)
    async with asyncio.timeout(20):
        while True:
            answer = (await client.start("whoami").end()).json
            if "result" in answer:
                break
            await asyncio.sleep(0.05)
    assert json.loads(answer["result"]["content"][0]["text"])["pid"] != before
    heard = len(stream.events)
    await client.call("grow")
    async with asyncio.timeout(10):
        while len(stream.events) == heard:
            await stream.news()
    stream.disconnect()
    await stream.end()


async def test_fault_8_what_the_server_says_of_itself(rig: Rig) -> None:
    """Part B, fault 8: instructions and capabilities were dropped, and a stray line killed the server."""
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    result = (await rig.rpc(TALKER, "initialize", params)).json["result"]
    assert result["instructions"] == "talk"
    assert {"tools", "logging", "prompts", "resources"} <= set(result["capabilities"])
    client = await Client.opened(rig, "/s/unruly/mcp")
    before = await client.call("pid")
    assert await client.call("stray") == "still here"
    assert await client.call("pid") == before


LOGGING = """
import json, sys
log = open(sys.argv[1], "a", buffering=1)
for line in sys.stdin:
    log.write(line)
    message = json.loads(line)
    if message.get("method") == "initialize":
        version, info = message["params"]["protocolVersion"], {"name": "l", "version": "1"}
        result = {"protocolVersion": version, "capabilities": {}, "serverInfo": info}
    elif message.get("method") == "server/discover":
        error = {"code": -32601, "message": "no"}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}), flush=True)
        continue
    elif "id" in message:
        result = {"content": []}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


def logging_servers(folder: Path) -> tuple[Server, ...]:
    return tuple(
        Server(name=name, command=(sys.executable, "-c", LOGGING, str(folder / f"{name}.log")))
        for name in ("one", "two")
    )


def heard(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.log").read_text().splitlines()]


@pytest.fixture
async def logged(tmp_path: Path) -> AsyncIterator[Rig]:
    listed = tuple(ServerRules(server=name, allowed=(ALICE,)) for name in ("one", "two"))
    made = Rig(tmp_path, logging_servers(tmp_path), Rules(servers=listed))
    made.door.give("alice", person("alice"))
    yield made
    await made.close()


async def test_fault_9_one_handshake(logged: Rig, tmp_path: Path) -> None:
    """Part B, fault 9: initialize was sent twice, and after a restart with no capabilities."""
    client = await Client.opened(logged, "/s/one/mcp", roots={"listChanged": True})
    await client.ask("tools/call", {"name": "x"})
    logged.pool.stop_server("one")
    await client.ask("tools/call", {"name": "x"})
    greetings = [message for message in heard(tmp_path, "one") if message.get("method") == "initialize"]
    assert len(greetings) == 2, "one for each process"
    assert [each["params"]["capabilities"] for each in greetings] == [{"roots": {"listChanged": True}}] * 2


async def test_fault_10_notices_go_where_they_belong(logged: Rig, tmp_path: Path) -> None:
    """Part B, fault 10: what names no server went to the first one, whichever that was."""
    one = await Client.opened(logged, "/s/one/mcp", roots={"listChanged": True})
    two = await Client.opened(logged, "/s/two/mcp", roots={"listChanged": True})
    await one.ask("tools/call", {"name": "x"})
    await two.tell("notifications/roots/list_changed", {})
    await two.ask("tools/call", {"name": "x"})
    said = {name: [m.get("method") for m in heard(tmp_path, name)] for name in ("one", "two")}
    assert "notifications/roots/list_changed" in said["two"]
    assert "notifications/roots/list_changed" not in said["one"]


async def test_fault_11_no_record_no_call(rig: Rig) -> None:
    """Part B, fault 11: with an audit that could not be written the call was served all the same."""
    client = await Client.opened(rig)
    await client.call("remember", value="before")
    full = os.open("/dev/full", os.O_WRONLY)
    files = [fd for fd in os.listdir("/proc/self/fd") if _is_trail(rig, fd)]
    kept = [(int(fd), os.dup(int(fd))) for fd in files]
    assert kept
    audit = rig.folder / "audit"
    audit.rename(rig.folder / "away")
    audit.write_text("in the way of a new one")
    for fd, _ in kept:
        os.dup2(full, fd)
    try:
        answers = [await client.start("remember", value="unrecorded").end() for _ in range(2)]
        assert [answer.json["error"]["code"] for answer in answers] == [-31005] * 2
    finally:
        for fd, copy in kept:
            os.dup2(copy, fd)
            os.close(copy)
        os.close(full)
        audit.unlink()
        (rig.folder / "away").rename(audit)


def _is_trail(rig: Rig, fd: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith(str(rig.folder / "audit"))
    except OSError:
        return False


class Sees(Plugin):
    """Blocks greetings, and empties lists."""

    def __init__(self) -> None:
        super().__init__(None, "sees")
        self.lists: list[str] = []

    def on_request(self, subject: Any, asked: Any) -> Any:
        return Block("not today") if asked.method == "initialize" else Pass()

    def on_list(self, subject: Any, listed: Listed) -> Any:
        self.lists.append(listed.method)
        return Replace([])


async def test_fault_12_odd_names_and_greetings_are_no_bypass(rig: Rig) -> None:
    """Part B, fault 12: names with an underscore, lists of prompts and resources, and greetings passed by."""
    for path, prefix in (("/s/shelf/mcp", ""), ("/mcp", "shelf__")):
        client = await Client.opened(rig, path)
        names = [tool["name"] for tool in (await client.ask("tools/list"))["result"]["tools"]]
        assert f"{prefix}plain" in names
        assert f"{prefix}_odd" not in names
        assert "error" in await client.ask("tools/call", {"name": f"{prefix}_odd", "arguments": {}})
    sees = Sees()
    tables = rig.tables(SERVERS, RULES)
    entries = [Entry(name="sees", plugin=sees)]
    tables.plugins = Chains(Chain("", []), {"shelf": Chain("shelf", entries)})
    rig.gateway.apply(tables)
    client = await Client.opened(rig, "/mcp")
    for method in ("tools/list", "prompts/list", "resources/list"):
        (items,) = [v for v in (await client.ask(method))["result"].values() if isinstance(v, list)]
        assert not [item for item in items if "shelf" in str(item.get("name", item.get("uri")))]
        assert method in sees.lists
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    assert "error" in (await rig.rpc("/s/shelf/mcp", "initialize", params)).json


def test_fault_13_off_at_a_server_is_off(tmp_path: Path) -> None:
    """Part B, fault 13: ``enabled: false`` at a server did not override what stood for all of them."""
    path = tmp_path / "gatekit.yaml"
    path.write_text(
        "plugins: [{use: size, max_arguments: 10}]\n"
        "servers:\n"
        "  off: {command: x, allowed_users: [alice], plugins: [{use: size, enabled: false}]}\n"
        "  own: {command: x, allowed_users: [alice], plugins: [{use: size, max_arguments: 99}]}\n"
        "  plain: {command: x, allowed_users: [alice]}\n"
    )
    plan = load(path, {}).plugins
    found = {name: [spec.options for spec in plan.of(name)] for name in ("off", "own", "plain")}
    assert found == {"off": [], "own": [{"max_arguments": 99}], "plain": [{"max_arguments": 10}]}


@pytest.mark.parametrize("name", ["secrets", "pii", "injection"])
@pytest.mark.parametrize("filler", ["`" * 3, "```\n", "- ", "a@", "=" * 7])
def test_fault_14_no_text_freezes_a_guard(name: str, filler: str) -> None:
    """Part B, fault 14: 32 kB of fences took 7.8 s, growing with the square; a megabyte would take hours."""
    text = filler * (1_000_000 // len(filler))
    assert Scanner([packs.built_in(name)]).scan(text) is not None


def test_fault_15_what_is_kept_is_nobody_elses(tmp_path: Path) -> None:
    """Part B, fault 15: tokens and audit files could be read by everybody on the machine."""
    before = os.umask(0o000)
    try:
        running = RunningGateway(tmp_path, {"echo": {"command": list(ECHO), "users": ["developers"]}})
        with started(running):
            running.gatekit("users", "add", "alice")
            running.gatekit("keys", "create", "alice", "--name", "k")
            kept = [path for path in running.data.rglob("*") if path.exists()]
            loose = [
                str(path) for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077 and path.is_file()
            ]
    finally:
        os.umask(before)
    assert len(kept) >= 3
    assert loose == []


async def test_fault_16_uris_stay_uris(rig: Rig) -> None:
    """Part B, fault 16: resources were named ``server__file:///…``, which no reader of URIs can read."""
    client = await Client.opened(rig, "/mcp")
    listed = (await client.ask("resources/list"))["result"]["resources"]
    assert listed
    for resource in listed:
        parts = urlsplit(resource["uri"])
        assert parts.scheme
        assert "_" not in parts.scheme
        answer = await client.ask("resources/read", {"uri": resource["uri"]})
        assert {each["uri"] for each in answer["result"]["contents"]} == {resource["uri"]}


async def test_fault_17_a_child_sees_what_was_declared(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part B, fault 17: servers saw the gateway's whole environment."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never to be seen")
    client = await Client.opened(rig)
    seen = set(json.loads(await client.call("whoami"))["env"])
    assert seen <= {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LC_CTYPE", "GATEKIT_LINK"}
