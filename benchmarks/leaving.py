"""From "disabled" to the last byte of an open stream: ``python -m benchmarks.leaving [1000]``.

Each person has an event stream open. Another process disables them one by one through the use case that the
command line, the REST interface and SCIM share, at moments that have nothing to do with the gateway's own
rhythm. Half of the streams belong to sessions of the handshake era, half are stateless subscriptions.
"""

from __future__ import annotations

import json
import random
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import Process, free_port
from benchmarks.subjects import GATEKIT, LIGHT, open_session
from benchmarks.wire import META, Http, message
from gatekit.cli.context import Office, Workspace

SERVER = "/s/light/mcp"
PATIENCE = 20.0
"""Seconds after which a stream that is still open counts as one that never ends."""


def workspace(folder: Path) -> Workspace:
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    return Workspace(data_dir=folder / "data")


def people(folder: Path, count: int) -> list[str]:
    """So many people, each with an API key: the keys."""

    async def make(office: Office) -> list[str]:
        keys = []
        for number in range(count):
            name = f"person{number}"
            await office.people.create(office.actor, name)
            keys.append((await office.keys.create(office.actor, name, name="bench")).token)
        return keys

    return workspace(folder).change(make)


def gateway(folder: Path, port: int) -> Process:
    document = {
        "data_dir": str(folder / "data"),
        "proxy": {"host": "127.0.0.1", "port": port, "auth": {"allowed_users": ["*"]}},
        "servers": {"light": {"command": [str(word) for word in LIGHT], "instances": "shared"}},
    }
    config = folder / "gatekit.yaml"
    config.write_text(json.dumps(document), encoding="utf-8")
    process = Process([GATEKIT, "serve", "--quiet", "--config", config], folder / "gatekit.log")
    process.until_open(port)
    return process


def session_stream(port: int, key: str) -> Http:
    http = Http(port)
    headers = {
        name: value for name, value in open_session(port, SERVER, key).items() if name != "Content-Type"
    }
    return _opened(http, http.request(SERVER, headers | {"Accept": "text/event-stream"}, b"", "GET"))


def subscription(port: int, key: str) -> Http:
    http = Http(port)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": META["io.modelcontextprotocol/protocolVersion"],
        "Mcp-Method": "subscriptions/listen",
    }
    wanted = {"notifications": {"toolsListChanged": True}, "_meta": META}
    return _opened(http, http.request(SERVER, headers, message("subscriptions/listen", wanted)))


def _opened(http: Http, request: bytes) -> Http:
    first = http.first_bytes(request)
    if b" 200 " not in first.split(b"\r\n")[0]:
        raise RuntimeError(f"stream: {first[:300]!r}")
    return http


def until_closed(http: Http) -> float:
    """When the last byte had come, ``time.monotonic()``. A stream without an end is infinitely late."""
    deadline, heard = time.monotonic() + PATIENCE, b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([http.socket], [], [], left)[0]:
            break
        data = http.socket.recv(65536)
        heard = (heard + data)[-100:]
        if not data or heard.endswith(b"\r\n0\r\n\r\n") or heard == b"0\r\n\r\n":  # the last chunk
            return time.monotonic()
    return float("inf")


def door(folder: Path) -> None:
    """The other process: disables whom it is told, and says when it began and when it was done."""

    async def serve(office: Office) -> None:
        for line in sys.stdin:
            began = time.monotonic()
            await office.people.disable(office.actor, line.strip())
            print(json.dumps([began, time.monotonic()]), flush=True)

    workspace(folder).change(serve)


def measured(folder: Path, count: int) -> dict[str, float]:
    keys = people(folder, count)
    port = free_port()
    process = gateway(folder, port)
    other = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.leaving", "--door", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        streams = [(session_stream, subscription)[number % 2](port, key) for number, key in enumerate(keys)]
        order = list(range(count))
        random.Random(1).shuffle(order)
        late, whole = [], []
        assert other.stdin is not None
        assert other.stdout is not None
        for number in order:
            time.sleep(random.uniform(0, 0.3))
            print(f"person{number}", file=other.stdin, flush=True)
            began, done = json.loads(other.stdout.readline())
            closed = until_closed(streams[number])
            late.append(closed - done)
            whole.append(closed - began)
    finally:
        other.terminate()
        other.wait()
        process.stop()
    return {
        "trials": count,
        "p50_ms": statistics.median(late) * 1000,
        "p99_ms": sorted(late)[int(count * 0.99) - 1] * 1000,
        "worst_ms": max(late) * 1000,
        "worst_from_the_command_on_ms": max(whole) * 1000,
    }


def main() -> None:
    if sys.argv[1:2] == ["--door"]:
        door(Path(sys.argv[2]))
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder), int((sys.argv[1:] or ["1000"])[0])), indent=1))


if __name__ == "__main__":
    main()
