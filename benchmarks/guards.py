"""What the guards cost: micro-benchmarks of one call, and how long a large result keeps others waiting.

usage: python -m benchmarks.guards
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path
from typing import Any

from gatekit.model.plugins import PluginSpec
from gatekit.plugin import Answered, Asked, Pieces, Plugin, Subject
from gatekit.plugins import loader

ALICE = Subject(server="s")
GUARDS = ("secrets", "pii", "injection")


def main() -> None:
    """Print the table."""
    guards = [loader.make(PluginSpec(name=use, use=use), "").plugin for use in GUARDS]
    asking = [*guards[:2], loader.make(PluginSpec(name="i", use="injection", options=_EVERYWHERE), "").plugin]
    sources = sorted((Path(__file__).parents[1] / "src" / "gatekit").rglob("*.py"))
    code = "".join(path.read_text() for path in sources)[200_000:]
    prose = "".join(path.read_text() for path in sorted((Path(__file__).parents[1] / "docs").glob("*.md")))
    print("all three guards, µs of processor time, least / median of 15 rounds")
    for name, text in (("code", code), ("prose", prose)):
        for size, count in ((1000, 400), (60_000, 15)):
            least, median = _cost(asking, text, size, count)
            print(f"  {size / 1000:3.0f} kB of {name:6} {least:8.1f} {median:8.1f}")
    asyncio.run(_stall(guards, prose))


_EVERYWHERE = {"look_at": ["arguments", "results"]}


def _cost(guards: list[Plugin], text: str, size: int, count: int) -> tuple[float, float]:
    pieces = [text[at : at + size] for at in range(0, min(len(text) - size, size * 40), size)]
    given = [Asked(method="tools/call", name="t", arguments={"text": piece}) for piece in pieces]
    took = []
    for _ in range(15):
        began = time.process_time()
        for number in range(count):
            for guard in guards:
                guard.on_request(ALICE, given[number % len(given)])
        took.append((time.process_time() - began) / count * 1e6)
    return min(took), statistics.median(took)


async def _stall(guards: list[Plugin], prose: str) -> None:
    """A turn of the loop every millisecond: how late is the latest while 10 MB are looked at?"""
    body: Any = {"content": [{"type": "text", "text": (prose * 200)[:10_000_000]}]}
    raw = json.dumps(body).encode()
    late: list[float] = []
    done = False

    async def ticks() -> None:
        while not done:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - began - 0.001)

    ticking = asyncio.ensure_future(ticks())
    await asyncio.sleep(0.2)
    quiet = max(late)
    late.clear()
    began = time.perf_counter()
    asked = Asked(method="tools/call", name="t", arguments={})
    for guard in guards:
        answered = Answered("tools/call", "t", raw=Pieces((raw,)))
        verdict = guard.on_response(ALICE, asked, answered)
        if asyncio.iscoroutine(verdict):
            await verdict
    took = time.perf_counter() - began
    done = True
    await ticking
    print(f"10 MB result: {took:.2f} s in a thread; latest turn of the loop {max(late) * 1000:.1f} ms late "
          f"(quiet {quiet * 1000:.1f} ms)")  # fmt: skip


if __name__ == "__main__":
    main()
