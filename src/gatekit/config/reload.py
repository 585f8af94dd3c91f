"""Follow the file: a change applies without a restart, all of it or none of it.

The file and every secret file that it names are looked at once a second; a signal may ask for it at once.
A change counts when it has stood still for a moment, so that an editor's half-written file is not taken for a
shorter one. A file that does not load changes nothing, and says why.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from gatekit.config.load import Attempt, try_load
from gatekit.config.model import Config
from gatekit.errors import ConfigError, GatekitError

POLL_SECONDS = 1.0
SETTLE_SECONDS = 0.15

NEEDS_RESTART = {
    "host": "proxy.host",
    "port": "proxy.port",
    "public_url": "proxy.public_url",
    "data_dir": "data_dir",
    "allowed_origins": "proxy.allowed_origins",
    "trusted_proxies": "proxy.trusted_proxies",
    "legacy_sse": "proxy.legacy_sse",
    "drain_timeout": "proxy.drain_timeout",
    "tokens": "proxy.auth.tokens",
    "registration": "proxy.auth.registration",
    "external": "proxy.auth.external",
    "assertions": "proxy.auth.identity_assertions",
    "pushed_requests": "proxy.auth.pushed_requests",
    "dpop": "proxy.auth.dpop",
    "audit": "audit",
    "sessions": "sessions",
    "approvals": "approvals",
    "limits": "limits",
}
"""Fields of Config (and their names in the file) that are fixed while the process lives: sockets, the issuer,
open files, and what the services were built with. People, rules, providers and servers are not among them."""

_Signature = tuple[object, ...]


class Reloader:
    """Keeps ``current`` up to date. Run it as one background task.

    ``apply`` gets each new Config and switches everything to it; if it raises ``GatekitError`` the old one
    stays. ``on_refused`` gets what is wrong with a file that was not taken. ``on_restart_needed`` gets the
    names of changed settings that wait for a restart; the rest of such a file applies. ``read`` reads the
    file, if that takes more than ``try_load``.
    """

    def __init__(
        self,
        path: Path,
        current: Config,
        apply: Callable[[Config], Awaitable[None]],
        on_refused: Callable[[ConfigError], None],
        on_restart_needed: Callable[[tuple[str, ...]], None] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        read: Callable[[], Attempt] | None = None,
        poll: float = POLL_SECONDS,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self.current = current
        self._path = path.absolute()
        self._apply = apply
        self._on_refused = on_refused
        self._on_restart_needed = on_restart_needed
        self._read = read or partial(try_load, self._path, environ)
        self._poll = poll
        self._settle = settle
        self._secret_files = current.secret_files
        # Empty: the first look compares nothing and reads, because the file may have changed since it was
        # loaded; a Config equal to the current one is not applied again.
        self._seen: _Signature = ()
        self._poked = asyncio.Event()
        self._busy = asyncio.Lock()

    def poke(self) -> None:
        """Read the file now, changed or not (SIGHUP)."""
        self._poked.set()

    async def run(self) -> None:
        """Follow the file until cancelled. May be called again after it failed; it goes on where it was."""
        while True:
            poked = await self._wait()
            if not poked and self._signature() == self._seen:
                continue
            await self._settled()
            await self.reload()

    async def reload(self) -> bool:
        """Read the file once and apply it if it differs. True if the running configuration is that of the
        file now (settings that need a restart excepted)."""
        async with self._busy:
            while True:
                self._seen = self._signature()
                attempt = await asyncio.to_thread(self._read)
                # A refused file may name no secrets only because it could not be read that far.
                self._secret_files = attempt.files or self._secret_files
                if self._signature() == self._seen:
                    break  # what was read is what was looked at
            return await self._take(attempt)

    async def _wait(self) -> bool:
        try:
            # Not wait_for: in Python 3.11 it loses a cancellation that meets its time-out (gh-86296).
            async with asyncio.timeout(self._poll):
                await self._poked.wait()
        except TimeoutError:
            return False
        self._poked.clear()
        return True

    async def _settled(self) -> None:
        signature = self._signature()
        while True:
            await asyncio.sleep(self._settle)
            if (now := self._signature()) == signature:
                return
            signature = now

    async def _take(self, attempt: Attempt) -> bool:
        if isinstance(attempt.outcome, ConfigError):
            self._on_refused(attempt.outcome)
            return False
        config, waiting = self._held_back(attempt.outcome)
        if waiting and self._on_restart_needed is not None:
            self._on_restart_needed(waiting)
        if config == self.current:
            return True
        try:
            await self._apply(config)
        except GatekitError as error:
            self._on_refused(ConfigError([f"{self._path.name}: could not be applied: {error}"]))
            return False
        self.current = config
        return True

    def _held_back(self, wanted: Config) -> tuple[Config, tuple[str, ...]]:
        """``wanted`` as far as it can apply now, and the names of what has to wait for a restart."""
        current = self.current
        changed = [name for name in NEEDS_RESTART if getattr(wanted, name) != getattr(current, name)]
        config = replace(wanted, **{name: getattr(current, name) for name in changed})
        waiting = [NEEDS_RESTART[name] for name in changed]
        if wanted.auth.enabled != current.auth.enabled:
            # A file may allow `enabled: false` only because it moves the gateway to loopback, which waits
            # for a restart; switching now would open the address that is still listened on.
            enabled = current.auth.enabled
            auth, rules = replace(config.auth, enabled=enabled), replace(config.rules, auth_enabled=enabled)
            config = replace(config, auth=auth, rules=rules)
            waiting.append("proxy.auth.enabled")
        if "external" in changed:
            held = replace(config.auth, connections=current.auth.connections)
            config = replace(config, auth=held)
            waiting.append("proxy.auth.providers")
        return config, tuple(waiting)

    def _signature(self) -> _Signature:
        """Changes whenever one of the files may have changed."""
        return tuple(_stat(path) for path in (self._path, *self._secret_files))


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # follows links: a mounted ConfigMap is swapped by its link
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
