"""The orderly end of the data plane: nothing new comes in, what runs may finish, streams end politely."""

from __future__ import annotations

import asyncio

from gatekit.errors import GatewayStopping
from gatekit.gateway.dispatch import Dispatch
from gatekit.gateway.exchange import Exchange
from gatekit.gateway.handshake import HandshakeDoor
from gatekit.gateway.outcomes import fault_of
from gatekit.gateway.rounds import Rounds
from gatekit.gateway.sessions import McpSession
from gatekit.gateway.stateless import StatelessDoor

STOPPING = fault_of(GatewayStopping("the gateway is stopping; try again"))
"""How calls end that may not run any longer."""
REASON = "the gateway stops"
_LAST_WORDS = 1.0
"""Seconds in which cancelled calls are answered and recorded."""


class Drain:
    """Ends what is open, in the order that costs callers least."""

    def __init__(
        self,
        doors: tuple[Dispatch, ...],
        exchange: Exchange,
        rounds: Rounds,
        handshake: HandshakeDoor,
        stateless: StatelessDoor,
    ) -> None:
        self._doors = doors
        self._exchange = exchange
        self._rounds = rounds
        self._handshake = handshake
        self._stateless = stateless

    async def run(self, patience: float) -> None:
        """Refuse new calls from now on, and return when the running ones have ended.

        ``patience``: seconds they get before they are cancelled.
        """
        for door in self._doors:
            door.retry_after = round(patience) + 1
        # Whoever would go on with these is refused from now on.
        self._give_up_parked()
        for subscription in list(self._stateless.subscriptions):
            subscription.end()
        await self._end_sessions([s for s in self._handshake.sessions if not s.calls])
        await self._wait(patience)
        for flight in list(self._exchange.flights):
            flight.cancel(STOPPING)
        await self._wait(_LAST_WORDS)
        self._give_up_parked()
        await self._end_sessions(list(self._handshake.sessions))

    def _give_up_parked(self) -> None:
        for nonce, _ in self._rounds.parking.parked():
            self._rounds.drop(nonce, REASON)

    async def _end_sessions(self, sessions: list[McpSession]) -> None:
        if sessions:
            await asyncio.gather(
                *(self._handshake.end(session, REASON, come_back=True) for session in sessions)
            )

    async def _wait(self, patience: float) -> None:
        """Until no call is carried out any more, at most ``patience`` seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        while left := max(0.0, until - loop.time()):
            tasks = {f.task for f in self._exchange.flights if f.task is not None}
            if not tasks:
                return
            await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
