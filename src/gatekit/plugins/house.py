"""The living plugins of one gateway, and how a changed file changes them.

``chains`` makes the whole next generation or raises; nothing of the old one has changed then. A plugin whose
entry is the same as before lives on with what it remembers. One that is not used any more is closed when the
last call that began with it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from gatekit.errors import PluginError
from gatekit.model.plugins import PluginPlan, PluginSpec
from gatekit.plugin import Plugin
from gatekit.plugins.chain import Chain
from gatekit.plugins.loader import make
from gatekit.plugins.means import Means
from gatekit.plugins.verdicts import Entry

_LOOK_AGAIN = 0.5
_LONGEST = 3600.0
"""Seconds after which a plugin is closed even if a call still has it."""


@runtime_checkable
class Equipped(Protocol):
    """A plugin that reaches out of the process: only those built in can."""

    def equip(self, means: Means) -> None: ...


class Chains:
    """One generation: the chains of all servers."""

    def __init__(self, everybodys: Chain, of: Mapping[str, Chain]) -> None:
        self._everybodys = everybodys
        self._of = dict(of)

    def at(self, server: str) -> Chain | None:
        """A server's; ``""``: what no single server answers, which has a chain even if it is empty."""
        return self._of.get(server) if server else self._everybodys

    @property
    def using(self) -> int:
        """Calls in flight."""
        return self._everybodys.using + sum(chain.using for chain in self._of.values())


class House:
    """Keeps plugins over changes of the file."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._living: dict[tuple[str, str], tuple[PluginSpec, Entry]] = {}
        self._current: Chains | None = None
        self._older: list[Chains] = []
        """Generations that calls in flight may still hold."""
        self._asked: tuple[PluginPlan, tuple[str, ...]] | None = None
        self._closing: dict[asyncio.Task[None], list[Plugin]] = {}

    def chains(self, plan: PluginPlan, servers: Iterable[str]) -> Chains | None:
        """The next generation; None: there are no plugins. Raises PluginError, and nothing has changed."""
        servers = tuple(servers)
        if self._asked == (plan, servers):
            return self._current
        wanted = {(spec.server, spec.name): spec for spec in plan.entries if spec.enabled}
        living = {key: self._entry(spec, plan.folder) for key, spec in wanted.items()}
        chains = None
        if living:

            def chain(server: str) -> Chain:
                specs = plan.of(server)
                return Chain(server, [living[spec.server, spec.name][1] for spec in specs])

            made = {server: chain(server) for server in servers}
            chains = Chains(chain(""), {name: one for name, one in made.items() if one.entries})
        kept = {id(entry.plugin) for _, entry in living.values()}
        gone = [entry.plugin for _, entry in self._living.values() if id(entry.plugin) not in kept]
        self._older = [one for one in (*self._older, self._current) if one is not None and one.using]
        self._current, self._living, self._asked = chains, living, (plan, servers)
        if gone:
            task = asyncio.ensure_future(_retire(tuple(self._older), gone))
            self._closing[task] = gone
            task.add_done_callback(self._retired)
        return chains

    def _entry(self, spec: PluginSpec, folder: str) -> tuple[PluginSpec, Entry]:
        known = self._living.get((spec.server, spec.name))
        if known is not None and known[0] == spec:
            return known
        try:
            entry = make(spec, folder)
        except PluginError as error:
            raise PluginError(f"{spec.place}: {error}") from None
        if entry.ours and isinstance(entry.plugin, Equipped):
            entry.plugin.equip(self._means)
        return spec, entry

    def _retired(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._closing.pop(task, None)

    async def close(self) -> None:
        """Close every plugin."""
        waiting, self._closing = self._closing, {}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        plugins = [plugin for gone in waiting.values() for plugin in gone]
        plugins += [entry.plugin for _, entry in self._living.values()]
        self._living, self._current, self._asked = {}, None, None
        await _close(plugins)


async def _retire(older: tuple[Chains, ...], plugins: list[Plugin]) -> None:
    waited = 0.0
    # Polled: a count that somebody waits for would have to be looked at by every call.
    while any(old.using for old in older) and waited < _LONGEST:
        await asyncio.sleep(_LOOK_AGAIN)
        waited += _LOOK_AGAIN
    await _close(plugins)


async def _close(plugins: list[Plugin]) -> None:
    await asyncio.gather(*(plugin.close() for plugin in plugins), return_exceptions=True)
