"""One gateway a test, over real child processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import ByGroup, ByLogin, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from tests.unit.gateway.rig import Rig, child, person
from tests.unit.gateway.shelves import Make, rig_of

ALICE, BOB = ByLogin("local", "alice"), ByLogin("local", "bob")
SERVERS = (
    Server(name="talker", command=child("talker.py")),
    Server(name="common", command=child("talker.py"), instances="shared"),
    Server(name="own", command=child("talker.py"), instances="user"),
    Server(name="private", command=child("talker.py")),
    Server(name="broken", command=("/does/not/exist",)),
)
RULES = Rules(
    servers=(
        ServerRules(
            server="talker",
            allowed=(ALICE, BOB),
            tools=(ToolRule(glob="hidden", allowed=(ByGroup("sre"),)),),
        ),
        ServerRules(server="common", allowed=(ALICE, BOB)),
        ServerRules(server="own", allowed=(ALICE, BOB)),
        ServerRules(server="private", allowed=(ALICE,)),
        ServerRules(server="broken", allowed=(ALICE,)),
    )
)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, SERVERS, RULES)
    made.door.give("alice", person("alice"))
    made.door.give("alice2", person("alice"), client="cli_2")
    made.door.give("bob", person("bob"))
    made.door.give("talker-only", person("alice"), "talker")
    yield made
    await made.close()


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Rig] = []

    def one(servers: Sequence[Server], rules: Rules | None = None, **more: Any) -> Rig:
        made.append(rig_of(tmp_path / str(len(made)), servers, rules, **more))
        return made[-1]

    yield one
    for rig in made:
        await rig.close()
