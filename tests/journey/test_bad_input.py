"""What must be met with a clear error and no loss: broken bodies, foreign tokens, servers that do not work,
a second gateway, a database that is none."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatekit.demo.browser import Person
from gatekit.demo.wire import Login, fetch
from tests.support.raw import RawSession, message, said
from tests.support.running import ECHO, MakeGateway, RunningGateway, started

NONSENSE = """
import time
while True:
    print('{"jsonrpc"', flush=True)
    time.sleep(0.05)
"""
BROKEN_SERVERS: dict[str, list[str]] = {
    "absent": ["/nonexistent/server"],
    "exits": [sys.executable, "-c", "import sys; sys.exit('no licence')"],
    "hangs": [sys.executable, "-c", "import time; time.sleep(600)"],
    "nonsense": [sys.executable, "-c", NONSENSE],
}
BODIES = {
    "garbage": b"\x00\xff\xfe not json",
    "truncated": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/l',
    "not an object": b'"tools/list"',
    "a batch": b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]',
    "duplicate key": b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
    "duplicate inside": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
    "deep": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
    "no method": b'{"jsonrpc": "2.0", "id": 1}',
    "wrong version": b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}',
    "huge": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"' + b"x" * 3_000_000 + b'"}}',
}


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """One good server among broken ones; small limits."""
    good = {"command": list(ECHO), "users": ["developers"], "max_instances_per_user": 50}
    servers: dict[str, dict[str, Any]] = {"echo": good}
    for name, command in BROKEN_SERVERS.items():
        servers[name] = {"command": command, "users": ["developers"], "start_timeout": 2, "probe_timeout": 1}
    running = RunningGateway(tmp_path_factory.mktemp("crowded"), servers)
    running.extra["limits"] = {"max_body": "2MB"}
    with started(running):
        yield running


@pytest.fixture(scope="module")
def alice(crowded: RunningGateway) -> Person:
    return crowded.person("alice")


@pytest.mark.parametrize("kind", BODIES)
async def test_broken_bodies(crowded: RunningGateway, alice: Person, kind: str) -> None:
    async with httpx2.AsyncClient(timeout=30) as http:
        session = RawSession(http, crowded.endpoint("echo"), crowded.token(alice, "echo"))
        await session.initialize()
        answer = await http.post(session.url, content=BODIES[kind], headers=session.headers)
        assert 400 <= answer.status_code < 500
        assert message(answer)["error"]["message"]
        assert said(await session.call(1, "echo", {"message": "still here"})) == "still here"


async def test_wrong_content_type(crowded: RunningGateway, alice: Person) -> None:
    async with httpx2.AsyncClient(timeout=30) as http:
        session = RawSession(http, crowded.endpoint("echo"), crowded.token(alice, "echo"))
        await session.initialize()
        session.headers["Content-Type"] = "text/plain"
        assert (await session.call(1, "echo", {"message": "x"})).status_code == 415


async def test_tokens_that_do_not_count(crowded: RunningGateway, alice: Person) -> None:
    token = crowded.token(alice, "echo")
    head, body, signature = token.split(".")
    other = crowded.token(alice, "exits")
    bad = ["nonsense", f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", other, "gk_key_nosuchkey", "é"]
    async with httpx2.AsyncClient(timeout=30) as http:
        for each in bad:
            headers = {b"Authorization": f"Bearer {each}".encode(), b"Content-Type": b"application/json"}
            answer = await http.post(crowded.endpoint("echo"), content=b"{}", headers=headers)
            assert answer.status_code == 401, each
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"] or each == "é"


def test_a_revoked_token_is_refused_at_once(crowded: RunningGateway, alice: Person) -> None:
    login = Login(crowded.endpoint("echo"))
    login.discover()
    login.register("to be revoked")
    login.redeem(login.authorize(alice))
    token = login.token["access_token"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"token={token}&client_id={login.client_id}".encode()
    assert fetch(login.server["revocation_endpoint"], body, form).status == 200
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert fetch(login.url, b"{}", headers).status == 401


@pytest.mark.parametrize("server", BROKEN_SERVERS)
async def test_servers_that_do_not_work(crowded: RunningGateway, alice: Person, server: str) -> None:
    """A prompt error for the one, nothing for the others, and the log and audit say which."""
    async with httpx2.AsyncClient(timeout=30) as http:
        broken = RawSession(http, crowded.endpoint(server), crowded.token(alice, server))
        began = time.monotonic()
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "x", "version": "1"},
        }
        answer = await broken.post({"id": 1, "method": "initialize", "params": params})
        if "result" in message(answer):  # an initialize may be answered before the server is asked
            broken.headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
            answer = await broken.post({"id": 2, "method": "tools/list", "params": {}})
        assert message(answer)["error"]["message"]
        assert time.monotonic() - began < 15
        assert "Traceback" not in answer.text
        good = RawSession(http, crowded.endpoint("echo"), crowded.token(alice, "echo"))
        await good.initialize()
        assert said(await good.call(1, "echo", {"message": "fine"})) == "fine"
    assert [each for each in crowded.audit("--server", server, "--event", "call") if each["outcome"] != "ok"]


async def test_an_unknown_server(crowded: RunningGateway, alice: Person) -> None:
    token = crowded.token(alice, "echo")
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(
            crowded.endpoint("nobody"), content=b"{}", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code in {401, 404}
        metadata = f"{crowded.url}/.well-known/oauth-protected-resource/s/nobody/mcp"
        assert "nobody" not in (await http.get(crowded.url)).text
        assert (await http.get(metadata)).status_code in {200, 404}


def serve(config: Path) -> subprocess.CompletedProcess[str]:
    """``gatekit serve`` that is expected to end by itself."""
    command = [sys.executable, "-m", "gatekit", "serve", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_two_gateways_on_one_port(make_gateway: MakeGateway, tmp_path: Path) -> None:
    first = make_gateway()
    second = RunningGateway(tmp_path / "second", first.servers, first.port)
    second.write()
    done = serve(second.config)
    assert done.returncode == 1
    assert f":{first.port} is in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert fetch(f"{first.url}/readyz").status == 200


def test_two_gateways_on_one_data_directory(make_gateway: MakeGateway, tmp_path: Path) -> None:
    first = make_gateway()
    second = RunningGateway(tmp_path / "second", first.servers)
    second.write()
    second.config.write_text(
        second.config.read_text(encoding="utf-8").replace('"data"', f'"{first.data}"'), encoding="utf-8"
    )
    done = serve(second.config)
    assert done.returncode == 1
    assert "another gateway uses this data directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert fetch(f"{first.url}/readyz").status == 200


def test_a_database_that_is_none(tmp_path: Path) -> None:
    broken = RunningGateway(tmp_path, {})
    broken.write()
    broken.data.mkdir(mode=0o700)
    (broken.data / "gatekit.db").write_bytes(b"this is not a database" * 200)
    done = serve(broken.config)
    assert done.returncode == 1
    assert "gatekit.db" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_a_file_full_of_faults(tmp_path: Path) -> None:
    config = tmp_path / "gatekit.yaml"
    config.write_text("proxi: {}\nproxy: {port: many}\nservers: {a: {}}\n", encoding="utf-8")
    done = serve(config)
    assert done.returncode == 2
    for words in ("did you mean 'proxy'", "gatekit.yaml:2", "servers.a"):
        assert words in done.stderr
