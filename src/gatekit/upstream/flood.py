"""How much of the event loop an upstream may take with messages that nobody asked for.

A server that sends notifications as fast as it can would leave no time to the calls of others. Above the
allowance its output is simply not read for a moment: the pipe fills up and the server has to wait. Nothing is
dropped, and who sends less than that never notices.
"""

from __future__ import annotations

RATE = 10_000.0
"""Notifications and requests per second that one upstream may send for long."""
BURST = 2_000.0
"""How many may come at once."""


class Allowance:
    """A leaky bucket. Times are those of the event loop, in seconds."""

    __slots__ = ("_at", "_level", "told")

    def __init__(self) -> None:
        self._at = 0.0
        self._level = 0.0
        self.told = False
        """Whether the log has been told; once per process is enough."""

    def spend(self, count: int, now: float) -> float:
        """``count`` more have come: how many seconds to wait before the next ones; 0 if not at all."""
        self._level = max(0.0, self._level - (now - self._at) * RATE) + count
        self._at = now
        return max(0.0, self._level - BURST) / RATE
