"""What many idle event streams cost: ``python -m benchmarks.streams [5000]``.

Apart from the other measures, because it needs a gateway of its own, fresh, with other limits.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import Process, free_port
from benchmarks.subjects import GATEKIT, LIGHT, open_session
from benchmarks.wire import Http

SERVER = "/s/light/mcp"


def gateway(folder: Path, port: int) -> Process:
    """Without authentication: what is measured lies behind the door."""
    command = [str(word) for word in LIGHT]
    document = {
        "data_dir": str(folder / "data"),
        "proxy": {"host": "127.0.0.1", "port": port, "auth": {"enabled": False}},
        "sessions": {"max_per_user": 100_000},
        "servers": {"light": {"command": command, "instances": "shared"}},
    }
    config = folder / "gatekit.yaml"
    config.write_text(json.dumps(document), encoding="utf-8")
    process = Process([GATEKIT, "serve", "--quiet", "--config", config], folder / "gatekit.log")
    process.until_open(port)
    return process


def measured(process: Process, port: int, count: int) -> dict[str, float]:
    """Resident bytes per idle event stream, its session not counted."""
    warm = [_stream(port, open_session(port, SERVER, "")) for _ in range(20)]
    opened = [open_session(port, SERVER, "") for _ in range(count)]
    time.sleep(1)
    before = process.rss()
    held = [_stream(port, headers) for headers in opened]
    time.sleep(2)
    after = process.rss()
    began = time.monotonic()
    open_session(port, SERVER, "")
    answered = time.monotonic() - began
    for http in (*held, *warm):
        http.close()
    return {
        "streams": count,
        "bytes_per_idle_stream": (after - before) / count,
        "initialize_meanwhile_ms": answered * 1000,
    }


def _stream(port: int, headers: dict[str, str]) -> Http:
    http = Http(port)
    accept = {name: value for name, value in headers.items() if name != "Content-Type"}
    first = http.first_bytes(http.request(SERVER, accept | {"Accept": "text/event-stream"}, b"", "GET"))
    if b" 200 " not in first.split(b"\r\n")[0]:
        raise RuntimeError(f"stream: {first[:300]!r}")
    return http


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = gateway(Path(folder), port)
        try:
            print(json.dumps(measured(process, port, int((sys.argv[1:] or ["5000"])[0])), indent=1))
        finally:
            process.stop()


if __name__ == "__main__":
    main()
