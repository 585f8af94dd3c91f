"""Config → the plugins of a gateway, and what they may reach outside of it.

A gateway without plugins loads none of this: the first entry in the file does.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from gatekit.config.model import Config
from gatekit.model.call import Fault, Result
from gatekit.model.ports import Clock, Entropy
from gatekit.model.server import Server
from gatekit.platform.targets import parse
from gatekit.upstream.supervisor import Process, Supervisor
from gatekit.upstream.transport import AT_ONCE, PROMPT

if TYPE_CHECKING:
    from gatekit.plugins.house import Chains, House

_MOST_SECONDS = 3600.0


class Plugged:
    """Keeps the plugins of one gateway."""

    def __init__(self, clock: Clock, entropy: Entropy, supervisor: Supervisor) -> None:
        self._clock = clock
        self._entropy = entropy
        self._supervisor = supervisor
        self._house: House | None = None

    def chains(self, config: Config) -> Chains | None:
        """The plugins of every server under ``config``; None: there are none. Raises PluginError."""
        if self._house is None:
            if not any(entry.enabled for entry in config.plugins.entries):
                return None
            self._house = self._built()
        return self._house.chains(config.plugins, tuple(entry.server.name for entry in config.servers))

    async def close(self) -> None:
        """Close every plugin."""
        if self._house is not None:
            await self._house.close()

    def _built(self) -> House:
        from gatekit.plugins.house import House  # noqa: PLC0415 - only where there are plugins
        from gatekit.plugins.means import Means  # noqa: PLC0415

        return House(
            Means(
                clock=self._clock,
                entropy=self._entropy,
                post=_post(self._clock),
                start=_start(self._supervisor),
            )
        )


def _post(
    clock: Clock,
) -> Callable[[str, Mapping[str, str], bytes, float, int], Awaitable[tuple[int, bytes]]]:
    async def post(
        url: str, headers: Mapping[str, str], body: bytes, seconds: float, max_bytes: int
    ) -> tuple[int, bytes]:
        from gatekit.platform.outbound import Outbound  # noqa: PLC0415  (100 ms and 7 MB, as in ``outgoing``)

        # The operator entered it, so it may lie in a private network; it and nothing else.
        outbound = Outbound(clock, [parse(url).host])
        answer = await outbound.fetch(
            "POST", url, headers=headers, body=body, max_bytes=max_bytes, timeout=seconds
        )
        return answer.status, answer.body

    return post


class _Worker:
    """A plugin's process. Implements ``plugins.means.Worker``."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def alive(self) -> bool:
        return self._process.link.alive and not self._process.over.done()

    async def call(self, method: str, params: dict[str, Any]) -> Result | Fault:
        return await self._process.link.call(method, params)

    async def end(self, reason: str) -> None:
        await self._process.end(PROMPT if self.alive else AT_ONCE, reason)


def _start(
    supervisor: Supervisor,
) -> Callable[[str, tuple[str, ...], Mapping[str, str], int], Awaitable[_Worker]]:
    async def start(name: str, argv: tuple[str, ...], env: Mapping[str, str], most: int) -> _Worker:
        program = Server(
            name=f"plugin {name}",
            command=argv,
            env=tuple(env.items()),
            cwd=os.sep,
            max_line_bytes=most,
            max_result_bytes=most,
            call_timeout=_MOST_SECONDS,
        )
        return _Worker(await supervisor.spawn(program))

    return start
