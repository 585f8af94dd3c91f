"""``requestState``: what a client must bring back to go on with a call, and nobody else can use.

The client keeps it for us, so it is an attacker's text until it was opened: sealed (authenticated
encryption), bound to the person, the OAuth client, the endpoint, the method and the params that it was issued
for, valid for some minutes, and good for one use. It never stands in a log or a record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from gatekit.errors import InvalidParams, VaultError
from gatekit.gateway.ports import Sealer
from gatekit.model.call import Call
from gatekit.model.ports import Clock
from gatekit.protocol.era import bridge

_PURPOSE = "gateway request state"
_MAX_USED = 100_000
"""Used nonces kept at once; beyond that the oldest are forgotten before they expire."""

Kind = Literal["parked", "relayed", "visit", "asking"]


class Ticket(Struct, frozen=True, array_like=True):
    """The contents of a ``requestState``."""

    kind: Kind
    """``parked``: the upstream call is open here. ``relayed``: a stateless upstream asked, and ``state`` is
    its own. ``visit``: the call has not run, because a URL must be visited first.
    ``asking``: it has not run, because somebody must approve it; ``state`` is the approval's id."""
    nonce: str
    """``request_id`` of the leg that it was issued at: no other has it, and it need not be hard to guess,
    because the whole is sealed."""
    principal_id: str
    client_id: str
    endpoint: str
    """Server of the endpoint, ``""`` for the aggregate one."""
    digest: str
    """Of method and params."""
    expires: float
    origin: str
    """``request_id`` of the first leg."""
    rounds: int
    state: str | None = None


_decode = msgspec.json.Decoder(Ticket).decode


class Tickets:
    """Issues and reads tickets."""

    def __init__(self, sealer: Sealer, clock: Clock, lifetime: float) -> None:
        self._sealer = sealer
        self._clock = clock
        self._lifetime = lifetime
        self._used: dict[str, float] = {}

    def issue(
        self, call: Call, kind: Kind, nonce: str, origin: str, rounds: int, state: str | None = None
    ) -> str:
        """A ``requestState`` for the next leg of ``call``."""
        access = call.access
        ticket = Ticket(
            kind,
            nonce,
            access.principal.id,
            access.client_id,
            call.server,
            bridge.call_digest(call.method, call.params),
            self._clock.now() + self._lifetime,
            origin,
            rounds,
            state,
        )
        return self._sealer.seal(msgspec.json.encode(ticket).decode(), _PURPOSE)

    def read(self, call: Call, state: str) -> Ticket:
        """The ticket, if it was issued here for this very call. Raises InvalidParams.

        Whose it is instead is said to the record only.
        """
        try:
            ticket = _decode(self._sealer.open(state, _PURPOSE))
        except (VaultError, msgspec.DecodeError):
            raise _invalid("requestState is not valid here", "requestState does not open") from None
        access = call.access
        if ticket.principal_id != access.principal.id:
            raise _foreign("another principal")
        if ticket.client_id != access.client_id:
            raise _foreign("another client")
        if ticket.endpoint != call.server:
            raise _foreign("another server")
        if ticket.digest != bridge.call_digest(call.method, call.params):
            raise _foreign("another call or other arguments")
        if self._clock.now() >= ticket.expires:
            raise _invalid("requestState has expired; start the call again", "requestState expired")
        if ticket.nonce in self._used:
            raise _invalid("requestState was used before; start the call again", "requestState replayed")
        return ticket

    def use(self, ticket: Ticket) -> Callable[[], None]:
        """Use the ticket up; the result takes that back, for a leg that came to nothing."""
        if len(self._used) >= _MAX_USED:
            del self._used[next(iter(self._used))]
        self._used[ticket.nonce] = ticket.expires

        def take_back() -> None:
            self._used.pop(ticket.nonce, None)

        return take_back

    def sweep(self) -> None:
        """Forget used nonces whose tickets have expired anyway."""
        now = self._clock.now()
        for nonce, expires in list(self._used.items()):
            if expires > now:
                break
            del self._used[nonce]


def _invalid(public: str, detail: str) -> InvalidParams:
    return InvalidParams(f"Invalid params: {public}", detail)


def _foreign(whose: str) -> InvalidParams:
    return _invalid("requestState does not belong to this call", f"requestState of {whose}")
