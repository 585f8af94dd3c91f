"""The more failures, the longer the wait."""

from __future__ import annotations

import pytest

from gatekit.identity.backoff import Allowance, Backoff, network_of
from tests.support.clock import ManualClock

THREE = Allowance(free=3, longest=60.0, memory=900.0)


def test_waits_double_up_to_the_longest() -> None:
    clock = ManualClock()
    backoff = Backoff(THREE, clock)
    waits = []
    for _ in range(12):
        backoff.failed("k")
        waits.append(backoff.wait("k"))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    clock.at += 59
    assert backoff.wait("k") == 1
    clock.at += 1
    assert backoff.wait("k") == 0


def test_a_quiet_quarter_of_an_hour_wipes_the_slate() -> None:
    clock = ManualClock()
    backoff = Backoff(THREE, clock)
    for _ in range(10):
        backoff.failed("k")
    clock.at += 901
    backoff.failed("k")
    assert backoff.wait("k") == 0


def test_forgive_takes_one_back_and_clear_all() -> None:
    backoff = Backoff(THREE, ManualClock())
    for _ in range(4):
        backoff.failed("k")
    backoff.forgive("k")
    assert backoff.wait("k") == 1
    backoff.forgive("k")
    assert backoff.wait("k") == 0
    backoff.failed("k")
    backoff.clear("k")
    assert backoff.wait("k") == 0
    backoff.forgive("unknown")
    backoff.clear("unknown")


def test_keys_are_apart_and_memory_is_bounded() -> None:
    backoff = Backoff(THREE, ManualClock(), max_keys=2)
    for _ in range(5):
        backoff.failed("a")
    assert backoff.wait("b") == 0
    backoff.failed("b")
    backoff.failed("c")  # pushes out the stalest
    assert backoff.wait("a") == 0


def test_a_thousand_failures_do_not_overflow() -> None:
    backoff = Backoff(THREE, ManualClock())
    for _ in range(5000):
        backoff.failed("k")
    assert backoff.wait("k") == 60


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:0db8:0001:0002"),
        ("2001:db8:1:2:bbbb::9", "2001:0db8:0001:0002"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("unix:" + "x" * 100, "unix:" + "x" * 59),
    ],
)
def test_what_counts_as_one_place(address: str, network: str) -> None:
    assert network_of(address) == network
