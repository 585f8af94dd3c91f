"""``upstream.flood``."""

from __future__ import annotations

from gatekit.upstream.flood import BURST, RATE, Allowance


def test_who_stays_below_never_waits() -> None:
    allowance = Allowance()
    assert not any(allowance.spend(int(RATE / 100), second / 100) for second in range(1000))


def test_a_burst_is_free_and_what_is_above_it_costs_time() -> None:
    allowance = Allowance()
    assert allowance.spend(int(BURST), 5.0) == 0
    assert allowance.spend(int(RATE), 5.0) == 1.0
    assert allowance.spend(0, 6.0) == 0


def test_it_is_earned_back_but_not_hoarded() -> None:
    allowance = Allowance()
    allowance.spend(int(BURST), 0.0)
    assert allowance.spend(int(BURST), 1000.0) == 0
    assert allowance.spend(int(RATE), 1000.0) == 1.0
