"""What was used of which quota, and whether one more call fits: the place of ``quotas`` in the exchange.

A call counts when the rules have allowed it and before anything else happens to it, so a refusal never tells
that something exists which its caller may not see. All that it counts in is looked at first and taken
then, without a wait in between: calls that arrive together cannot all find the last place free.

Counts are kept in memory, by the name of the quota: a new configuration finds them where they were, a new
process begins at nothing. What has run out is forgotten.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gatekit.errors import QuotaReached
from gatekit.gateway.outcomes import Answered, fault_of
from gatekit.gateway.published import Shelf
from gatekit.gateway.reply import Reply
from gatekit.gateway.router import Route, Target
from gatekit.gateway.tasks import METHODS as TASKS
from gatekit.model.call import Call
from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Decision, Deny
from gatekit.model.ports import Clock
from gatekit.model.rules import Allowance, Per, Quota
from gatekit.platform.limits import SlidingCount
from gatekit.protocol import methods

MAX_COUNTS = 100_000
"""Counts that are kept; then the one that nobody has used for longest is forgotten."""
_SWEPT = 1000
SOON = 1
"""Seconds after which another try makes sense where nobody knows when a running call ends."""

Measure = Literal["calls", "bytes_in", "bytes_out"]
_MEASURES: tuple[Measure, ...] = ("calls", "bytes_in", "bytes_out")
_WORDS = {"calls": "calls", "bytes_in": "bytes sent", "bytes_out": "bytes received"}
_CountKey = tuple[str, Measure, float, str]
"""Quota, measure, length of the window, whose."""
_PlaceKey = tuple[str, str]
"""Quota, whose."""


class Used(Struct, frozen=True, kw_only=True):
    """What somebody has used of one quota."""

    name: str
    per: Per
    whose: str
    """Id of a person or of a client; empty: it is one for all."""
    title: str
    """Name of the person, or what the client calls itself, when it was last used."""
    measure: Literal["calls", "bytes_in", "bytes_out", "at_once"]
    used: int
    limit: int
    seconds: float
    """Length of the window; 0: it is about what runs now."""
    wait: float
    """Seconds until one more fits."""
    shadow: bool


class Taken:
    """What one call has taken (``model.call.Held``)."""

    __slots__ = ("_ledger", "counts", "names", "over", "places", "shadow")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.names: set[str] = set()
        """Quotas that it counts in."""
        self.counts: list[_CountKey] = []
        """Where the bytes of its answer go."""
        self.places: list[_PlaceKey] = []
        self.over: QuotaReached | None = None
        self.shadow = ""
        """Quota that would have refused it."""

    def sent(self, size: int) -> None:
        for key in self.counts:
            self._ledger.add(key, size)

    def release(self) -> None:
        places, self.places = self.places, []
        self._ledger.leave(places)

    def moved(self) -> Taken:
        """Its places, for what goes on after the request has ended."""
        other = Taken(self._ledger)
        other.places, self.places = self.places, []
        return other


class Ledger:
    """All counts of the process. ``resumes``: whether a call only goes on with one that is held open."""

    def __init__(self, clock: Clock, shelf: Shelf, resumes: Callable[[Call], bool]) -> None:
        self._clock = clock
        self._shelf = shelf
        self._resumes = resumes
        self._counts: dict[_CountKey, SlidingCount] = {}
        self._running: Counter[_PlaceKey] = Counter()
        self._unswept: list[_CountKey] = []
        self._titles: dict[str, str] = {}
        """Whose, by id: for whoever looks."""

    def enter(self, call: Call, target: Route, take: bool = True) -> QuotaReached | None:
        """Count a call, or say what it does not fit into; nothing has been taken then. Asked again for what a
        plugin has made of a call: what that counted in already is not counted twice. ``take`` False: it
        is only looked."""
        if not isinstance(target, Target) or not _counts(call, target):
            return None
        quotas = self._shelf.current.rights(call.access.principal).quotas
        if not quotas:
            return None
        held = call.held
        taken = call.held = held if isinstance(held, Taken) else Taken(self)
        about = Circumstances(client_id=call.access.client_id, client_name=call.access.client_name)
        named = [(target.server.name, target.name)]
        if target.view is not None and target.view.name:
            named.append((target.view.name, target.asked))
        mine = [
            limited.quota
            for limited in quotas
            if limited.quota.name not in taken.names and limited.counts(named, target.kind, about)
        ]
        return self._take(mine, call, taken, take) if mine else None

    def _take(self, mine: list[Quota], call: Call, taken: Taken, take: bool) -> QuotaReached | None:
        own = _Weight(call, self._resumes(call))
        over = self._first(mine, call, own, taken)
        if over is not None or not take:
            taken.over = over
            return over
        for quota in mine:
            taken.names.add(quota.name)
            whose = _whose(quota, call)
            self._titles[whose] = _title(quota, call)
            for measure, allowance in _allowances(quota):
                key = (quota.name, measure, allowance.seconds, whose)
                self.add(key, own.of(measure))
                if measure == "bytes_out":
                    taken.counts.append(key)
            if quota.at_once and own.place:
                taken.places.append((quota.name, whose))
                self._running[quota.name, whose] += 1
        return None

    def _first(self, mine: list[Quota], call: Call, own: _Weight, taken: Taken) -> QuotaReached | None:
        """What the call does not fit into; of several, what takes longest: before that no try makes sense."""
        now = self._clock.monotonic()
        over: QuotaReached | None = None
        for quota in mine:
            found = self._over(quota, call, own, now)
            if found is None:
                continue
            if quota.rule.shadow:
                taken.shadow = taken.shadow or quota.rule.title
            elif over is None or not found.wait or 0 < over.wait < found.wait:
                over = found
        return over

    def _over(self, quota: Quota, call: Call, own: _Weight, now: float) -> QuotaReached | None:
        whose = _whose(quota, call)
        if quota.at_once and own.place and self._running[quota.name, whose] >= quota.at_once:
            text = f"'{quota.name}' allows {quota.at_once} calls at once; try again when one has ended"
            return QuotaReached(text, quota.name, SOON)
        for measure, allowance in _allowances(quota):
            count = self._counts.get((quota.name, measure, allowance.seconds, whose))
            wanted = own.of(measure)
            # What an answer will take is not known before; it is let through as long as something is left.
            asked = 1 if measure == "bytes_out" else wanted
            wait = (count or SlidingCount(allowance.seconds)).wait(asked, allowance.amount, now)
            if wait and asked:
                return _reached(quota, measure, allowance, wait)
        return None

    def add(self, key: _CountKey, amount: int) -> None:
        """Count ``amount`` more."""
        if not amount:
            return
        count = self._counts.pop(key, None) or SlidingCount(key[2])
        self._counts[key] = count  # re-inserted: dicts keep order, so the first one is the stalest
        if len(self._counts) > MAX_COUNTS:
            del self._counts[next(iter(self._counts))]
        count.add(amount, self._clock.monotonic())

    def leave(self, places: list[_PlaceKey]) -> None:
        """These calls do not run any more."""
        for key in places:
            self._running[key] -= 1
            if self._running[key] <= 0:
                del self._running[key]

    def sweep(self) -> None:
        """Forget counts that have run out; only so many at a time, because calls wait meanwhile."""
        now = self._clock.monotonic()
        if not self._unswept and (self._counts or self._titles):
            self._unswept = list(self._counts)
            kept = {key[3] for key in self._unswept} | {whose for _, whose in self._running}
            self._titles = {whose: title for whose, title in self._titles.items() if whose in kept}
        for key in self._unswept[-_SWEPT:]:
            count = self._counts.get(key)
            if count is not None and not count.used(now):
                del self._counts[key]
        del self._unswept[-_SWEPT:]

    def __len__(self) -> int:
        return len(self._counts) + len(self._running)

    def used(self) -> Iterator[Used]:
        """What stands in the books of quotas that are in force."""
        now = self._clock.monotonic()
        quotas = {limited.quota.name: limited.quota for limited in self._shelf.current.policy.quotas}
        for (name, measure, seconds, whose), count in self._counts.items():
            quota, used = quotas.get(name), count.used(now)
            allowance: Allowance | None = getattr(quota, measure, None)
            if quota is not None and allowance is not None and allowance.seconds == seconds and used:
                wait = count.wait(1, allowance.amount, now)
                yield self._used(quota, whose, measure, used, allowance.amount, seconds, wait)
        for (name, whose), running in self._running.items():
            quota = quotas.get(name)
            if quota is not None and quota.at_once:
                wait = SOON if running >= quota.at_once else 0.0
                yield self._used(quota, whose, "at_once", running, quota.at_once, 0.0, wait)

    def _used(
        self,
        quota: Quota,
        whose: str,
        measure: Measure | Literal["at_once"],
        used: int,
        limit: int,
        seconds: float,
        wait: float,
    ) -> Used:
        return Used(
            name=quota.name,
            per=quota.per,
            whose=whose,
            title=self._titles.get(whose, ""),
            measure=measure,
            used=used,
            limit=limit,
            seconds=seconds,
            wait=wait,
            shadow=quota.rule.shadow,
        )


class _Weight:
    """What a call takes of each measure."""

    __slots__ = ("_bytes", "_calls", "place")

    def __init__(self, call: Call, resumed: bool) -> None:
        # To go on with a call that is open at its server is no second call, and neither is to look after a
        # task; but what is fetched that way is as long as it is.
        self.place = not (resumed or call.method in TASKS)
        self._calls = int(self.place)
        self._bytes = call.bytes_in

    def of(self, measure: Measure) -> int:
        return self._calls if measure == "calls" else self._bytes if measure == "bytes_in" else 0


def _counts(call: Call, target: Target) -> bool:
    """Whether it is a use of something. Lists, greetings and the like are not: whoever has nothing left may
    still see what there is. Nor is what ends a task."""
    if target.kind == "server":
        return not methods.spec(call.method).known
    return call.method != "tasks/cancel"


def _whose(quota: Quota, call: Call) -> str:
    if quota.per == "person":
        return call.access.principal.id
    return call.access.client_id if quota.per == "client" else ""


def _title(quota: Quota, call: Call) -> str:
    if quota.per == "person":
        return call.access.principal.username
    return call.access.client_name if quota.per == "client" else ""


def _allowances(quota: Quota) -> Iterator[tuple[Measure, Allowance]]:
    for measure in _MEASURES:
        allowance: Allowance | None = getattr(quota, measure)
        if allowance is not None:
            yield measure, allowance


def _reached(quota: Quota, measure: Measure, allowance: Allowance, wait: float) -> QuotaReached:
    what = f"'{quota.name}' allows {allowance.amount} {_WORDS[measure]} in {_seconds(allowance.seconds)}"
    if math.isinf(wait):
        return QuotaReached(f"{what}; this call alone is more than that", quota.name, 0)
    left = math.ceil(wait)
    return QuotaReached(f"{what}; try again in {_seconds(left)}", quota.name, left)


def _seconds(value: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if value >= length and value % length == 0:
            many = value // length
            return f"{many:.0f} {unit}{'s' if many > 1 else ''}"
    return f"{value:g} seconds"


def refused(reached: QuotaReached, reply: Reply) -> Answered:
    """What the caller hears."""
    if reached.wait:
        reply.add_headers((b"retry-after", b"%d" % reached.wait))
    return Answered(fault_of(reached), None, reached.detail)


def release(call: Call) -> None:
    """The request has ended."""
    if call.held is not None:
        call.held.release()


def told(call: Call, decision: Decision) -> Decision:
    """The decision as the record shall have it: what does not fit was refused."""
    held = call.held
    if not isinstance(held, Taken):
        return decision
    if held.over is not None:
        return Deny(held.over.detail, f"quotas.{held.over.name}", shadow=held.shadow)
    return replace(decision, shadow=held.shadow) if held.shadow and not decision.shadow else decision
