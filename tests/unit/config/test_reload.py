"""A changed file applies whole or not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gatekit.config.load import load
from gatekit.config.model import Config
from gatekit.config.reload import Reloader
from gatekit.errors import ConfigError, Conflict
from tests.unit.config.write import write

FIRST = "servers: {a: {command: prog, allowed_users: [alice, bob]}}\n"
SECOND = "servers: {a: {command: prog, allowed_users: [alice]}}\n"
BROKEN = "servers: {a: {comand: prog}}\n"


class Watched:
    """A reloader over a file of the test, and what it said."""

    def __init__(self, folder: Path, text: str = FIRST) -> None:
        self.folder = folder
        self.path = write(folder, text)
        self.environ = {"S": "one"}
        self.applied: list[Config] = []
        self.refused: list[ConfigError] = []
        self.waiting: list[tuple[str, ...]] = []
        self.failing = False
        self.reloader = Reloader(
            self.path,
            load(self.path, self.environ),
            self._apply,
            self.refused.append,
            self.waiting.append,
            environ=self.environ,
            poll=0.02,
            settle=0.01,
        )

    async def _apply(self, config: Config) -> None:
        if self.failing:
            raise Conflict("busy")
        self.applied.append(config)

    def replace(self, text: str) -> None:
        """As editors do it: a new file takes the place of the old one."""
        os.replace(write(self.folder, text, "new.tmp"), self.path)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reloader.run())
        try:
            yield
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_change_applies_by_itself(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    async with watched.running():
        watched.replace(SECOND)
        await until(lambda: watched.applied)
    assert len(watched.applied[0].rules.servers[0].allowed or ()) == 1
    assert watched.reloader.current is watched.applied[0]


async def test_a_change_in_place_is_seen_too(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    async with watched.running():
        watched.path.write_text(SECOND)
        await until(lambda: watched.applied)


async def test_a_change_between_loading_and_watching_is_seen(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.replace(SECOND)
    async with watched.running():
        await until(lambda: watched.applied)


async def test_a_touched_file_applies_nothing(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.replace(FIRST)
    assert await watched.reloader.reload()
    assert watched.applied == []


async def test_a_bad_file_keeps_the_old_configuration_and_says_so_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    before = watched.reloader.current
    async with watched.running():
        watched.replace(BROKEN)
        await until(lambda: watched.refused)
        await asyncio.sleep(0.1)  # several looks at a file that does not change
        assert len(watched.refused) == 1
        assert watched.refused[0].faults == (
            "gatekit.yaml:1: servers.a.comand: unknown key (did you mean 'command'?)",
        )
        assert watched.reloader.current is before
        watched.replace(SECOND)
        await until(lambda: watched.applied)
    assert len(watched.applied) == 1


async def test_a_removed_file_keeps_the_old_configuration(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.path.unlink()
    assert not await watched.reloader.reload()
    assert "no such file" in watched.refused[0].faults[0]
    assert watched.reloader.current.servers


async def test_a_poke_reads_at_once_whatever_the_clock_says(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "servers: {a: {command: prog, env: {X: '${env:S}'}}}\n")
    async with watched.running():
        await asyncio.sleep(0.1)
        watched.environ["S"] = "two"  # no file changes
        watched.reloader.poke()
        await until(lambda: watched.applied)
    assert watched.applied[0].servers[0].server.env == (("X", "two"),)


async def test_a_changed_secret_file_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "tok").write_text("one")
    watched = Watched(tmp_path, "servers: {a: {command: prog, env: {X: '${file:tok}'}}}\n")
    async with watched.running():
        (tmp_path / "tok").write_text("two")
        await until(lambda: watched.applied)
    assert watched.applied[0].servers[0].server.env == (("X", "two"),)


async def test_a_secret_that_appears_later_repairs_a_refused_file(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    async with watched.running():
        watched.replace("servers: {a: {command: prog, env: {X: '${file:tok}'}}}\n")
        await until(lambda: watched.refused)
        (tmp_path / "tok").write_text("now")
        await until(lambda: watched.applied)
    assert watched.reloader.current.secret_files == (tmp_path / "tok",)


async def test_what_needs_a_restart_waits_and_the_rest_applies(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.replace("proxy: {port: 9999}\ndata_dir: elsewhere\n" + SECOND)
    assert await watched.reloader.reload()
    assert watched.waiting == [("proxy.port", "proxy.public_url", "data_dir")]
    (config,) = watched.applied
    assert (config.port, config.public_url) == (8080, "http://localhost:8080")
    assert config.data_dir == tmp_path / "gatekit-data"
    assert len(config.rules.servers[0].allowed or ()) == 1


async def test_settings_that_services_were_built_with_wait_as_well(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.replace(
        "proxy: {allowed_origins: ['https://a.b'], "
        "auth: {tokens: {access_ttl: 5m}, registration: {enabled: no}}}\n"
        "limits: {max_depth: 9}\naudit: {durability: disk}\n" + FIRST
    )
    assert await watched.reloader.reload()
    assert watched.waiting == [
        ("proxy.allowed_origins", "proxy.auth.tokens", "proxy.auth.registration", "audit", "limits")
    ]
    assert all(config.tokens.access_ttl == 3600 for config in watched.applied)


async def test_local_accounts_come_and_go_like_other_connections(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.replace("proxy: {auth: {provider: github, client_id: a, client_secret: b}}\n" + SECOND)
    assert await watched.reloader.reload()
    assert watched.waiting == []
    assert [connection.name for connection in watched.applied[0].auth.connections] == ["github"]


async def test_authentication_is_not_switched_off_while_a_public_address_is_open(tmp_path: Path) -> None:
    """The file is sound (it moves to loopback as well), but the socket stays where it is until a restart."""
    public = "proxy: {host: 0.0.0.0, public_url: 'https://x.example'}\n"
    watched = Watched(tmp_path, public + FIRST)
    watched.replace("proxy: {auth: {enabled: false}}\n" + SECOND)
    assert await watched.reloader.reload()
    assert watched.waiting == [("proxy.host", "proxy.public_url", "proxy.auth.enabled")]
    (config,) = watched.applied
    assert config.host == "0.0.0.0"
    assert config.auth.enabled
    assert config.rules.auth_enabled


async def test_what_cannot_be_applied_is_refused(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    before = watched.reloader.current
    watched.failing = True
    watched.replace(SECOND)
    assert not await watched.reloader.reload()
    assert watched.refused[0].faults == ("gatekit.yaml: could not be applied: busy",)
    assert watched.reloader.current is before
    watched.failing = False
    assert await watched.reloader.reload()
    assert watched.applied


async def test_a_half_written_file_is_not_taken(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    async with watched.running():
        with watched.path.open("w") as stream:
            for word in [
                "servers:",
                "{a:",
                "{command:",
                "prog,",
                "allowed_users:",
                "[alice]},",
                "b:",
                "{command:",
                "prog}}\n",
            ]:
                stream.write(word + " ")
                stream.flush()
                await asyncio.sleep(0.003)
        await until(lambda: watched.applied)
    assert [entry.server.name for entry in watched.applied[-1].servers] == ["a", "b"]


@pytest.mark.parametrize("steps", range(6))
async def test_it_ends_when_it_is_cancelled_just_as_somebody_pokes(tmp_path: Path, steps: int) -> None:
    watched = Watched(tmp_path)
    watched.reloader.poke()
    task = asyncio.create_task(watched.reloader.run())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done
