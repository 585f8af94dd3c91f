"""SIGKILL under load: what was answered is on record, and no child process is left.

``scripts/sigkill N`` runs N rounds; the suite runs a few. Every round starts on what the last one left.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gatekit.demo.browser import Person
from tests.support.raw import RawSession, message
from tests.support.running import ECHO, RunningGateway, alive, descendants, end_all, eventually, started

ROUNDS = int(os.environ.get("GATEKIT_SIGKILL_ROUNDS", "4"))
WORKERS = 8
LOAD_SECONDS = 0.4


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    gateway = RunningGateway(
        tmp_path_factory.mktemp("sigkill"), {"echo": {"command": list(ECHO), "users": ["developers"]}}
    )
    with started(gateway):
        yield gateway


@pytest.fixture(scope="module")
def alice(killed: RunningGateway) -> Person:
    return killed.person("alice")


async def load(gateway: RunningGateway, token: str, mark: str, answered: list[str]) -> set[int]:
    """Call until the gateway is gone; note every answer that came. Return the processes it had."""
    async with httpx2.AsyncClient(timeout=20) as http:

        async def worker(number: int) -> None:
            session = RawSession(http, gateway.endpoint("echo"), token)
            await session.initialize()
            for count in range(1_000_000):
                said = f"{mark}-{number}-{count}"
                answer = await session.call(said, "echo", {"message": said})
                assert message(answer)["result"]["content"][0]["text"] == said
                answered.append(said)

        workers = [asyncio.ensure_future(worker(number)) for number in range(WORKERS)]
        async with asyncio.timeout(30):  # only then is it a load
            while len(answered) < WORKERS and not any(worker.done() for worker in workers):
                await asyncio.sleep(0.02)
        await asyncio.sleep(LOAD_SECONDS)
        children = descendants(gateway.pid)
        gateway.kill()
        ends = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(end, httpx2.TransportError) for end in ends), ends
    return children


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_kill_nine_under_load(killed: RunningGateway, alice: Person, number: int) -> None:
    """I23: Kill nine under load."""
    if not killed.alive():
        killed.start()
    token = killed.token(alice, "echo")
    answered: list[str] = []
    before = len(killed.audit("--tool", "echo"))
    children = await load(killed, token, f"round{number}", answered)
    try:
        assert len(children) > WORKERS / 2, "the load did not start children"
        assert answered, "nothing was answered before the kill"
        eventually(lambda: not any(map(alive, children)), 10, "a child outlived the gateway")
    finally:
        end_all(children)
    recorded = len([each for each in killed.audit("--tool", "echo") if each["event"] == "call"])
    assert recorded - before >= len(answered)
    trail = killed.gatekit("audit", "--data-dir", str(killed.data), "verify")
    assert "ok" in trail


def test_it_starts_again_and_works(killed: RunningGateway) -> None:
    """After all rounds: one more start over the same store and the same audit files."""
    if not killed.alive():
        killed.start()
    assert Path(killed.data).is_dir()
    assert "ok" in killed.gatekit("audit", "--data-dir", str(killed.data), "verify")
