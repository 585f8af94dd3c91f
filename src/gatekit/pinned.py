"""What the data plane saw of definitions → the store; what administrators decided → the data plane."""

from __future__ import annotations

import asyncio
import logging

from gatekit.errors import StoreError
from gatekit.gateway.core import Gateway
from gatekit.store.pin_ports import Pins

TRY_AGAIN = 10.0
BATCH = 100
_log = logging.getLogger("gatekit")


class Pinned:
    """Keeps both in step."""

    def __init__(self, store: Pins, gateway: Gateway) -> None:
        self._store = store
        self._gateway = gateway

    async def load(self) -> None:
        """What the store has counts from now on. Raises ``StoreError``."""
        self._gateway.pins.load(await self._store.brief())

    async def decided(self) -> None:
        """An administrator approved or rejected something. Raises ``StoreError``."""
        await self.load()
        self._gateway.relisted()

    async def run(self) -> None:
        """Write down what is seen. Ends by cancellation."""
        pins = self._gateway.pins
        while True:
            await pins.news.wait()
            try:
                await self.flush()
            except StoreError as error:
                _log.error("definitions cannot be kept error=%s", error)
                await asyncio.sleep(TRY_AGAIN)

    async def close(self) -> None:
        """Write down what came last."""
        try:
            await self.flush()
        except StoreError as error:
            _log.error("definitions cannot be kept error=%s", error)

    async def flush(self) -> None:
        """Write down what was seen so far. Raises ``StoreError``; then it comes again."""
        pins = self._gateway.pins
        while pins.unsent:
            batch = list(pins.unsent.values())[:BATCH]
            for pin, state in zip(batch, await self._store.sight(batch), strict=True):
                pins.settle(pin, state)
        pins.news.clear()
