"""What a bridge keeps between starts: one registration and its tokens for each URL.

Several bridges run at once for the same URL (every window of an editor starts one), and a refresh token works
once: two that used the same one would look like a thief and its victim, and the grant would fall (RFC 9700
§4.14). So whoever wants new tokens holds a file lock, reads what is there by now, and only then asks.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from gatekit.errors import ChannelError

_POLL = 0.05
SERVICE = "gatekit bridge"


class Kept(Struct, kw_only=True, omit_defaults=True):
    """Everything about one URL. Secrets; never logged."""

    url: str
    issuer: str = ""
    """Whose the rest is: credentials of one authorization server never go to another (MCP 2026-07-28)."""
    token_endpoint: str = ""
    revocation_endpoint: str = ""
    resource: str = ""
    client_id: str = ""
    client_secret: str = ""
    auth_method: str = "none"
    redirect_uri: str = ""
    access_token: str = ""
    refresh_token: str = ""
    renew_at: float = 0.0
    """Seconds since the epoch: a little before the access token ends; 0 if the server did not say when."""
    scope: str = ""

    def __repr__(self) -> str:
        return f"Kept(url={self.url!r}, issuer={self.issuer!r})"


class Ring(Protocol):
    """The part of the optional package ``keyring`` that is used."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


class Keeper:
    """Reads and writes the ``Kept`` of one URL, in the ring if there is one, else in a file of mode 0600."""

    def __init__(self, directory: Path, url: str, ring: Ring | None = None) -> None:
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        self._directory = directory
        self._path = directory / f"{name}.json"
        self._lock = directory / f"{name}.lock"
        self._url = url
        self._ring = ring

    async def read(self) -> Kept:
        """What is kept; an empty one if there is nothing that can be read."""
        text = await asyncio.to_thread(self._load)
        try:
            kept = msgspec.json.decode(text, type=Kept) if text else Kept(url=self._url)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return Kept(url=self._url)
        return kept if kept.url == self._url else Kept(url=self._url)

    async def write(self, kept: Kept) -> None:
        """Replace what is kept, all at once. Raises ``ChannelError``."""
        try:
            await asyncio.to_thread(self._store, msgspec.json.encode(kept))
        except OSError as error:
            raise ChannelError(f"the sign-in cannot be kept in {self._directory}: {error}") from error

    async def forget(self) -> None:
        """Remove everything about the URL."""
        await asyncio.to_thread(self._remove)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the lock that all bridges to the URL share; waits as long as another one holds it."""
        self._make_directory()
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                await asyncio.sleep(_POLL)
            yield
        finally:
            os.close(fd)

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ChannelError(f"the sign-in cannot be kept in {self._directory}: {error}") from error

    # -- in a thread: a ring may ask the person to unlock it ------------------------------------------------

    def _load(self) -> bytes:
        if self._ring is not None:
            return (self._ring.get_password(SERVICE, self._url) or "").encode()
        try:
            return self._path.read_bytes()
        except OSError:
            return b""

    def _store(self, text: bytes) -> None:
        if self._ring is not None:
            self._ring.set_password(SERVICE, self._url, text.decode())
            return
        self._make_directory()
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def _remove(self) -> None:
        if self._ring is not None and self._ring.get_password(SERVICE, self._url):
            self._ring.delete_password(SERVICE, self._url)
        self._path.unlink(missing_ok=True)
