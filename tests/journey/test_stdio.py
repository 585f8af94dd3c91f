"""``gatekit stdio``: official clients on its pipes, published servers behind it, one local person."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import re
import signal
import sys
import tomllib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import types

from gatekit.cli import cli
from gatekit.demo.browser import Person
from tests.support.node import run_json
from tests.support.peers import NODE, ROOT, npm_server
from tests.support.running import RunningGateway, alive, descendants, eventually, three_servers
from tests.support.sdk import text
from tests.support.stdio import GATEKIT, Child, changes_in_both_eras, connected, open_house, write

CHILDREN = Path(__file__).parents[1] / "children"
LIBRARY = {"command": [sys.executable, str(CHILDREN / "library.py")]}
ASKER = {"command": [sys.executable, str(CHILDREN / "asker.py")]}
MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    "io.modelcontextprotocol/clientInfo": {"name": "modern by hand", "version": "1"},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three published servers and one that asks, without sign-in."""
    folder = tmp_path_factory.mktemp("house")
    servers = {
        name: {"command": server["command"]}
        for name, server in three_servers(folder.resolve() / "files").items()
    }
    return open_house(folder, {**servers, "asker": ASKER, "library": LIBRARY})


@pytest.fixture
async def children() -> AsyncIterator[list[Child]]:
    started: list[Child] = []
    yield started
    for each in started:
        await each.stop()


def audit(config: Path, *arguments: str) -> list[dict[str, Any]]:
    from click.testing import CliRunner

    words = ["audit", "--data-dir", str(config.parent / "data"), "search", "--json", "--limit", "10000"]
    with ThreadPoolExecutor(1) as apart:  # the command has an event loop of its own
        done = apart.submit(lambda: CliRunner().invoke(cli, [*words, *arguments])).result()
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def none_alive(pids: set[int]) -> bool:
    return not any(map(alive, pids))


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
async def test_the_python_client_uses_every_server(house: Path, mode: str) -> None:
    async with connected("stdio", "--config", str(house), mode=mode) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert {"everything__echo", "filesystem__read_text_file", "time__get_current_time"} <= listed
        said = await client.call_tool("everything__echo", {"message": f"Grüße, 世界 {mode}"})
        assert f"Grüße, 世界 {mode}" in text(said)
        assert (client.protocol_version >= "2026") == (mode != "legacy")
    calls = audit(house, "--tool", "echo")
    assert calls
    assert {call["principal"] for call in calls} == {getpass.getuser()}
    assert {call["client"] for call in calls} == {"mcp"}
    assert {call["address"] for call in calls} == {"stdio"}


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_published_server_asks_in_the_middle_of_a_call(house: Path, mode: str) -> None:
    asked: list[str] = []

    async def elicit(_context: Any, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"name": "Ada", "untrustedValue": "x"})

    arguments = ("stdio", "--config", str(house), "--server", "everything")
    async with connected(*arguments, mode=mode, elicitation_callback=elicit) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert "echo" in listed, "one server: its tools under their own names"
        said = await client.call_tool("trigger-elicitation-request", {})
    assert asked
    assert "Ada" in text(said)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_progress_arrives_while_the_call_runs(house: Path, mode: str) -> None:
    heard: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with connected("stdio", "--config", str(house), "--server", "everything", mode=mode) as client:
        await client.call_tool(
            "trigger-long-running-operation", {"duration": 0.4, "steps": 4}, progress_callback=on_progress
        )
    assert heard == sorted(heard)
    assert len(heard) == 4


async def test_cancelling_means_a_message_in_one_era_and_hanging_up_in_the_other(
    house: Path, children: list[Child]
) -> None:
    child = await Child.start("stdio", "--config", str(house), "--server", "asker")
    children.append(child)
    await child.shake_hands({"elicitation": {}})
    await child.send({"id": 1, "method": "tools/call", "params": {"name": "linger", "arguments": {}}})
    question = await child.until(method="elicitation/create")
    await child.send({"id": question["id"], "result": {"action": "decline"}})
    await child.send({"method": "notifications/cancelled", "params": {"requestId": 1}})
    await child.ask(2, "tools/call", {"name": "ran", "arguments": {}})
    meta = {"_meta": MODERN_META}
    await child.send(
        {
            "id": 3,
            "method": "subscriptions/listen",
            "params": {**meta, "notifications": {"toolsListChanged": True}},
        }
    )
    acknowledged = await child.until(method="notifications/subscriptions/acknowledged")
    assert acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 3
    await child.send({"method": "notifications/cancelled", "params": {**meta, "requestId": 3}})
    await child.ask(4, "tools/call", {**meta, "name": "ran", "arguments": {}})
    assert not [message for message in child.seen if message.get("id") in (1, 3)], (
        "no answer to what was cancelled"
    )
    child.hang_up()
    assert (await child.ended())[0] == 0
    lingered = audit(house, "--tool", "linger")
    assert lingered[-1]["outcome"] == "cancelled"


async def test_list_changes_reach_both_eras(house: Path, children: list[Child]) -> None:
    child = await Child.start("stdio", "--config", str(house), "--server", "library")
    children.append(child)
    await changes_in_both_eras(child)


async def test_end_of_input_ends_the_children_and_signals_do_too(house: Path, children: list[Child]) -> None:
    for farewell in ("end of input", "SIGTERM"):
        child = await Child.start("stdio", "--config", str(house), "--server", "asker")
        children.append(child)
        await child.shake_hands()
        below = descendants(child.process.pid)
        assert below
        if farewell == "SIGTERM":
            child.process.send_signal(signal.SIGTERM)
        else:
            child.hang_up()
        assert (await child.ended())[0] == 0
        eventually(partial(none_alive, below), what=f"children outlived {farewell}")


async def test_answers_are_given_though_the_input_has_ended(house: Path, children: list[Child]) -> None:
    child = await Child.start("stdio", "--config", str(house), "--server", "time")
    children.append(child)
    await child.send(
        {"id": 1, "method": "tools/list", "params": {"_meta": MODERN_META}},
        {"id": 2, "method": "server/discover", "params": {"_meta": MODERN_META}},
    )
    child.hang_up()
    answers = {message["id"]: message for message in (await child.read(), await child.read())}
    assert answers[1]["result"]["tools"]
    assert answers[2]["result"]["supportedVersions"] == ["2026-07-28"]
    assert (await child.ended())[0] == 0


async def test_a_server_that_dies_is_started_again(house: Path, children: list[Child]) -> None:
    child = await Child.start("stdio", "--config", str(house), "--server", "asker")
    children.append(child)
    await child.shake_hands({"elicitation": {}})
    await child.send({"id": 1, "method": "tools/call", "params": {"name": "crash", "arguments": {}}})
    message = await child.until(method="elicitation/create")
    await child.send({"id": message["id"], "result": {"action": "accept", "content": {}}})
    assert "error" in await child.until(id=1)
    deadline = asyncio.get_running_loop().time() + 20
    number = 2
    while "result" not in await child.ask(number, "tools/call", {"name": "ran", "arguments": {}}):
        assert asyncio.get_running_loop().time() < deadline
        number += 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--config", "{folder}/missing.yaml"), "no such file"),
        (("--config", "{folder}/bad.yaml"), "did you mean 'command'?"),
        (("--config", "{config}", "--server", "tiem"), "there is no server called 'tiem'"),
        (("--config", "{config}", "--user", "nobody-i-know"), "say who you are with --user NAME"),
        (("--config", "{folder}/broken/gatekit.yaml"), "gatekit.db"),
    ],
)
async def test_a_failed_start_is_told_to_the_client(
    house: Path, tmp_path: Path, children: list[Child], arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "bad.yaml").write_text("servers:\n  a:\n    comand: x\n", encoding="utf-8")
    broken = open_house(tmp_path / "broken", {"asker": ASKER}).parent / "data"
    broken.mkdir(mode=0o700)
    (broken / "gatekit.db").write_bytes(b"this is no database" * 100)
    filled = [each.format(folder=tmp_path, config=house) for each in arguments]
    child = await Child.start("stdio", *filled)
    children.append(child)
    for answer in (
        await child.ask(1, "server/discover", {"_meta": MODERN_META}),
        await child.ask(2, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}}),
    ):
        assert answer["error"]["code"] == -31011
        assert answer["error"]["message"].startswith("Gatekit cannot start: ")
        assert words in answer["error"]["message"]
    child.hang_up()
    code, said = await child.ended()
    assert code in (1, 2)
    assert words in said


async def test_a_command_that_does_not_exist_is_told_to_the_client(
    tmp_path: Path, children: list[Child]
) -> None:
    config = open_house(tmp_path, {"gone": {"command": ["/nowhere/gone"]}})
    child = await Child.start("stdio", "--config", str(config), "--server", "gone")
    children.append(child)
    answer = await child.shake_hands()
    assert "command was not found" in answer["error"]["message"]


async def test_one_command_is_wrapped_without_a_file(tmp_path: Path, children: list[Child]) -> None:
    data = tmp_path / "xdg"
    env = {"XDG_DATA_HOME": str(data), "WANTED": "seen", "UNWANTED": "not seen"}
    child = await Child.start(
        "stdio", "--env", "WANTED", "--", str(NODE), str(npm_server("everything")), env=env
    )
    children.append(child)
    assert "result" in await child.shake_hands()
    answer = await child.ask(1, "tools/call", {"name": "get-env", "arguments": {}})
    printed = answer["result"]["content"][0]["text"]
    assert '"WANTED": "seen"' in printed
    assert "UNWANTED" not in printed
    child.hang_up()
    assert (await child.ended())[0] == 0
    trail = "".join(path.read_text() for path in (data / "gatekit" / "local" / "audit").glob("*.jsonl"))
    assert '"name":"get-env"' in trail


async def test_the_rules_hold_for_the_named_person(
    gateway: RunningGateway, alice: Person, bob: Person, children: list[Child]
) -> None:
    """Beside a running ``gatekit serve``, on the same file and data."""
    for name, may in (("alice", True), ("bob", False)):
        child = await Child.start(
            "stdio", "--config", str(gateway.config), "--server", "filesystem", "--user", name
        )
        children.append(child)
        answer = await child.shake_hands()
        assert ("result" in answer) == may, answer
        child.hang_up()
        assert (await child.ended())[0] == 0
    told = [each for each in gateway.audit("--event", "call") if each["address"] == "stdio"]
    assert {(each["principal"], each["decision"]) for each in told} == {("alice", "allow"), ("bob", "deny")}


async def test_a_person_who_is_disabled_is_out_within_a_second(
    make_gateway: Any, children: list[Child]
) -> None:
    running = make_gateway()
    running.person("alice")
    child = await Child.start("stdio", "--config", str(running.config), "--server", "echo", "--user", "alice")
    children.append(child)
    await child.shake_hands()
    assert "result" in await child.ask(1, "tools/list")
    running.gatekit("users", "--config", str(running.config), "disable", "alice")
    number = 2
    while "result" in (answer := await child.ask(number, "tools/list")):
        number += 1
        await asyncio.sleep(0.05)
    assert "disabled" in answer["error"]["message"]
    running.gatekit("users", "--config", str(running.config), "enable", "alice")
    deadline = asyncio.get_running_loop().time() + 10
    while "error" in await child.ask(number := number + 1, "tools/list"):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


def test_somebody_named_in_the_file_alone(tmp_path: Path) -> None:
    config = write(
        tmp_path, {"asker": {**ASKER, "allowed_users": ["carol"]}}, {"enabled": True, "provider": "local"}
    )

    async def use() -> None:
        async with connected(
            "stdio", "--config", str(config), "--server", "asker", "--user", "carol"
        ) as client:
            assert (await client.list_tools()).tools

    asyncio.run(use())
    assert {each.get("principal") for each in audit(config, "--event", "call")} == {"carol"}
    assert os.stat(tmp_path / "data").st_mode & 0o077 == 0


@pytest.mark.parametrize(("sdk", "era"), [("v1", "handshake"), ("v2", "handshake"), ("v2", "stateless")])
def test_the_typescript_client(house: Path, tmp_path: Path, sdk: str, era: str) -> None:
    command, *words = GATEKIT
    job = {
        "command": command,
        "args": [*words, "stdio", "--config", str(house), "--server", "everything"],
        "env": {"PATH": os.environ["PATH"]},
        "sdk": sdk,
        "era": era,
        "calls": [["echo", {"message": "Grüße"}], ["trigger-elicitation-request", {}]],
    }
    said = run_json("ts_stdio.mjs", [json.dumps(job)], tmp_path, Person("nobody", ""))
    assert "Grüße" in said["results"][0]
    assert "Ada" in said["results"][1]
    assert len(said["asked"]) == 1
    if sdk == "v2":
        assert (said["protocol"] >= "2026") == (era == "stateless")


def test_the_entries_of_the_documentation_start(tmp_path: Path) -> None:
    """Every client's entry in docs/local.md, with the example file at the place it names."""
    page = (ROOT / "docs" / "local.md").read_text(encoding="utf-8")
    entries = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    entries += [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    assert len(entries) == 4
    config = open_house(tmp_path, {"files": ASKER})

    async def start(command: str, arguments: list[str]) -> None:
        assert command == "gatekit"
        here = [str(config) if each.endswith(".yaml") else each for each in arguments]
        async with connected(*here) as client:
            assert (await client.list_tools()).tools

    for entry in entries:
        (servers,) = entry.values()
        (server,) = servers.values()
        asyncio.run(start(server["command"], server["args"]))
