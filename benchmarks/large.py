"""What one very large result costs: ``python -m benchmarks.large [megabytes …]``.

A real ``gatekit serve`` in front of a child whose one tool answers with as many bytes as it is asked for. For
each era and size: resident memory of the gateway before, at its highest, and after; and how long calls of
somebody else, made all the while, had to wait.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import Process, free_port
from benchmarks.subjects import GATEKIT, HERE, PYTHON, open_session
from benchmarks.wire import META, STATELESS, Http, message

MB = 1024 * 1024
LARGE = HERE / "children" / "large.py"


def serve(scratch: Path) -> tuple[Process, int]:
    port = free_port()
    server = {"command": [str(PYTHON), "-I", "-S", str(LARGE)], "max_result": "300MB", "instances": "session"}
    config = scratch / "gatekit.yaml"
    proxy = {"port": port, "auth": {"enabled": False}}
    file = {"data_dir": str(scratch / "data"), "proxy": proxy, "servers": {"large": server, "other": server}}
    config.write_text(json.dumps(file))
    process = Process([GATEKIT, "serve", "--config", config], scratch / "log")
    process.until_open(port)
    return process, port


def highest(process: Process) -> int:
    """Highest resident memory since ``reset``."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def reset(process: Process) -> None:
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


class Neighbour:
    """Somebody else's small calls to another server, one after another."""

    def __init__(self, port: int) -> None:
        self.took: list[float] = []
        self._over = threading.Event()
        self._http = Http(port)
        headers = open_session(port, "/s/other/mcp", "")
        self._request = self._http.request(
            "/s/other/mcp", headers, message("tools/call", {"name": "big", "arguments": {"size": 1}})
        )
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.is_set():
            began = time.perf_counter()
            self._http.send(self._request)
            self.took.append((time.perf_counter() - began) * 1000)
            time.sleep(0.001)

    def __enter__(self) -> Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def request(era: str, size: int, port: int, accept: str) -> tuple[dict[str, str], bytes]:
    params: dict[str, Any] = {"name": "big", "arguments": {"size": size}}
    if era == "handshake":
        headers = open_session(port, "/s/large/mcp", "")
    else:
        params["_meta"] = META
        headers = {"Content-Type": "application/json", "MCP-Protocol-Version": STATELESS}
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "big"}
    return headers | {"Accept": accept}, message("tools/call", params)


def drained(http: Http, wanted: bytes) -> int:
    """Send, and throw the answer away as it comes; its size."""
    http.socket.sendall(wanted)
    data = http.more()
    while b"\r\n\r\n" not in data:
        data += http.more()
    head, _, rest = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(data[:500])
    if b"chunked" in head:
        size, tail = len(rest), rest[-5:]
        while tail != b"0\r\n\r\n":
            data = http.more()
            size, tail = size + len(data), (tail + data)[-5:]
        return size
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    size = len(rest)
    while size < length:
        size += len(http.more())
    return size


def measure(process: Process, port: int, era: str, megabytes: int) -> dict[str, float]:
    accept = "application/json, text/event-stream"
    http = Http(port, 120)
    for size in (1, MB):  # code paths and caches
        headers, body = request(era, size, port, accept)
        drained(http, http.request("/s/large/mcp", headers, body))
    headers, body = request(era, megabytes * MB, port, accept)
    with Neighbour(port) as neighbour:
        time.sleep(0.5)
        usual = statistics.median(neighbour.took)
        reset(process)
        before = process.rss()
        neighbour.took.clear()
        began = time.perf_counter()
        size = drained(http, http.request("/s/large/mcp", headers, body))
        took = time.perf_counter() - began
        waits = sorted(neighbour.took)
    peak = highest(process)
    time.sleep(1)
    return {
        "size_mb": size / MB,
        "before_mb": before / MB,
        "peak_mb": peak / MB,
        "after_mb": process.rss() / MB,
        "times_its_size": (peak - before) / size,
        "seconds": took,
        "others_usual_ms": usual,
        "others_p50_ms": waits[len(waits) // 2] if waits else 0.0,
        "others_worst_ms": waits[-1] if waits else 0.0,
    }


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [1, 16, 64]
    for era in ("handshake", "stateless"):
        for megabytes in sizes:
            with tempfile.TemporaryDirectory() as folder:
                process, port = serve(Path(folder))
                try:
                    found = measure(process, port, era, megabytes)
                finally:
                    process.stop()
            print(era, {name: round(value, 2) for name, value in found.items()}, flush=True)


if __name__ == "__main__":
    main()
