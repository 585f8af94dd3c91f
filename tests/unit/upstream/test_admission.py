"""``upstream.admission``: places, lines, and who comes next."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatekit.errors import PoolFull
from gatekit.model.server import Server
from gatekit.platform.clock import SystemClock
from gatekit.upstream.admission import Admission, Guest
from gatekit.upstream.link import UpstreamKey


class Somebody:
    def __init__(self, server: Server, person: str) -> None:
        self.server = server
        self.key = UpstreamKey(server.name, f"for {person}", person)
        self.admitted = False


class House:
    """An Admission, who came in in which order, and what it asked for."""

    def __init__(self, **settings: Any) -> None:
        settings = {"max_wait": 20.0, "max_instances": 2, **settings}
        self.server = Server(name="x", command=("x",), **settings)
        self.spares = 0
        self.asked: list[tuple[str, bool]] = []
        self.order: list[str] = []
        self.admission = Admission(SystemClock(), self.adopt, self.make_room)

    def adopt(self, _guest: Guest) -> bool:
        self.spares -= 1
        return self.spares >= 0

    def make_room(self, guest: Guest, own: bool) -> None:
        self.asked.append((guest.key.principal_id, own))

    async def enter(self, person: str) -> Somebody:
        guest = Somebody(self.server, person)
        await self.admission.enter(guest)
        self.order.append(person)
        return guest

    async def wait(self, *people: str) -> list[asyncio.Task[Somebody]]:
        """Get in line, in this order."""
        tasks = []
        for person in people:
            tasks.append(asyncio.create_task(self.enter(person)))
            await asyncio.sleep(0)
        return tasks


async def test_one_busy_person_does_not_keep_others_out() -> None:
    """I23: One busy person does not keep others out."""
    house = House(max_instances=3)
    inside = [await house.enter("busy") for _ in range(3)]
    waiting = await house.wait("busy", "busy", "alice", "bob")
    house.order.clear()
    for guest in inside:
        house.admission.leave(guest)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert house.order == ["alice", "bob", "busy"]
    for task in waiting:
        task.cancel()


async def test_of_equals_who_came_first_goes_first() -> None:
    house = House()
    first, _ = await house.enter("a"), await house.enter("b")
    waiting = await house.wait("d", "c")
    house.admission.leave(first)
    assert (await waiting[0]).admitted
    assert not waiting[1].done()
    waiting[1].cancel()


async def test_a_person_at_the_cap_waits_while_others_pass() -> None:
    house = House(max_instances=5, max_instances_per_user=1)
    own = await house.enter("a")
    waiting = await house.wait("a", "b")
    assert (await waiting[1]).key.principal_id == "b"
    assert not waiting[0].done()
    assert house.asked[0] == ("a", True)
    house.admission.leave(own)
    assert (await waiting[0]).admitted


async def test_the_line_is_bounded_for_each_person_and_for_the_server() -> None:
    house = House(max_instances=1, max_waiting=3, max_waiting_per_user=2)
    await house.enter("x")
    waiting = await house.wait("a", "a")
    with pytest.raises(PoolFull, match="2 starts of this person are waiting") as caught:
        await house.enter("a")
    assert caught.value.retry_after == 20
    waiting += await house.wait("b")
    with pytest.raises(PoolFull, match="3 starts of the server are waiting"):
        await house.enter("c")
    assert house.admission.waiting == 3
    for task in waiting:
        task.cancel()


async def test_nobody_waits_where_there_is_no_line() -> None:
    house = House(max_instances=1, max_waiting=0)
    await house.enter("x")
    with pytest.raises(PoolFull, match="0 starts"):
        await house.enter("y")
    assert house.admission.waiting == 0


async def test_who_waited_in_vain_is_told_why_and_forgotten() -> None:
    house = House(max_instances=1, max_wait=0.05)
    inside = await house.enter("x")
    with pytest.raises(PoolFull, match="1 instances of the server are running, which is the limit") as caught:
        await house.enter("y")
    assert caught.value.retry_after == 1
    assert house.admission.waiting == 0
    house.admission.leave(inside)
    house.admission.leave(inside)  # idempotent
    assert (await house.enter("z")).admitted


async def test_who_gives_up_leaves_the_line() -> None:
    house = House(max_instances=1)
    inside = await house.enter("x")
    gone, patient = await house.wait("y", "z")
    gone.cancel()
    await asyncio.sleep(0)
    house.admission.leave(inside)
    assert (await patient).key.principal_id == "z"


async def test_a_spare_is_a_place() -> None:
    house = House(max_instances=1)
    spare = Somebody(house.server, "")
    assert house.admission.try_enter(spare)
    assert not house.admission.try_enter(Somebody(house.server, ""))
    house.spares = 1
    assert (await house.enter("a")).admitted


async def test_a_spare_takes_no_place_that_somebody_waits_for() -> None:
    house = House(max_instances=2, max_instances_per_user=1)
    await house.enter("a")
    (waiting,) = await house.wait("a")
    assert not house.admission.try_enter(Somebody(house.server, ""))
    waiting.cancel()
    await asyncio.sleep(0)
    assert house.admission.try_enter(Somebody(house.server, ""))
