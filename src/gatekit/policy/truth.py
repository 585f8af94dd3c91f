"""What one condition of a rule says about one use."""

from __future__ import annotations

from enum import Enum


class Truth(Enum):
    """``ODD``: there is an answer, and it makes no sense. ``OPEN``: nobody has asked yet, as for a list."""

    YES = "yes"
    NO = "no"
    ODD = "cannot be told"
    OPEN = "not known yet"

    @property
    def unclear(self) -> bool:
        return self in (Truth.ODD, Truth.OPEN)


YES, NO, ODD, OPEN = Truth.YES, Truth.NO, Truth.ODD, Truth.OPEN

ACCEPTED: dict[tuple[bool, bool], frozenset[Truth]] = {
    # (the rule restricts, the question is whether some call could be): what a condition must say for the
    # rule to count. What makes no sense never speaks for the caller; what is open may still turn out well.
    (True, False): frozenset((YES, ODD, OPEN)),
    (True, True): frozenset((YES, ODD)),
    (False, False): frozenset((YES,)),
    (False, True): frozenset((YES, OPEN)),
}
