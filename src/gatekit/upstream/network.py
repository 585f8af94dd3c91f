"""What the remote Links need of the network, as narrow as they use it.

``app`` fits ``platform.channel`` in when there is a remote server: the HTTP client behind it takes 0.1 s
and 7 MB to import, which gateways without such servers do not pay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class Stream(Protocol):
    """One answer (``platform.channel.Stream``)."""

    status: int
    headers: Mapping[str, str]

    async def more(self) -> bytes: ...

    async def read(self, max_bytes: int) -> bytes: ...

    async def close(self) -> None: ...


class Channel(Protocol):
    """Connections to one server (``platform.channel.Channel``). Errors are ``OutboundRefused`` and below."""

    async def open(
        self, method: str, headers: Mapping[str, str], body: bytes | None = None, path: str = ""
    ) -> Stream: ...

    def beside(self, reference: str) -> str | None:
        """The path of what ``reference`` means when read at this server's URL; None if that is elsewhere."""
        ...

    async def close(self) -> None: ...


Dial = Callable[[str], Channel]
"""A Channel for a URL. Raise ``OutboundRefused`` for one that cannot be used."""
