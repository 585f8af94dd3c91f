"""``gatekit bridge``: official stdio clients, a running ``gatekit serve``, a person who signs in."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mcp import types

from gatekit.cli import cli
from gatekit.demo.browser import Person
from gatekit.demo.gateway import free_port
from tests.support.peers import NODE, ROOT, SDK_SOURCE, npm_server
from tests.support.running import ECHO, MakeGateway, RunningGateway, eventually
from tests.support.sdk import text
from tests.support.stdio import Child, changes_in_both_eras, connected

HOOK = f"{sys.executable} {ROOT / 'tests' / 'clients' / 'hook.py'} %s --deliver"
ASKER, LIBRARY = (
    [sys.executable, str(Path(__file__).parents[1] / "children" / name)]
    for name in ("asker.py", "library.py")
)


def at_home(home: Path, person: Person) -> dict[str, str]:
    """The environment of a client on a machine whose browser signs in as ``person``."""
    return {
        "XDG_DATA_HOME": str(home),
        "BROWSER": HOOK,
        "GATEKIT_USER": person.name,
        "GATEKIT_PASSWORD": person.password,
    }


@pytest.fixture
def own(make_gateway: MakeGateway) -> RunningGateway:
    return make_gateway(
        {
            "echo": {"command": list(ECHO), "users": ["developers"]},
            "asker": {"command": ASKER, "users": ["developers"]},
            "library": {"command": LIBRARY, "users": ["developers"]},
            "everything": {"command": [str(NODE), str(npm_server("everything"))], "users": ["developers"]},
        }
    )


@pytest.fixture
async def children() -> AsyncIterator[list[Child]]:
    started: list[Child] = []
    yield started
    for each in started:
        await each.stop()


def kept(home: Path) -> Path:
    (path,) = (home / "gatekit" / "bridge").glob("*.json")
    return path


def age(home: Path) -> None:
    """Let the kept access token be old."""
    path = kept(home)
    path.write_text(json.dumps({**json.loads(path.read_text()), "renew_at": 1.0}))


async def test_one_sign_in_serves_both_eras_and_later_starts(own: RunningGateway, tmp_path: Path) -> None:
    env = at_home(tmp_path, own.person("alice"))
    asked: list[str] = []

    async def elicit(_context: Any, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    for mode in ("legacy", "2026-07-28", "auto"):
        heard: list[float] = []

        async def on_progress(
            progress: float, total: float | None, message: str | None, heard: list[float] = heard
        ) -> None:
            heard.append(progress)

        url = own.endpoint("everything")
        async with connected("bridge", url, mode=mode, env=env, elicitation_callback=elicit) as client:
            assert (client.protocol_version >= "2026") == (mode != "legacy")
            said = await client.call_tool("echo", {"message": f"Grüße {mode}"})
            assert f"Grüße {mode}" in text(said)
            assert "Ada" in text(await client.call_tool("trigger-elicitation-request", {}))
            arguments = {"duration": 0.3, "steps": 3}
            await client.call_tool("trigger-long-running-operation", arguments, progress_callback=on_progress)
        assert len(heard) == 3
    assert len(asked) == 3
    assert len(own.audit("--event", "consent")) == 1
    calls = own.audit("--event", "call", "--tool", "echo")
    assert [(call["principal"], call["client"]) for call in calls] == [("alice", "Gatekit bridge")] * 3


async def test_parallel_bridges_share_one_sign_in_and_one_refresh(
    own: RunningGateway, tmp_path: Path
) -> None:
    env = at_home(tmp_path, own.person("alice"))

    async def use(mode: str) -> None:
        async with connected("bridge", own.endpoint("echo"), mode=mode, env=env) as client:
            assert (await client.list_tools()).tools

    await asyncio.gather(use("legacy"), use("2026-07-28"))
    age(tmp_path)
    await asyncio.gather(use("legacy"), use("2026-07-28"))
    actions = [event["action"] for event in own.audit("--event", "token")]
    assert sorted(actions) == ["issued", "refreshed"], (
        "neither a second sign-in nor a refresh token used twice"
    )


async def test_a_gateway_that_restarts_is_hardly_noticed(
    own: RunningGateway, tmp_path: Path, children: list[Child]
) -> None:
    child = await Child.start("bridge", own.endpoint("echo"), env=at_home(tmp_path, own.person("alice")))
    children.append(child)
    await child.shake_hands()
    call = {"name": "echo", "arguments": {"message": "x"}}
    assert "result" in await child.ask(1, "tools/call", call)
    own.stop()
    own.start()
    assert "result" in await child.ask(2, "tools/list"), "a list is asked for again in a new session"
    assert "result" in await child.ask(3, "tools/call", call)
    own.stop()
    own.start()
    answer = await child.ask(4, "tools/call", call)
    if "error" in answer:  # the event stream may have found the lost session before the call did
        assert "make the call again" in answer["error"]["message"]
    assert "result" in await child.ask(5, "tools/call", call)


async def test_a_session_ends_with_its_bridge(
    own: RunningGateway, tmp_path: Path, children: list[Child]
) -> None:
    env = at_home(tmp_path, own.person("alice"))
    child = await Child.start("bridge", own.endpoint("asker"), env=env)
    children.append(child)
    await child.shake_hands()
    await child.ask(1, "tools/call", {"name": "ran", "arguments": {}})
    child.hang_up()
    assert (await child.ended())[0] == 0
    ends = {(each["action"], each["detail"]) for each in own.audit("--event", "process")}
    assert ("stopped", "ended by the client") in ends


async def test_cancelling_reaches_the_server_in_both_eras(
    own: RunningGateway, tmp_path: Path, children: list[Child]
) -> None:
    child = await Child.start(
        "bridge", own.endpoint("everything"), env=at_home(tmp_path, own.person("alice"))
    )
    children.append(child)
    await child.shake_hands()
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    slow = {"name": "trigger-long-running-operation", "arguments": {"duration": 60, "steps": 60}}
    for request_id, envelope in ((1, {"progressToken": "p1"}), (2, {"progressToken": "p2", **meta})):
        await child.send({"id": request_id, "method": "tools/call", "params": {**slow, "_meta": envelope}})
        await child.until(method="notifications/progress")
        cancelled = {"requestId": request_id, **({"_meta": meta} if request_id == 2 else {})}
        await child.send({"method": "notifications/cancelled", "params": cancelled})
        deadline = asyncio.get_running_loop().time() + 10
        while len(own.audit("--event", "call", "--tool", slow["name"])) < request_id:  # type: ignore[arg-type]
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)
    calls = own.audit("--event", "call", "--tool", str(slow["name"]))
    assert [call["outcome"] for call in calls] == ["cancelled", "cancelled"]


async def test_nobody_signs_in_and_the_client_is_told_where_to(
    own: RunningGateway, tmp_path: Path, children: list[Child]
) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path), "BROWSER": "true %s"}
    child = await Child.start("bridge", own.endpoint("echo"), "--wait", "0.5", env=env)
    children.append(child)
    answer = await child.shake_hands()
    assert "sign in first: open http" in answer["error"]["message"]
    assert "/authorize?" in answer["error"]["message"]


async def test_a_key_instead_of_a_sign_in(own: RunningGateway, tmp_path: Path, children: list[Child]) -> None:
    own.person("alice")
    printed = own.gatekit("keys", "--config", str(own.config), "create", "alice", "--name", "laptop")
    key = next(word for word in printed.split() if word.startswith("gk_key_"))
    url, home = own.endpoint("echo"), {"XDG_DATA_HOME": str(tmp_path)}
    for arguments, env in (
        ((url, "--header", "Authorization: Bearer ${KEY}"), {"KEY": key}),
        ((url,), {"GATEKIT_BRIDGE_TOKEN": key}),
    ):
        async with connected("bridge", *arguments, env={**home, **env}) as client:
            assert (await client.list_tools()).tools
    child = await Child.start("bridge", url, "--header", "Authorization: Bearer gk_key_wrong", env=home)
    children.append(child)
    assert "the credentials were refused (HTTP 401" in (await child.shake_hands())["error"]["message"]
    assert not (tmp_path / "gatekit").exists()


async def test_signing_in_and_out_in_a_terminal(
    own: RunningGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in at_home(tmp_path, own.person("alice")).items():
        monkeypatch.setenv(name, value)
    url = own.endpoint("echo")

    def run(command: str) -> str:
        done = CliRunner().invoke(cli, ["bridge", command, url])
        assert done.exit_code == 0, done.output
        return str(done.output)

    assert f"Signed in to {url}." in await asyncio.to_thread(run, "login")
    async with connected(
        "bridge", url, env={"XDG_DATA_HOME": str(tmp_path), "BROWSER": "false %s"}
    ) as client:
        assert (await client.list_tools()).tools
    assert await asyncio.to_thread(run, "logout") == f"Signed out of {url}.\n"
    assert await asyncio.to_thread(run, "logout") == f"Nobody is signed in to {url}.\n"
    actions = [event["action"] for event in own.audit("--event", "token")]
    assert sorted(actions) == ["issued", "revoked"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ftp://x/mcp",), "the URL must be https"),
        (("https://x/mcp", "--header", "nonsense"), "must look like 'Name: value'"),
        (("https://x/mcp", "--client-metadata-url", "http://c/x"), "must look like https://"),
        (("https://x/mcp", "--client-metadata-url", "https://c/"), "must look like https://"),
        (("https://x/mcp", "--client-metadata-url", "https://c/a/../x"), "must look like https://"),
        (("https://x/mcp", "--header", "A: ${NOT_THERE}"), "the variable NOT_THERE is not set"),
    ],
)
async def test_a_bridge_that_leads_nowhere_says_so(
    tmp_path: Path, children: list[Child], arguments: tuple[str, ...], words: str
) -> None:
    child = await Child.start("bridge", *arguments, env={"XDG_DATA_HOME": str(tmp_path)})
    children.append(child)
    assert words in (await child.shake_hands())["error"]["message"]
    child.hang_up()
    await child.ended()


def agree(person: Person, url: str) -> None:
    """Open the page of a device sign-in and say yes to everything it asks."""
    page = person.browser.follow(url)
    for _ in range(6):
        assert not isinstance(page, str)
        login = next((form for form in page.forms if form.has("password")), None)
        if login is not None:
            filled = {"username": person.name, "password": person.password}
            page = person.browser.submit(page, login, filled, "", "")
            continue
        asks = [form for form in page.forms if form.method == "post" and form.buttons]
        if not asks or ("user_code" not in page.text and "approve" not in page.text):
            return
        press = "approve" if any(b.value == "approve" for form in asks for b in form.buttons) else ""
        form = next(each for each in asks if not press or any(b.value == press for b in each.buttons))
        page = person.browser.submit(page, form, {}, press, "")


async def test_a_sign_in_on_another_device(
    own: RunningGateway, tmp_path: Path, children: list[Child]
) -> None:
    alice = own.person("alice")
    child = await Child.start(
        "bridge", "--device", own.endpoint("echo"), env={"XDG_DATA_HOME": str(tmp_path)}
    )
    children.append(child)
    opening = asyncio.ensure_future(child.shake_hands())
    assert child.process.stderr is not None
    told = (await asyncio.wait_for(child.process.stderr.readline(), 30)).decode()
    page, code = re.findall(r"open (\S+) and enter the code (\S+)", told)[0]
    await asyncio.to_thread(agree, alice, f"{page}?user_code={code}")
    assert "result" in await opening
    assert "result" in await child.ask(1, "tools/list")
    (issued,) = own.audit("--event", "token")
    assert issued["grant_type"].endswith("device_code")


async def test_list_changes_come_through_in_both_eras(
    own: RunningGateway, tmp_path: Path, children: list[Child]
) -> None:
    child = await Child.start("bridge", own.endpoint("library"), env=at_home(tmp_path, own.person("alice")))
    children.append(child)
    await changes_in_both_eras(child)


@pytest.fixture
def foreign() -> Iterator[dict[str, str]]:
    """Official servers over HTTP that know nothing of Gatekit: one of the older era, one of both."""
    ports = {"everything": free_port(0), "fixture": free_port(0)}
    env = {**os.environ, "PORT": str(ports["everything"])}
    commands = {
        "everything": [str(NODE), str(npm_server("everything")), "streamableHttp"],
        "fixture": [sys.executable, "-m", "mcp_everything_server", "--port", str(ports["fixture"])],
    }
    running = [
        subprocess.Popen(
            command,
            env={**env, "PYTHONPATH": str(SDK_SOURCE / "examples" / "servers" / "everything-server")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands.values()
    ]
    try:
        for port in ports.values():
            eventually(partial(listens, port), within=30)
        yield {name: f"http://127.0.0.1:{port}/mcp" for name, port in ports.items()}
    finally:
        for each in running:
            each.kill()
            each.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_servers_that_know_nothing_of_us(foreign: dict[str, str], tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path)}
    logged: list[Any] = []

    async def elicit(_context: Any, params: Any) -> types.ElicitResult:
        wanted = params.requested_schema
        names = wanted.get("required") or list(wanted["properties"])
        return types.ElicitResult(action="accept", content=dict.fromkeys(names, "ada@example.com"))

    async def on_log(params: Any) -> None:
        logged.append(params.data)

    able: dict[str, Any] = {"env": env, "elicitation_callback": elicit, "logging_callback": on_log}
    async with connected("bridge", foreign["everything"], mode="legacy", **able) as client:
        assert "ada@example.com" in text(await client.call_tool("trigger-elicitation-request", {}))
        resources = (await client.list_resources()).resources
        assert (await client.read_resource(resources[0].uri)).contents
    for mode in ("legacy", "2026-07-28", "auto"):
        async with connected("bridge", foreign["fixture"], mode=mode, **able) as client:
            assert (client.protocol_version >= "2026") == (mode != "legacy")
            assert (await client.call_tool("test_simple_text", {})).content
            tool = "test_elicitation" if mode == "legacy" else "test_input_required_result_elicitation"
            said = await client.call_tool(tool, {"message": "who?"} if mode == "legacy" else {})
            assert "ada@example.com" in text(said)
            assert (await client.list_prompts()).prompts
    assert not (tmp_path / "gatekit").exists(), "no sign-in where none is asked for"
