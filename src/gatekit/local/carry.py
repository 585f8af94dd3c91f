"""One exchange over a channel: send, and pass on what comes until it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from gatekit.errors import ChannelError
from gatekit.local.channel import Channel, Incoming, Outgoing, messages
from gatekit.local.flights import Flight, Traffic
from gatekit.protocol import sse

_MAX_REFUSAL = 1 << 20


class Ended(Struct, frozen=True):
    """How an exchange ended. ``body`` is that of a refusal only, which nobody has seen yet."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    last_id: str | None = None
    retry: float | None = None
    """Seconds that the other end wants us to wait before we come back."""
    lost: str = ""
    """Why the stream broke off; empty if it ended."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


async def carry(
    channel: Channel,
    outgoing: Outgoing,
    traffic: Traffic,
    flight: Flight | None,
    opened: Callable[[Incoming], None] | None = None,
) -> Ended:
    """Carry out one exchange. Raises ``ChannelError`` if there was no answer at all."""
    async with channel.open(outgoing) as incoming:
        if opened is not None:
            opened(incoming)
        if not 200 <= incoming.status < 300:
            return Ended(incoming.status, incoming.headers, await _refusal(incoming))
        last_id: str | None = None
        retry: float | None = None
        lost = ""
        try:
            async for event in messages(incoming):
                last_id = event.id or last_id
                retry = retry if event.retry is None else event.retry / 1000
                await traffic.deliver(event.data, flight)
        except (ChannelError, sse.TooLong) as error:
            lost = str(error)
        return Ended(incoming.status, incoming.headers, b"", last_id, retry, lost)


async def _refusal(incoming: Incoming) -> bytes:
    said = b""
    try:
        async for chunk in incoming.chunks:
            said += chunk
            if len(said) > _MAX_REFUSAL:
                break
    except ChannelError:
        return b""
    return said.strip()
