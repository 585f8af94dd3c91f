"""No process outlives what it was started for: not after a stop, a crash, nor SIGKILL of the gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gatekit.errors import LinkClosed
from gatekit.model.server import Server
from tests.journey.upstream.kit import (
    CHILDREN,
    HANDSHAKE,
    Kit,
    alive,
    child,
    clean_up,
    key,
    running,
    said,
    stdio,
    tool,
    unruly,
    until,
)

FAMILIES = [
    ["npx"],
    ["child", "stubborn"],
    ["away", "daemon"],
    ["scrubbed"],
    ["breeder"],
]


@pytest.fixture
def family(request: pytest.FixtureRequest) -> Iterator[str]:
    """A value of ``FAMILY`` of this test's own."""
    name = f"FAMILY={os.getpid()}.{abs(hash(request.node.nodeid))}"
    yield name
    clean_up(name)


def forker(family: str, kinds: list[str]) -> Server:
    return child("forker", *kinds, env=(("FAMILY", family.partition("=")[2]),))


@pytest.fixture
async def gateway(family: str) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    started: list[asyncio.subprocess.Process] = []
    yield started
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def start_gateway(
    family: str, started: list[asyncio.subprocess.Process], count: int, kinds: list[str]
) -> int:
    """Start one and return the pid of its launcher."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILDREN / "gateway_like.py"),
        str(count),
        *kinds,
        env={**os.environ, "FAMILY": family.partition("=")[2]},
        stdout=asyncio.subprocess.PIPE,
    )
    started.append(process)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().split()
    assert line[1:] == ["ready"]
    return int(line[0])


def expected(kinds: list[str]) -> int:
    """Processes in one tree."""
    return 2 if kinds == ["npx"] else 1 + len(kinds)


@pytest.mark.parametrize("kinds", FAMILIES, ids="+".join)
async def test_nothing_is_left_when_the_gateway_is_killed(
    family: str, gateway: list[asyncio.subprocess.Process], kinds: list[str]
) -> None:
    """I23: Nothing is left when the gateway is killed."""
    launcher = await start_gateway(family, gateway, 3, kinds)
    # The gateway has the variable as well.
    await until(lambda: len(running(family)) == 3 * expected(kinds) + 1)
    gateway[0].send_signal(signal.SIGKILL)
    await until(lambda: not running(family))
    await until(lambda: not alive(launcher))


async def test_nothing_is_left_when_the_gateway_is_killed_while_it_starts_servers(
    family: str, gateway: list[asyncio.subprocess.Process]
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILDREN / "gateway_like.py"),
        "20",
        "child",
        env={**os.environ, "FAMILY": family.partition("=")[2]},
        stdout=asyncio.subprocess.PIPE,
    )
    gateway.append(process)
    await until(lambda: len(running(family)) > 3)
    process.kill()
    await until(lambda: not running(family))


async def test_what_a_killed_launcher_leaves_is_swept_up_by_the_next_one(
    family: str, gateway: list[asyncio.subprocess.Process], kit: Kit
) -> None:
    launcher = await start_gateway(family, gateway, 2, ["daemon"])
    await until(lambda: len(running(family)) == 5)
    # Both at the same moment: nobody is left who could clean up.
    gateway[0].send_signal(signal.SIGSTOP)
    os.kill(launcher, signal.SIGKILL)
    gateway[0].send_signal(signal.SIGKILL)
    await gateway[0].wait()
    # The daemons live on now, until any gateway of this user starts: this one, here.
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    assert not running(family)
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"


async def test_a_killed_launcher_fails_the_links_and_is_replaced(kit: Kit, family: str) -> None:
    server = forker(family, ["daemon"])
    link = await kit.pool.acquire(key(server="forker"), server, HANDSHAKE)
    await until(lambda: len(running(family)) == 2)
    old = kit.supervisor.launcher.pid
    os.kill(old, signal.SIGKILL)
    await until(lambda: not link.alive)
    with pytest.raises(LinkClosed):
        await link.call("ping", {})
    await until(lambda: not running(family))
    again = await kit.pool.acquire(key(server="forker"), server, HANDSHAKE)
    assert said(await again.call("tools/call", tool("echo", text="x"))) == "x"
    assert kit.supervisor.launcher.pid != old


@pytest.mark.parametrize("kinds", FAMILIES, ids="+".join)
async def test_a_stop_takes_the_whole_tree_and_nobody_else(kit: Kit, family: str, kinds: list[str]) -> None:
    bystander = await kit.pool.acquire(key("session:0"), unruly(), HANDSHAKE)
    other = f"{family}.other"
    try:
        server = forker(family, kinds)
        await kit.pool.acquire(key("session:1", "forker"), server, HANDSHAKE)
        if kinds != ["scrubbed"]:
            await kit.pool.acquire(key("session:2", "forker"), forker(other, kinds), HANDSHAKE)
            await until(lambda: len(running(other)) == expected(kinds))
        await until(lambda: len(running(family)) == expected(kinds))
        await kit.pool.stop(key("session:1", "forker"), "for the test")
        if kinds == ["scrubbed"]:
            # It hides; it dies with the last link that could have started it.
            await until(lambda: len(running(family)) == 1)
            await kit.pool.stop(key("session:0"), "for the test")
        await until(lambda: not running(family))
        if kinds != ["scrubbed"]:
            assert len(running(other)) == expected(kinds)
            assert said(await bystander.call("tools/call", tool("echo", text="x"))) == "x"
    finally:
        clean_up(other)


async def test_when_the_first_process_dies_the_rest_of_its_tree_does(kit: Kit, family: str) -> None:
    server = forker(family, ["npx"])
    link = await kit.pool.acquire(key(server="forker"), server, HANDSHAKE)
    await until(lambda: len(running(family)) == 2)
    call = link.call("subscriptions/listen", {})
    await call
    os.kill(stdio(link).child.pid, signal.SIGKILL)
    await until(lambda: not running(family))
    await until(lambda: kit.actions() == ["started", "exited"])


async def test_a_stubborn_server_is_killed_after_its_grace(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly("stubborn"), HANDSHAKE)
    pid = stdio(link).child.pid
    await kit.pool.stop(key(), "for the test")
    assert alive(pid)
    await until(lambda: not alive(pid))


async def test_close_takes_everything_within_five_seconds(kit: Kit, family: str) -> None:
    server = forker(family, ["stubborn", "away", "daemon"])
    for number in range(5):
        await kit.pool.acquire(key(f"session:{number}", "forker"), server, HANDSHAKE)
    await kit.pool.acquire(key(), unruly("stubborn"), HANDSHAKE)
    launcher = kit.supervisor.launcher.pid
    async with asyncio.timeout(5):
        await kit.pool.close()
    assert not running(family)
    assert not alive(launcher)


async def test_upstreams_cannot_look_into_the_launcher(kit: Kit) -> None:
    """It knows every server's environment. (What /proc shows of it belongs to root then.)"""
    await kit.pool.acquire(key(), unruly(env=(("API_KEY", "hunter2"),)), HANDSHAKE)
    launcher = Path("/proc") / str(kit.supervisor.launcher.pid)
    assert (launcher / "environ").read_bytes() == b""
    assert b"hunter2" not in (launcher / "cmdline").read_bytes()
    # The kernel shows non-dumpable processes as root's; as root, only the flag tells.
    assert (launcher / "mem").stat().st_uid == 0
