"""Whether slow calls delay quick ones: ``python -m benchmarks.slow [rounds]``.

A real ``gatekit serve`` with one child that works on several calls at once. One client makes quick calls, one
after another, in turns of two seconds without and with ten calls of two seconds each under way on the same
child; p50 of both, and their ratio.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.processes import Process, free_port
from benchmarks.subjects import GATEKIT, HERE, PYTHON, open_session
from benchmarks.wire import Http, message

SLOW_ONES = 10
SLOW_SECONDS = 2.0
CHILD = HERE / "children" / "sleeper.py"
PATH = "/s/sleeper/mcp"


def serve(scratch: Path) -> tuple[Process, int]:
    port = free_port()
    config = scratch / "gatekit.yaml"
    proxy = {"port": port, "auth": {"enabled": False}}
    server = {"command": [str(PYTHON), "-I", "-S", str(CHILD)], "instances": "shared"}
    file = {"data_dir": str(scratch / "data"), "proxy": proxy, "servers": {"sleeper": server}}
    config.write_text(json.dumps(file))
    process = Process([GATEKIT, "serve", "--config", config], scratch / "log")
    process.until_open(port)
    return process, port


def call(http: Http, headers: dict[str, str], number: int, seconds: float) -> None:
    params = {"name": "sleep", "arguments": {"seconds": seconds}}
    status, _, body = http.send(http.request(PATH, headers, message("tools/call", params, number)))
    if status != 200 or b'"result"' not in body:
        raise RuntimeError(f"{status} {body[:300]!r}")


def quick(http: Http, headers: dict[str, str], seconds: float) -> list[float]:
    took, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        call(http, headers, 1_000_000 + len(took), 0.0)
        took.append((time.perf_counter() - began) * 1000)
    return took


def loaded(port: int, http: Http, headers: dict[str, str]) -> list[float]:
    """Quick calls while the slow ones are under way."""
    mine = [(Http(port), open_session(port, PATH, "")) for _ in range(SLOW_ONES)]
    slow = [
        threading.Thread(target=call, args=(one, theirs, number, SLOW_SECONDS))
        for number, (one, theirs) in enumerate(mine, 2)
    ]
    for thread in slow:
        thread.start()
    time.sleep(0.2)
    took = quick(http, headers, SLOW_SECONDS - 0.4)
    for thread in slow:
        thread.join()
    for one, _ in mine:
        one.close()
    return took


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    alone: list[float] = []
    beside: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        process, port = serve(Path(folder))
        try:
            headers, http = open_session(port, PATH, ""), Http(port)
            quick(http, headers, 1.0)
            for _ in range(rounds):
                alone.append(statistics.median(quick(http, headers, 1.6)))
                beside.append(statistics.median(loaded(port, http, headers)))
        finally:
            process.stop()
    one, other = statistics.median(alone), statistics.median(beside)
    print(f"p50 alone {one:.3f} ms, beside {SLOW_ONES} slow calls {other:.3f} ms: {other / one - 1:+.1%}")


if __name__ == "__main__":
    main()
