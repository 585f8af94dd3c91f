"""Several hosts of one directory: the first that is well is asked, who did not answer rests for a while."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from gatekit.errors import DirectoryUnreachable
from gatekit.model.ports import Clock

REST = 30.0
"""Seconds in which a server that did not answer is asked only if all the others do not answer either."""

T = TypeVar("T")


class Servers:
    """For use by several threads."""

    def __init__(self, urls: tuple[str, ...], clock: Clock) -> None:
        self._urls = urls
        self._clock = clock
        self._failed: dict[str, float] = {}
        self._lock = Lock()

    def ask(self, work: Callable[[str], T]) -> T:
        """``work`` with the first server that answers. Raises ``DirectoryUnreachable`` with what the last one
        said if none does; whatever else ``work`` raises is an answer."""
        trouble = DirectoryUnreachable("no server is named")
        for url in self._order():
            try:
                answer = work(url)
            except DirectoryUnreachable as error:
                trouble = error
                self._note(url, self._clock.monotonic())
            else:
                self._note(url, None)
                return answer
        raise trouble

    def _order(self) -> list[str]:
        now = self._clock.monotonic()
        with self._lock:
            resting = {url for url, at in self._failed.items() if now - at < REST}
        return [url for url in self._urls if url not in resting] + [u for u in self._urls if u in resting]

    def _note(self, url: str, failed: float | None) -> None:
        with self._lock:
            if failed is None:
                self._failed.pop(url, None)
            else:
                self._failed[url] = failed
