"""Sessions, opened and closed: ``python -m benchmarks.sessions [count]``.

A real ``gatekit serve`` with one child process per session. First what ``initialize`` costs on a warm spare
and without one, beside the same request sent to a running child directly. Then ``count`` sessions (1,000
unless told) are opened, used for one call and closed, a few at a time: no child may be left, and the memory
of gateway and launcher is compared with what it was after the first hundred. Ends with 1 if something was
left.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.processes import Process, free_port
from benchmarks.subjects import GATEKIT, LIGHT, open_session
from benchmarks.wire import ARGUMENTS, HANDSHAKE, INFO, Http, message

MB = 1024 * 1024
AT_ONCE = 4
SETTLED = 100
"""Sessions after which caches and code paths are as large as they get."""
OPENING = message("initialize", {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": INFO})


def serve(scratch: Path) -> tuple[Process, int]:
    port = free_port()
    command = {"command": [str(word) for word in LIGHT], "max_instances_per_user": 50}
    servers = {"warm": {**command, "warm": 2}, "cold": command}
    config = scratch / "gatekit.yaml"
    proxy = {"port": port, "auth": {"enabled": False}}
    config.write_text(json.dumps({"data_dir": str(scratch / "data"), "proxy": proxy, "servers": servers}))
    process = Process([GATEKIT, "serve", "--config", config], scratch / "log")
    process.until_open(port)
    return process, port


def children(pid: int) -> list[int]:
    """Pids below ``pid``, the launcher among them."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed] + [below for child in listed for below in children(int(child))]


def memory(process: Process) -> int:
    """Private memory of the gateway and its launcher."""
    pids = (process.pid, *(int(child) for child in _launcher(process.pid)))
    return sum(_private(pid) for pid in pids)


def _launcher(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _private(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def direct() -> float:
    """Milliseconds of ``initialize`` sent to a running child itself."""
    with subprocess.Popen([str(w) for w in LIGHT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        time.sleep(0.5)
        began = time.perf_counter()
        child.stdin.write(OPENING + b"\n")
        child.stdin.flush()
        child.stdout.readline()
        took = time.perf_counter() - began
        child.kill()
    return took * 1000


def through(port: int, server: str) -> float:
    """The same through the gateway; the session is closed again."""
    http = Http(port)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    began = time.perf_counter()
    status, got, body = http.send(http.request(f"/s/{server}/mcp", headers, OPENING))
    took = time.perf_counter() - began
    if status != 200 or b'"result"' not in body:
        raise RuntimeError(f"initialize: {status} {body[:300]!r}")
    headers["Mcp-Session-Id"] = got["mcp-session-id"]
    http.send(http.request(f"/s/{server}/mcp", headers, b"", "DELETE"))
    http.close()
    return took * 1000


def one_session(port: int) -> None:
    headers = open_session(port, "/s/cold/mcp", "")
    http = Http(port)
    call = message("tools/call", ARGUMENTS, 2)
    status, _, body = http.send(http.request("/s/cold/mcp", headers, call))
    if status != 200 or b"hello, gate" not in body:
        raise RuntimeError(f"{status} {body[:300]!r}")
    http.send(http.request("/s/cold/mcp", headers, b"", "DELETE"))
    http.close()


def openings(port: int) -> dict[str, float]:
    found: dict[str, list[float]] = {"child itself": [], "warm": [], "cold": []}
    for _ in range(20):
        found["child itself"].append(direct())
        time.sleep(1.5)  # until the spares are there again and their program has started
        found["warm"].append(through(port, "warm"))
        found["cold"].append(through(port, "cold"))
    return {name: round(statistics.median(took), 2) for name, took in found.items()}


def settled(process: Process, expected: int) -> int:
    """How many children are left too many, a while after the last session was closed."""
    deadline = time.monotonic() + 20
    while (left := len(children(process.pid)) - expected) > 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def soak(process: Process, port: int, count: int) -> bool:
    time.sleep(4)  # until what the measurement before has closed is gone
    expected = len(children(process.pid))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one_session, [port] * SETTLED))
        settled(process, expected)
        before = memory(process)
        began = time.perf_counter()
        list(pool.map(one_session, [port] * (count - SETTLED)))
        took = time.perf_counter() - began
    left = settled(process, expected)
    time.sleep(2)
    after = memory(process)
    grown = after / before - 1
    print(f"{count} sessions, {(count - SETTLED) / took:.0f} a second; children left: {left}")
    print(f"memory {before / MB:.1f} MB after {SETTLED}, {after / MB:.1f} MB at the end: {grown:+.1%}")
    return left <= 0 and grown <= 0.05


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        process, port = serve(Path(folder))
        try:
            time.sleep(2)
            print("initialize, ms p50:", openings(port))
            good = soak(process, port, count)
        finally:
            process.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
