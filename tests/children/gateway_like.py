"""A stand-in for the gateway that is killed with SIGKILL in tests: a pool with links, and nothing else.

Usage: ``gateway_like.py COUNT KIND...``: acquires COUNT links to ``forker.py KIND...``, calls each once,
prints the launcher's pid and ``ready``, and then keeps calling until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from gatekit.model.server import Server
from gatekit.platform.clock import SystemClock
from gatekit.upstream.link import Hello, UpstreamKey
from gatekit.upstream.pool import Pool
from gatekit.upstream.supervisor import Supervisor

FORKER = str(Path(__file__).with_name("forker.py"))
ECHO = {"name": "echo", "arguments": {"text": "x"}}


class Memory:
    async def get(self, key: str) -> str | None:
        return None

    async def put(self, key: str, value: str) -> None:
        pass


async def main(count: int, kinds: list[str]) -> None:
    clock = SystemClock()
    supervisor = Supervisor(clock, os.environ, "test")
    pool = Pool(supervisor, clock, Memory(), lambda event: None)
    server = Server(
        name="forker",
        command=(sys.executable, "-I", "-S", FORKER, *kinds),
        env=(("FAMILY", os.environ["FAMILY"]),),
        max_instances_per_user=1000,
    )
    hello = Hello(era="handshake", version="2025-11-25", capabilities={})
    links = await asyncio.gather(
        *(pool.acquire(UpstreamKey("forker", f"session:{n}", "p"), server, hello) for n in range(count))
    )
    await asyncio.gather(*(link.call("tools/call", ECHO) for link in links))
    print(supervisor.launcher.pid, "ready", flush=True)
    while True:
        await asyncio.gather(*(link.call("tools/call", ECHO) for link in links))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
