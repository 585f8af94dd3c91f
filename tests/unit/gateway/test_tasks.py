"""Tasks: passed through where both ends speak of them alike, carried out where they do not, and nobody's but
their owner's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gatekit.gateway import tasks
from gatekit.gateway.published import Published
from gatekit.model.rules import ByLogin, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from gatekit.model.virtual import Exposed, Virtual
from gatekit.policy.engine import Policy
from tests.support.scripted import ScriptedLink, ScriptedPool
from tests.support.tasking import CAPABILITIES, EXTENSION, RELATED, TEXT, Core, Extension, Tasking
from tests.unit.gateway.rig import Answer, Rig, person

PATH = "/s/s/mcp"
PEOPLE = (ByLogin("local", "alice"), ByLogin("local", "bob"))
DECLARED: dict[str, Any] = {CAPABILITIES: {"extensions": {EXTENSION: {}}}}


@asynccontextmanager
async def tasking(
    folder: Path, server: Tasking, instances: Any = "session", rules: tuple[ToolRule, ...] = ()
) -> AsyncIterator[Rig]:
    era, version = ("handshake", "2025-11-25") if isinstance(server, Core) else ("stateless", "2026-07-28")
    pool = ScriptedPool(server, era, version, **server.capabilities)  # type: ignore[arg-type, attr-defined]
    servers = (Server(name="s", command=("none",), instances=instances), Server(name="t", command=("none",)))
    table = Rules(
        servers=(
            ServerRules(server="s", allowed=PEOPLE, tools=rules),
            ServerRules(server="t", allowed=PEOPLE),
        )
    )
    rig = Rig(folder, servers, table, pool)
    rig.door.give("alice", person("alice"))
    rig.door.give("alice2", person("alice"), client="cli_2")
    rig.door.give("bob", person("bob"))
    try:
        yield rig
    finally:
        await rig.close()


class Old:
    """A client with a session."""

    def __init__(self, rig: Rig, session: str, token: str, path: str) -> None:
        self.rig, self.session, self.token, self.path = rig, session, token, path
        self.requests = 0

    @classmethod
    async def opened(
        cls,
        rig: Rig,
        token: str = "alice",
        version: str = "2025-11-25",
        path: str = PATH,
        **capabilities: Any,
    ) -> Old:
        return cls(rig, await rig.open(path, token, capabilities, version), token, path)

    def begin(self, method: str, **params: Any) -> Answer:
        self.requests += 1
        return self.rig.begin(
            self.path, method, params, self.requests, token=self.token, mcp_session_id=self.session
        )

    async def ask(self, method: str, **params: Any) -> Any:
        answer = (await self.begin(method, **params).end()).json
        return answer.get("result", answer.get("error"))


class New:
    """A client without one, that knows the extension."""

    def __init__(self, rig: Rig, token: str = "alice", path: str = PATH, meta: Any = DECLARED) -> None:
        self.rig, self.token, self.path, self.meta = rig, token, path, meta

    def begin(self, method: str, **params: Any) -> Answer:
        named = {"mcp_name": params["taskId"]} if "taskId" in params else {}
        params["_meta"] = {**self.meta, **params.get("_meta", {})}
        return self.rig.begin_stateless(self.path, method, params, token=self.token, **named)

    async def ask(self, method: str, **params: Any) -> Any:
        answer = (await self.begin(method, **params).end()).json
        return answer.get("result", answer.get("error"))


INSTANCES = pytest.mark.parametrize("instances", ["session", "user", "shared"])


# -- the same on both sides --------------------------------------------------------------------------------


@INSTANCES
async def test_a_task_of_2025_11_25_from_beginning_to_end(tmp_path: Path, instances: str) -> None:
    server = Core()
    async with tasking(tmp_path, server, instances) as rig:
        client = await Old.opened(rig)
        made = await client.ask("tools/call", name="only", task={"ttl": 60000})
        assert made["task"] == server.shown({"taskId": "task-1", "status": "working"})
        assert rig.pool.link.requests("tools/call")[0]["task"] == {"ttl": 60000}
        for _ in range(3):
            state = await client.ask("tasks/get", taskId="task-1")
        assert state["status"] == "completed"
        assert (await client.ask("tasks/list"))["tasks"] == [state]
        result = await client.ask("tasks/result", taskId="task-1")
        assert (result["content"], result["_meta"][RELATED]) == (TEXT, {"taskId": "task-1"})
        assert (await client.ask("tasks/cancel", taskId="task-1"))["status"] == "cancelled"
        records = [r for r in rig.records() if r["method"].startswith("tasks/")]
        assert {r["name"] for r in records if r["method"] != "tasks/list"} == {"only"}


@INSTANCES
async def test_a_task_of_the_extension_from_beginning_to_end(tmp_path: Path, instances: str) -> None:
    server = Extension()
    async with tasking(tmp_path, server, instances) as rig:
        client = New(rig)
        found = await client.ask("server/discover")
        assert EXTENSION in found["capabilities"]["extensions"]
        made = await client.ask("tools/call", name="asks")
        shown = {k: v for k, v in made.items() if k != "_meta"}
        expected = server.shown({"taskId": "task-1", "status": "working"})
        assert shown == {"resultType": "task", **expected}
        for _ in range(3):
            state = await client.ask("tasks/get", taskId="task-1")
        assert (state["status"], state["ttlMs"], "cacheScope" in state) == ("input_required", 60000, False)
        answers = {"q1": {"action": "accept", "content": {}}}
        assert (await client.ask("tasks/update", taskId="task-1", inputResponses=answers))[
            "resultType"
        ] == "complete"
        assert server.answers == [answers]
        state = await client.ask("tasks/get", taskId="task-1")
        assert (state["status"], state["result"]["content"]) == ("completed", TEXT)
        assert (await client.ask("tasks/cancel", taskId="task-1"))["resultType"] == "complete"


async def test_a_client_that_does_not_declare_it_is_given_no_task(tmp_path: Path) -> None:
    async with tasking(tmp_path, Extension()) as rig:
        client = New(rig, meta={})
        assert (await client.ask("tools/call", name="long"))["content"] == TEXT
        refused = await client.ask("tools/call", name="only")
        assert (refused["code"], refused["data"]) == (
            -32021,
            {"requiredCapabilities": {"extensions": {EXTENSION: {}}}},
        )


# -- owners ------------------------------------------------------------------------------------------------


@INSTANCES
@pytest.mark.parametrize("stranger", ["bob", "alice2"])
async def test_nobody_elses_task_exists(tmp_path: Path, instances: str, stranger: str) -> None:
    """I6: Nobody else's task exists."""
    server = Core()
    async with tasking(tmp_path, server, instances) as rig:
        owner = await Old.opened(rig)
        other = await Old.opened(rig, stranger)
        await owner.ask("tools/call", name="long", task={})
        for method in ("tasks/get", "tasks/result", "tasks/cancel"):
            refused = await other.ask(method, taskId="task-1")
            assert (refused["code"], refused["message"]) == (-32602, "Unknown task: task-1")
        assert (await other.ask("tasks/list"))["tasks"] == []
        assert server.tasks["task-1"]["status"] == "working"
        seen = [m["method"] for link in rig.pool.links.values() for m in link.received if "method" in m]
        assert not {"tasks/get", "tasks/result", "tasks/cancel"} & set(seen)
        denied = [r for r in rig.records() if r["decision"] == "deny"]
        assert [(r["method"], r["name"]) for r in denied] == [
            ("tasks/get", "task-1"),
            ("tasks/result", "task-1"),
            ("tasks/cancel", "task-1"),
        ]
        assert (await owner.ask("tasks/get", taskId="task-1"))["taskId"] == "task-1"


async def test_nobody_elses_task_of_the_extension_exists(tmp_path: Path) -> None:
    """I6: Nobody else's task of the extension exists."""
    async with tasking(tmp_path, Extension(), "shared") as rig:
        await New(rig).ask("tools/call", name="long")
        for stranger in (New(rig, "bob"), New(rig, "alice2"), New(rig, path="/s/t/mcp")):
            for method in ("tasks/get", "tasks/cancel", "tasks/update"):
                refused = await stranger.ask(method, taskId="task-1", inputResponses={})
                assert refused["code"] == -32602
        assert rig.pool.link.requests("tasks/get") == []


async def test_who_lost_the_tool_has_lost_its_tasks(tmp_path: Path) -> None:
    async with tasking(tmp_path, Core()) as rig:
        client = await Old.opened(rig)
        await client.ask("tools/call", name="long", task={})
        rules = (ToolRule(glob="long", allowed=(ByLogin("local", "bob"),)),)
        table = Rules(servers=(ServerRules(server="s", allowed=PEOPLE, tools=rules),))
        rig.gateway.apply(rig.tables((Server(name="s", command=("none",)),), table))
        assert (await client.ask("tasks/get", taskId="task-1"))["code"] == -32602
        assert rig.pool.link.requests("tasks/get") == []


async def test_on_the_aggregate_endpoint_a_task_finds_its_server(tmp_path: Path) -> None:
    async with tasking(tmp_path, Core(), "shared") as rig:
        client = await Old.opened(rig, path="/mcp")
        await client.ask("tools/call", name="s__long", task={})
        assert (await client.ask("tasks/get", taskId="task-1"))["taskId"] == "task-1"
        outside = await Old.opened(rig)
        assert (await outside.ask("tasks/get", taskId="task-1"))["code"] == -32602


async def test_a_task_of_a_virtual_server_is_judged_by_both(tmp_path: Path) -> None:
    """Attack: the right at the virtual server is taken away, the one at the server behind it stays."""
    alice = ByLogin("local", "alice")
    exposed = Exposed(kind="tool", name="work", server="s", original="long")
    virtual = Virtual(name="v", exposed=(exposed,))
    async with tasking(tmp_path, Core()) as rig:
        server = Server(name="s", command=("none",))

        def publish(*people: ByLogin) -> None:
            rules = Rules(
                servers=(
                    ServerRules(server="s", allowed=PEOPLE),
                    ServerRules(server="v", allowed=(alice,), tools=(ToolRule(glob="work", allowed=people),)),
                )
            )
            rig.gateway.apply(Published({"s": server}, Policy.compile(rules), (virtual,)))

        publish(alice)
        client = await Old.opened(rig, path="/s/v/mcp")
        await client.ask("tools/call", name="work", task={})
        assert (await client.ask("tasks/get", taskId="task-1"))["taskId"] == "task-1"
        publish(ByLogin("local", "bob"))
        assert (await client.ask("tasks/get", taskId="task-1"))["code"] == -32602


async def test_two_servers_with_one_id_are_not_mixed_up(tmp_path: Path) -> None:
    class Same(Core):
        def new(self, tool: str) -> dict[str, Any]:
            self.tasks.clear()
            return super().new(tool)

    async with tasking(tmp_path, Same()) as rig:
        client = await Old.opened(rig, path="/mcp")
        await client.ask("tools/call", name="s__long", task={})
        await client.ask("tools/call", name="t__long", task={})
        assert (await client.ask("tasks/get", taskId="task-1"))["code"] == -32602


async def test_the_memory_of_tasks_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_PER_OWNER", 3)
    monkeypatch.setattr(tasks, "_IN_ALL", 4)
    async with tasking(tmp_path, Core(), "shared") as rig:
        known = rig.gateway._exchange.tasks
        alice, bob = await Old.opened(rig), await Old.opened(rig, "bob")
        for _ in range(5):
            await alice.ask("tools/call", name="long", task={})
        assert len(known) == 3
        for _ in range(2):
            await bob.ask("tools/call", name="long", task={})
        assert len(known) == 4
        assert [t["taskId"] for t in (await alice.ask("tasks/list"))["tasks"]] == ["task-4", "task-5"]
        assert [t["taskId"] for t in (await bob.ask("tasks/list"))["tasks"]] == ["task-6", "task-7"]


async def test_a_task_that_has_expired_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_life", lambda _handle: -1.0)
    async with tasking(tmp_path, Core()) as rig:
        client = await Old.opened(rig)
        await client.ask("tools/call", name="long", task={})
        assert (await client.ask("tasks/get", taskId="task-1"))["code"] == -32602
        known = rig.gateway._exchange.tasks
        known._swept = float("-inf")
        known.sweep()
        assert len(known) == 0


async def test_progress_of_a_task_goes_on_after_its_call_was_answered(tmp_path: Path) -> None:
    async with tasking(tmp_path, Core()) as rig:
        client = await Old.opened(rig)
        await client.ask("tools/call", name="long", task={}, _meta={"progressToken": "mine"})
        stream = rig.start(PATH, method="GET", mcp_session_id=client.session)
        link = rig.pool.link
        for token in (12345, link.requests("tools/call")[0]["_meta"]["progressToken"]):
            params = {"progressToken": token, "progress": 1}
            link.say({"method": "notifications/progress", "params": params})
        await stream.until("progress")
        assert [e["params"] for e in stream.events] == [{"progressToken": "mine", "progress": 1}]
        stream.disconnect()


# -- states that are told -----------------------------------------------------------------------------------


@INSTANCES
async def test_only_the_owner_hears_of_the_state_of_a_task(tmp_path: Path, instances: str) -> None:
    """I6, I7: Only the owner hears of the state of a task."""
    async with tasking(tmp_path, Core(), instances) as rig:
        owner = await Old.opened(rig)
        await owner.ask("tools/call", name="long", task={})
        link = rig.pool.link
        streams = {}
        for token, session in (("alice", owner.session), ("bob", (await Old.opened(rig, "bob")).session)):
            streams[token] = rig.start(PATH, method="GET", token=token, mcp_session_id=session)
        state = {"taskId": "task-1", "status": "completed"}
        link.say({"method": "notifications/tasks/status", "params": {"taskId": "task-9", "status": "x"}})
        link.say({"method": "notifications/tasks/status", "params": state})
        link.say({"method": "notifications/tools/list_changed"})
        for token, stream in streams.items():
            if token == "alice" or instances == "shared":
                await stream.until("list_changed")
            stream.disconnect()
        told = [e["params"] for e in streams["alice"].events if e["method"].endswith("tasks/status")]
        # An instance of one's own tells of nobody else's tasks; there everything passes.
        assert told == [state] if instances != "session" else state in told
        assert "tasks/status" not in streams["bob"].body.decode()


@INSTANCES
async def test_a_stream_hears_of_the_tasks_that_it_asked_for_and_that_are_its_own(
    tmp_path: Path, instances: str
) -> None:
    subscription = "io.modelcontextprotocol/subscriptionId"

    class Telling(Extension):
        def __call__(self, link: ScriptedLink, message: dict[str, Any]) -> Any:
            if message.get("method") != "subscriptions/listen":
                return super().__call__(link, message)
            wanted, meta = message["params"]["notifications"], {subscription: message["id"]}
            said = {"notifications": wanted, "_meta": meta}
            link.say({"method": "notifications/subscriptions/acknowledged", "params": said})
            for task_id in ("task-1", "task-2"):
                params = {"taskId": task_id, "status": "working", "_meta": meta}
                link.say({"method": "notifications/tasks", "params": params})
            return None

    async with tasking(tmp_path, Telling(), instances) as rig:
        await New(rig).ask("tools/call", name="long")
        stream = New(rig).begin("subscriptions/listen", notifications={"taskIds": ["task-1", "task-2"]})
        await stream.until('"notifications/tasks"')
        acknowledged, *told = stream.events
        assert acknowledged["params"]["notifications"] == {"taskIds": ["task-1"]}
        assert [each["params"]["taskId"] for each in told] == ["task-1"]
        assert told[0]["params"]["_meta"] == {subscription: 1}
        assert rig.pool.link.requests("subscriptions/listen")[-1]["notifications"] == {"taskIds": ["task-1"]}
        stream.disconnect()
        other = New(rig, "bob").begin("subscriptions/listen", notifications={"taskIds": ["task-1"]})
        await other.until("acknowledged")
        assert other.events[0]["params"]["notifications"] == {}
        other.disconnect()


# -- a server that has core tasks, and clients that do not -------------------------------------------------


@pytest.mark.parametrize("path", [PATH, "/mcp"])
@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2026-07-28", "2026-07-28 capable"])
async def test_a_tool_that_is_a_task_only_gives_its_plain_result(
    tmp_path: Path, version: str, path: str
) -> None:
    prefix = "s__" if path == "/mcp" else ""
    server = Core()
    async with tasking(tmp_path, server) as rig:
        client: Old | New
        if version < "2026":
            client = await Old.opened(rig, version=version, path=path)
        else:
            client = New(
                rig, path=path, meta={CAPABILITIES: {"elicitation": {}}} if "capable" in version else {}
            )
        result = await client.ask("tools/call", name=f"{prefix}only", arguments={})
        assert result["content"] == TEXT
        assert RELATED not in result["_meta"]
        assert result["_meta"]["com.example/kept"] == 1
        assert server.tasks["task-1"]["asked"] == 3
        assert (await client.ask("tools/call", name=f"{prefix}long"))["content"] == TEXT
        assert len(server.tasks) == 1, "what can do without a task is called without one"


async def test_views_offer_no_tasks_and_give_the_plain_result(tmp_path: Path) -> None:
    async with tasking(tmp_path, Core()) as rig:
        client = await Old.opened(rig, path="/mcp")
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c"}}
        opened = await rig.rpc("/mcp", "initialize", hello)
        assert "tasks" not in opened.json["result"]["capabilities"]
        assert (await client.ask("tools/call", name="s__only"))["content"] == TEXT


async def test_such_a_task_may_ask_a_stateless_client(tmp_path: Path) -> None:
    server = Core()
    async with tasking(tmp_path, server) as rig:
        client = New(rig, meta={CAPABILITIES: {"elicitation": {}}})
        asked = await client.ask("tools/call", name="asks")
        assert asked["resultType"] == "input_required"
        (key,) = asked["inputRequests"]
        answer = {"action": "accept", "content": {"a": 1}}
        state = asked["requestState"]
        result = await client.ask("tools/call", name="asks", inputResponses={key: answer}, requestState=state)
        assert (result["resultType"], result["content"]) == ("complete", TEXT)
        assert server.answers == [answer]


async def test_who_gives_up_cancels_the_task_and_not_the_request_that_made_it(tmp_path: Path) -> None:
    server = Core()
    server.states = 10_000
    async with tasking(tmp_path, server) as rig:
        client = await Old.opened(rig, version="2025-06-18")
        call = client.begin("tools/call", name="only")
        async with asyncio.timeout(10):
            while not server.tasks:
                await asyncio.sleep(0.01)
            note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
            await rig.http(PATH, json.dumps(note).encode(), mcp_session_id=client.session)
            await call.end()
            while server.tasks["task-1"]["status"] != "cancelled":
                await asyncio.sleep(0.01)
        made = next(m for m in rig.pool.link.received if m.get("method") == "tools/call")
        cancelled = [each["requestId"] for each in rig.pool.link.requests("notifications/cancelled")]
        assert made["id"] not in cancelled


# -- a server that has the extension, and clients that do not ----------------------------------------------


@pytest.mark.parametrize("version", ["2024-11-05", "2025-11-25"])
async def test_a_tool_that_needs_the_extension_gives_its_plain_result(tmp_path: Path, version: str) -> None:
    server = Extension()
    async with tasking(tmp_path, server) as rig:
        client = await Old.opened(rig, version=version)
        assert await client.ask("tools/call", name="only") == {"content": TEXT}
        assert await client.ask("tools/call", name="long") == {"content": TEXT}
        assert len(server.tasks) == 1
        failed = await client.ask("tools/call", name="fails")
        assert (failed["code"], failed["message"]) == (-32050, "broken")


async def test_such_a_task_may_ask_a_handshake_client(tmp_path: Path) -> None:
    server = Extension()
    async with tasking(tmp_path, server) as rig:
        client = await Old.opened(rig, elicitation={})
        call = client.begin("tools/call", name="asks")
        await call.until("elicitation/create")
        question = call.events[0]
        body = {"action": "accept", "content": {"a": 1}}
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": body}
        await rig.http(PATH, json.dumps(answer).encode(), mcp_session_id=client.session)
        assert (await call.end()).json["result"] == {"content": TEXT}
        assert server.answers == [{"q1": body}]


async def test_such_a_task_is_cancelled_with_its_call(tmp_path: Path) -> None:
    server = Extension()
    server.states = 10_000
    async with tasking(tmp_path, server) as rig:
        client = await Old.opened(rig)
        call = client.begin("tools/call", name="only")
        async with asyncio.timeout(10):
            while not server.tasks:
                await asyncio.sleep(0.01)
            note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
            await rig.http(PATH, json.dumps(note).encode(), mcp_session_id=client.session)
            await call.end()
            while server.tasks["task-1"]["status"] != "cancelled":
                await asyncio.sleep(0.01)
