"""Noticing what other processes changed: the reading end of the ``changes`` table."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from gatekit.errors import StoreError
from gatekit.store.ports import Changes

CHANGES_EVERY = 0.25
"""Seconds between two looks, so that the command line takes effect within one."""
PAUSE = 5.0
"""Seconds to leave a store alone that could not be read."""

_NEWEST = 2**62
"""A sequence after everything: asks only for the newest number."""

_log = logging.getLogger("gatekit")


async def newest(changes: Changes) -> int:
    """Where to follow from: what was changed before now is already known. Raises ``StoreError``."""
    return (await changes.since(_NEWEST))[0]


async def follow(
    changes: Changes, sequence: int, changed: Callable[[Sequence[str]], Awaitable[None]]
) -> None:
    """Call ``changed`` with the entries whenever something after ``sequence`` was changed.

    Ends by cancellation.
    """
    while True:
        await asyncio.sleep(CHANGES_EVERY)
        try:
            reached, entries = await changes.since(sequence)
            if entries:
                await changed(entries)
            sequence = reached  # only now: what could not be acted upon comes again
        except StoreError as error:
            _log.error("the store cannot be read error=%s", error)
            await asyncio.sleep(PAUSE)


def touches(entries: Sequence[str], noun: str) -> bool:
    """Whether something of this kind is among what was changed, or may be."""
    return any(entry.startswith((f"{noun}:", "all:")) for entry in entries)
