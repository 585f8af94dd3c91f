"""Whose turn it is: order, bounds, and what happens to who leaves the line."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from gatekit.errors import LinkBusy
from gatekit.gateway.turns import Turns
from gatekit.model.server import Server


class House:
    """Calls that run until they are told to end."""

    def __init__(self, **bounds: Any) -> None:
        self.server = Server(name="s", **bounds)
        self.turns = Turns()
        self.running: list[str] = []
        self.began: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, *names: str) -> None:
        """``alice1`` is a call of alice."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._call(name))
            await settled()

    async def _call(self, name: str) -> None:
        async with self.turns.turn(self.server, name.rstrip("0123456789")):
            self.began.append(name)
            self.running.append(name)
            await self.ends[name].wait()
            self.running.remove(name)

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await settled()

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        assert not self.turns._lines, "nothing is kept of a line that is empty"


async def settled() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_no_more_than_fit() -> None:
    house = House(max_calls=2)
    await house.start("a1", "b1", "c1")
    assert house.running == ["a1", "b1"]
    await house.end("a1")
    assert house.running == ["b1", "c1"]
    await house.close()


async def test_one_busy_person_delays_nobody_by_more_than_what_runs() -> None:
    house = House(max_calls=1)
    await house.start(*(f"a{n}" for n in range(100)), "b0", "c0", "c1")
    for _ in range(4):
        await house.end(house.running[0])
    assert house.began[1:5] == ["a1", "b0", "c0", "a2"]
    assert house.turns.waiting("s") == 98
    await house.close()


async def test_who_has_fewer_running_comes_first() -> None:
    house = House(max_calls=4)
    await house.start("a0", "a1", "a2", "b0", "a3", "b1")
    await house.end("a0")
    assert house.running == ["a1", "a2", "b0", "b1"]
    await house.close()


async def test_nobody_takes_more_than_their_part() -> None:
    house = House(max_calls=3, max_calls_per_user=2)
    await house.start("a0", "a1", "a2", "b0")
    assert house.running == ["a0", "a1", "b0"]
    await house.end("b0")
    assert house.running == ["a0", "a1"]
    await house.end("a0")
    assert house.running == ["a1", "a2"]
    await house.close()


async def test_a_full_line_turns_away_whoever_has_most_in_it() -> None:
    house = House(max_calls=1, max_calls_waiting=3)
    await house.start("a0", "a1", "a2", "a3", "b0")
    with pytest.raises(LinkBusy, match="1 calls are running at the server") as caught:
        await house.tasks["a3"]
    assert caught.value.retry_after == 5
    await house.end("a0", "a1")
    assert house.running == ["b0"]
    await house.close()


async def test_no_turn_in_time() -> None:
    house = House(max_calls=1, max_call_wait=0.01)
    await house.start("a0", "b0")
    with pytest.raises(LinkBusy, match="no turn came"):
        await house.tasks["b0"]
    await house.end("a0")
    await house.close()


async def test_who_leaves_the_line_takes_no_place_along() -> None:
    house = House(max_calls=1)
    await house.start("a0", "b0", "c0")
    house.tasks["b0"].cancel()
    await house.end("a0")
    assert house.running == ["c0"]
    # And who leaves at the very moment when the turn comes gives it on.
    await house.start("d0", "e0")
    house.ends["c0"].set()
    while "c0" in house.running:
        await asyncio.sleep(0)
    house.tasks["d0"].cancel()
    await settled()
    assert house.running == ["e0"]
    await house.close()


async def test_bounds_change_while_calls_wait() -> None:
    house = House(max_calls=1)
    await house.start("a0", "a1", "a2")
    house.server = Server(name="s", max_calls=3)
    await house.start("b0")
    assert sorted(house.running) == ["a0", "a1", "b0"]
    await house.close()


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("start", "end", "cancel"))), max_size=60)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 3), st.integers(1, 3), st.integers(0, 5))
def test_whatever_happens_places_are_neither_lost_nor_made(
    steps: list[tuple[str, str]], many: int, each: int, line: int
) -> None:
    async def run() -> None:
        house = House(max_calls=many, max_calls_per_user=each, max_calls_waiting=line)
        for number, (person, step) in enumerate(steps):
            mine = [name for name in house.running if name[0] == person]
            if step == "start":
                await house.start(f"{person}{number}")
            elif step == "end" and mine:
                await house.end(mine[0])
            elif step == "cancel" and house.tasks:
                list(house.tasks.values())[number % len(house.tasks)].cancel()
                await settled()
                house.running = [name for name in house.running if not house.tasks[name].done()]
            by_person = [sum(name[0] == one for name in house.running) for one in "abc"]
            assert len(house.running) <= many
            assert max(by_person) <= each
            if house.turns.waiting("s") and min(by_person) < each:
                fitting = any(
                    by < each and house.turns._lines["s"].waiting.get(one)
                    for one, by in zip("abc", by_person, strict=True)
                )
                assert len(house.running) == many or not fitting, "no place stays free while somebody waits"
        await house.close()

    asyncio.run(run())
