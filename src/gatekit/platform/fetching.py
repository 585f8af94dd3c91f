"""What ``outbound`` offers, as narrow Protocols: who only asks need not import an HTTP client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Answer(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Exchange(Protocol):
    """``Fetch`` that can also send a form."""

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109
    ) -> Answer: ...


class Fetch(Protocol):
    """``platform.outbound.Outbound.fetch``. Raises ``OutboundRefused``."""

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109
    ) -> Answer: ...
