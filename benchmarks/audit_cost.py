"""What one audit record costs: ``python benchmarks/audit_cost.py [calls per tick …]``.

Beside it what the event loop alone costs, each over many ticks.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from gatekit.audit.recorder import Recorder
from gatekit.model.audit import CallEvent
from gatekit.platform.clock import SystemClock, SystemEntropy

RECORDS = 60_000


def event() -> CallEvent:
    return CallEvent(
        at=1_790_000_000.123456,
        request_id="01K5XQ2N6N2V0W7X4J3K9M8P7Q",
        principal_id="usr_01K5XQ2N6N2V0W7X4J3K9M8P7Q",
        principal="alice",
        client_id="cli_01K5XQ2N6N2V0W7X4J3K9M8P7Q",
        client="bench",
        address="127.0.0.1",
        server="echo",
        method="tools/call",
        name="echo",
        decision="allow",
        rule="server:echo:users:alice",
        outcome="ok",
        duration_ms=1.234,
        args_digest="sha256:" + "ab" * 32,
        bytes_in=120,
        bytes_out=160,
        credential_id="key_01K5XQ2N6N2V0W7X4J3K9M8P7Q",
        client_era="stateless",
        upstream_era="handshake",
    )


async def by_future(recorder: Recorder, per_tick: int) -> None:
    one = event()

    async def call() -> None:
        await recorder.record(one)

    for _ in range(RECORDS // per_tick):
        await asyncio.gather(*[call() for _ in range(per_tick)])


async def nothing(recorder: Recorder, per_tick: int) -> None:
    loop = asyncio.get_running_loop()

    async def call() -> None:
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future

    for _ in range(RECORDS // per_tick):
        await asyncio.gather(*[call() for _ in range(per_tick)])


async def main(ticks: list[int]) -> None:
    ways: list[Callable[[Recorder, int], Awaitable[None]]] = [nothing, by_future]
    for per_tick in ticks:
        for way in ways:
            with tempfile.TemporaryDirectory() as folder:
                recorder = Recorder(
                    Path(folder), writer="gateway", clock=SystemClock(), entropy=SystemEntropy()
                )
                started = time.process_time()
                await way(recorder, per_tick)
                used = time.process_time() - started
                await recorder.aclose()
            print(f"{per_tick:4} records a tick  {way.__name__:14} {used / RECORDS * 1e6:6.2f} µs a record")


if __name__ == "__main__":
    uvloop.run(main([int(word) for word in sys.argv[1:]] or [1, 4, 16, 64]))
