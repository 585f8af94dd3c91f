"""The same through a real child, there and back: other code than ours reads and writes the bytes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from tests.properties.worlds import PATH, bare, exact
from tests.support import legal
from tests.unit.gateway.rig import Rig, child, person

PARAMS = st.builds(
    lambda params, meta: {**params, "_meta": meta} if meta else params, legal.VENDOR, legal.META
)


@pytest.mark.parametrize("era", ["handshake", "stateless"])
def test_params_come_back_from_a_real_child(tmp_path: Path, era: str) -> None:
    async def made() -> tuple[Rig, str]:
        rules = Rules(servers=(ServerRules(server="s", allowed=(ByLogin("local", "alice"),)),))
        rig = Rig(tmp_path, (Server(name="s", command=child("mirror.py")),), rules, max_depth=80)
        rig.door.give("alice", person("alice"))
        return rig, await rig.open(PATH) if era == "handshake" else ""

    async def ask(rig: Rig, session: str, params: dict[str, Any]) -> dict[str, Any]:
        if session:
            answer = await rig.rpc(PATH, "vendor/echo", params, mcp_session_id=session)
        else:
            answer = await rig.stateless(PATH, "vendor/echo", params)
        echo: dict[str, Any] = answer.json["result"]["echo"]
        return echo

    with asyncio.Runner() as runner:
        rig, session = runner.run(made())

        @settings(max_examples=60, deadline=None, database=None, derandomize=True)
        @given(PARAMS)
        def one(params: dict[str, Any]) -> None:
            echo = runner.run(ask(rig, session, params))
            assert exact(bare(echo)) == exact(params)

        try:
            one()
        finally:
            runner.run(rig.close())
