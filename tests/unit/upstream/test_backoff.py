"""``upstream.backoff``."""

from __future__ import annotations

from gatekit.upstream.backoff import FORGET_SECONDS, Backoff


def test_delays_double_up_to_half_a_minute() -> None:
    backoff, delays = Backoff(), []
    now = 100.0
    for _ in range(9):
        backoff.failed("k", now, "why")
        delays.append(backoff.remaining("k", now))
        now += 1.0
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert backoff.detail("k") == "why"


def test_a_healthy_minute_starts_the_count_anew() -> None:
    backoff = Backoff()
    for lived in (0.0, 59.9, 60.0):
        backoff.failed("k", 0.0, "why", lived)
    assert backoff.remaining("k", 0.0) == 0.5


def test_time_success_and_forgetting_end_it() -> None:
    backoff = Backoff()
    backoff.failed("a", 0.0, "why")
    backoff.failed("b", 0.0, "why")
    assert backoff.remaining("a", 0.6) == 0.0
    backoff.worked("a")
    assert "a" not in backoff
    assert "b" in backoff
    backoff.forget_old(FORGET_SECONDS + 1)
    assert "b" not in backoff
    assert backoff.remaining("b", 0.0) == 0.0
    assert backoff.detail("b") == ""
