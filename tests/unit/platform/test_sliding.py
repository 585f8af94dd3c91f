"""How much was used within a window that slides: never told too low."""

from __future__ import annotations

import math

import hypothesis.strategies as st
from hypothesis import given

from gatekit.platform.limits import SlidingCount

EVENTS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 50)), max_size=60)


@given(EVENTS, st.floats(1, 30))
def test_between_what_the_window_holds_and_a_thirtieth_more(
    events: list[tuple[float, int]], window: float
) -> None:
    count, now, all_of_it = SlidingCount(window), 0.0, []
    for later, amount in events:
        now += later
        count.add(amount, now)
        all_of_it.append((now, amount))
        inside = sum(much for at, much in all_of_it if now - at < window)
        longer = sum(much for at, much in all_of_it if now - at < window * 1.05 + 1e-6)
        assert inside <= count.used(now) <= longer


@given(EVENTS, st.integers(1, 200), st.integers(1, 50))
def test_after_the_wait_it_fits(events: list[tuple[float, int]], limit: int, amount: int) -> None:
    count, now = SlidingCount(10), 0.0
    for later, much in events:
        now += later
        count.add(much, now)
    fits = count.used(now) + amount <= limit
    wait = count.wait(amount, limit, now)
    assert fits == (wait == 0)
    assert math.isinf(wait) == (amount > limit)
    if not math.isinf(wait):
        assert count.wait(amount, limit, now + wait + 1e-6) == 0


def test_it_keeps_no_more_than_its_parts() -> None:
    count = SlidingCount(3)
    for number in range(10_000):
        count.add(1, number / 100)
    assert len(count._parts) <= SlidingCount.PARTS + 1
    count.used(10_000)
    assert len(count._parts) == 0
