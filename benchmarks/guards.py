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
from gatekit.plugins.chain import Chain

ALICE = Subject(server="s")
ROUNDS = 15
GUARDS = ("secrets", "pii", "injection")


def main() -> None:
    """Print the table."""
    with asyncio.Runner() as runner:
        runner.run(_all())


async def _all() -> None:
    guards = [loader.make(PluginSpec(name=use, use=use), "") for use in GUARDS]
    everywhere = PluginSpec(name="injection", use="injection", options=_EVERYWHERE)
    asking = Chain("s", [*guards[:2], loader.make(everywhere, "")])
    root = Path(__file__).parents[1]
    texts = {
        "code": "".join(path.read_text() for path in sorted((root / "src" / "gatekit").rglob("*.py")))[
            200_000:
        ],
        "prose": "".join(path.read_text() for path in sorted((root / "docs").glob("*.md"))),
    }
    took: dict[tuple[str, int], list[float]] = {}
    fixed: list[float] = []
    for _ in range(ROUNDS):
        for name, text in texts.items():
            for size, count in ((1000, 400), (60_000, 15)):
                took.setdefault((name, size), []).append(await _cost(asking, text, size, count))
                fixed.append(_fixed())
    print(f"a loop of 10,000 additions: {min(fixed):.0f} / {statistics.median(fixed):.0f} µs, beside it")
    print(f"all three guards, µs of processor time, least / median of {ROUNDS} rounds")
    for (name, size), each in took.items():
        print(f"  {size / 1000:3.0f} kB of {name:6} {min(each):8.1f} {statistics.median(each):8.1f}")
    await _stall([entry.plugin for entry in guards], texts["prose"])


_EVERYWHERE = {"look_at": ["arguments", "results"]}


def _fixed() -> float:
    began = time.process_time()
    total = 0
    for number in range(10_000):
        total += number
    return (time.process_time() - began) * 1e6


async def _cost(chain: Chain, text: str, size: int, count: int) -> float:
    pieces = [text[at : at + size] for at in range(0, min(len(text) - size, size * 40), size)]
    given = [Asked(method="tools/call", name="t", arguments={"text": piece}) for piece in pieces]
    began = time.process_time()
    for number in range(count):
        await chain.request(ALICE, given[number % len(given)], [])
    return (time.process_time() - began) / count * 1e6


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
