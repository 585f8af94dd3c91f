"""Token buckets."""

from __future__ import annotations

from gatekit.platform.limits import KeyedBuckets, Rate, TokenBucket


class ManualClock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def test_burst_then_rate() -> None:
    clock = ManualClock()
    bucket = TokenBucket(Rate(2, 6), clock)
    assert [bucket.take(), bucket.take()] == [0.0, 0.0]
    assert bucket.take() == 10.0
    clock.at += 5
    assert bucket.take() == 5.0
    clock.at += 5
    assert bucket.take() == 0.0
    clock.at += 3600
    assert [bucket.take() > 0 for _ in range(3)] == [False, False, True]


def test_asking_takes_nothing() -> None:
    clock = ManualClock()
    bucket = TokenBucket(Rate(1, 6), clock)
    assert [bucket.wait(), bucket.wait(), bucket.take()] == [0.0, 0.0, 0.0]
    assert [bucket.wait(), bucket.wait()] == [10.0, 10.0]
    clock.at += 10
    assert [bucket.wait(), bucket.take()] == [0.0, 0.0]
    buckets = KeyedBuckets(Rate(1, 6), clock)
    assert [buckets.wait("a"), buckets.take("a"), buckets.wait("a"), buckets.wait("b")] == [0, 0, 10, 0]


def test_no_refill_means_a_long_wait() -> None:
    bucket = TokenBucket(Rate(0, 0), ManualClock())
    assert bucket.take() == 3600.0


def test_give_back() -> None:
    bucket = TokenBucket(Rate(1, 1), ManualClock())
    assert bucket.take() == 0.0
    bucket.give_back()
    bucket.give_back()
    assert [bucket.take() > 0, bucket.take() > 0] == [False, True]


def test_keys_are_apart_and_bounded() -> None:
    buckets = KeyedBuckets(Rate(1, 1), ManualClock(), max_keys=2)
    assert [buckets.take("a"), buckets.take("b")] == [0.0, 0.0]
    assert buckets.take("a") > 0
    assert buckets.take("c") == 0.0  # forgets b, the stalest
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0.0
    buckets.give_back("b")
    buckets.give_back("nobody")
    assert buckets.take("b") == 0.0
