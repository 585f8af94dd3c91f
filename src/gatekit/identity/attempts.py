"""Counts guesses at passwords and codes, for every door that takes one (checklist U1).

A failure is counted before the check and taken back after a success: attempts that run at the same time must
count each other. One object serves all doors: whoever guesses at one of them waits at the others.
"""

from __future__ import annotations

from collections import OrderedDict

from gatekit.errors import SignInRefused
from gatekit.identity.backoff import Allowance, Backoff, network_of
from gatekit.model.ports import Clock

REFUSED = (
    "That username and password do not fit together. After several wrong attempts, wait a few minutes before "
    "the next one."
)

PER_ACCOUNT_AND_PLACE = Allowance(free=5)
PER_PLACE = Allowance(free=100)
"""More than the password queue holds: who waits to be checked counts too, and an office has one address."""
PER_ACCOUNT = Allowance(free=30, longest=60.0)
"""Guesses from many places. Looser and shorter than the other two: a stranger must not be able to lock
somebody out for good by guessing wrong on purpose."""

MAX_PROVEN = 10_000


class Attempt:
    """One guess under way. Counted as wrong unless ``succeeded`` or ``unjudged`` is called."""

    def __init__(self, attempts: Attempts, account: str, place: str) -> None:
        self._attempts = attempts
        self._account = account
        self._place = place

    def succeeded(self) -> None:
        self._attempts.succeeded(self._account, self._place)

    def unjudged(self) -> None:
        """Nobody looked at the password, so nobody has guessed."""
        self._attempts.unjudged(self._account, self._place)


class Attempts:
    """In memory and bounded."""

    def __init__(self, clock: Clock) -> None:
        self._pairs = Backoff(PER_ACCOUNT_AND_PLACE, clock)
        self._places = Backoff(PER_PLACE, clock)
        self._accounts = Backoff(PER_ACCOUNT, clock)
        self._proven: OrderedDict[str, None] = OrderedDict()
        """Account and place of past successes."""

    def begin(self, account: str, address: str) -> Attempt:
        """Count one guess at ``account`` from the network peer ``address``; raise ``SignInRefused``, always
        with ``REFUSED``, if it is too early for one.

        Names that do not exist count as well, so that waiting tells nothing about a name.
        """
        place = network_of(address)
        if wait := self._wait(account, place):
            raise SignInRefused(
                REFUSED, f"too many failures for {account!r} from {address}, wait {wait:.0f} s"
            )
        self._pairs.failed(_pair(account, place))
        self._places.failed(place)
        self._accounts.failed(account)
        return Attempt(self, account, place)

    def succeeded(self, account: str, place: str) -> None:
        pair = _pair(account, place)
        self._pairs.clear(pair)
        self._places.forgive(place)
        self._accounts.forgive(account)
        self._proven[pair] = None
        self._proven.move_to_end(pair)
        while len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)

    def unjudged(self, account: str, place: str) -> None:
        self._pairs.forgive(_pair(account, place))
        self._places.forgive(place)
        self._accounts.forgive(account)

    def _wait(self, account: str, place: str) -> float:
        pair = _pair(account, place)
        waits = [self._pairs.wait(pair), self._places.wait(place)]
        if pair not in self._proven:
            # Where somebody signed in before, strangers' guesses from elsewhere do not lock them out.
            waits.append(self._accounts.wait(account))
        return max(waits)


def _pair(account: str, place: str) -> str:
    return f"{account}\0{place}"
