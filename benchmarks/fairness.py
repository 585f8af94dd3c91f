"""What one busy person costs another: ``python -m benchmarks.fairness [rounds]``.

One shared process that does one thing at a time, 20 ms each. Alice keeps a hundred calls waiting; Bob makes
one call after the other. How long does each of his take, in calls of 20 ms, alone (1 is ideal), beside her
without ``max_calls``, and beside her with it?
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from tests.unit.gateway.rig import Rig, person

CHILD = Path(__file__).parent / "children" / "serial.py"
BUSY, CALLS, ONE = 100, 5, 0.02
PEOPLE = (ByLogin("local", "alice"), ByLogin("local", "bob"))
CALL = {"name": "work", "arguments": {}}


async def measured(folder: Path, busy: bool, **bounds: Any) -> float:
    """How long one of Bob's calls takes, in calls."""
    command = (sys.executable, "-I", "-S", str(CHILD))
    server = Server(name="db", command=command, instances="shared", **bounds)
    rig = Rig(folder, (server,), Rules(servers=(ServerRules(server="db", allowed=PEOPLE),)))
    rig.door.give("alice", person("alice"))
    rig.door.give("bob", person("bob"))
    try:
        await rig.stateless("/s/db/mcp", "tools/call", CALL, token="bob")

        async def one_of_many() -> None:
            while True:
                await rig.stateless("/s/db/mcp", "tools/call", CALL, token="alice")

        others = [asyncio.ensure_future(one_of_many()) for _ in range(BUSY if busy else 0)]
        await asyncio.sleep(0.3)
        took = []
        for _ in range(CALLS):
            began = time.perf_counter()
            answer = await rig.stateless("/s/db/mcp", "tools/call", CALL, token="bob")
            assert answer.status == 200, answer.body
            took.append((time.perf_counter() - began) / ONE)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        return statistics.mean(took)
    finally:
        await rig.close()


async def main(rounds: int) -> None:
    ways: dict[str, dict[str, Any]] = {
        "alone": {"busy": False},
        "beside a hundred": {"busy": True},
        "the same, max_calls: 1": {"busy": True, "max_calls": 1},
        "the same, max_calls: 2": {"busy": True, "max_calls": 2},
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, bounds in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(await measured(Path(folder), **bounds))
            print(f"· round {number + 1}: {name}", file=sys.stderr, flush=True)
    for name, values in found.items():
        print(f"{name:26} {statistics.median(values):7.1f} calls")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
