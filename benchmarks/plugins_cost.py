"""What plugins cost: ``python -m benchmarks.plugins_cost [rounds]``.

One gateway in this process over one real child, calls side by side; each round runs every setting in turn, so
that what else the machine does falls on all of them. ``none``: nothing configured. ``idle``: plugins whose
hooks a call does not meet. ``all``: what is built in and looks at calls, but for the guards. ``guards``: the
three of them, on requests and results. ``both``: all of that. ``copy``: one of a stranger's that reads every
request and result.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from gatekit.model.plugins import PluginSpec
from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from gatekit.plugin import Pass, Plugin
from gatekit.plugins.chain import Chain
from gatekit.plugins.house import Chains
from gatekit.plugins.loader import make
from gatekit.plugins.verdicts import Entry
from tests.unit.gateway.rig import CHILDREN, Rig, person

CALLS, AT_ONCE = 3000, 16
SERVERS = (Server(name="echo", command=(sys.executable, "-I", "-S", str(CHILDREN / "echo.py"))),)
RULES = Rules(servers=(ServerRules(server="echo", allowed=(ByLogin("local", "alice"),)),))
OPTIONS: dict[str, dict[str, Any]] = {
    "schema": {},
    "paths": {"roots": ["/"]},
    "size": {"max_arguments": 100_000, "max_result": 100_000_000},
    "usage": {},
    "tools": {"allow": ["*"]},
}


GUARDS: dict[str, dict[str, Any]] = {"secrets": {}, "pii": {}, "injection": {}}
WORDS = "The table has four columns, see https://docs.acme.io/tables; `created_at` is the second one.\n"


class Reads(Plugin):
    """A stranger's: reads what there is."""

    def on_request(self, subject: Any, asked: Any) -> Pass:
        len(asked.arguments)
        return Pass()

    def on_response(self, subject: Any, asked: Any, answered: Any) -> Pass:
        len(answered.body)
        return Pass()


class Elsewhere(Plugin):
    """Has hooks that a call does not meet."""

    def on_question(self, subject: Any, questioned: Any) -> Pass:
        return Pass()


def entries(setting: str) -> list[Entry]:
    used = {"all": OPTIONS, "guards": GUARDS, "both": {**OPTIONS, **GUARDS}}.get(setting)
    if used is not None:
        return [make(PluginSpec(name=use, use=use, options=given), "") for use, given in used.items()]
    plugin = Elsewhere(None, "idle") if setting == "idle" else Reads(None, "reads")
    return [Entry(name=setting, plugin=plugin)]


async def round_of(rig: Rig, session: str, params: dict[str, Any]) -> float:
    left = iter(range(CALLS))

    async def worker(number: int) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()
        for _ in left:
            answer = await rig.http("/s/echo/mcp", body, mcp_session_id=session)
            assert answer.status == 200, answer.body

    started = time.process_time()
    await asyncio.gather(*(worker(number) for number in range(AT_ONCE)))
    return (time.process_time() - started) / CALLS * 1e6


async def main(rounds: int) -> None:
    settings = ("none", "idle", "all", "guards", "both", "copy")
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), SERVERS, RULES)
        rig.door.give("alice", person("alice"))
        session = await rig.open("/s/echo/mcp")
        for size in (100, 1000, 10_000):
            params = {"name": "echo", "arguments": {"text": (WORDS * (size // 90 + 1))[:size]}}
            spent: dict[str, list[float]] = {setting: [] for setting in settings}
            for number in range(rounds + 1):
                for setting in settings:
                    tables = rig.tables(SERVERS, RULES)
                    if setting != "none":
                        chain = Chain("echo", entries(setting))
                        tables.plugins = Chains(Chain("", ()), {"echo": chain})
                    rig.gateway.apply(tables)
                    cost = await round_of(rig, session, params)
                    if number:  # the first round warms up
                        spent[setting].append(cost)
            base = statistics.median(spent["none"])
            for setting in settings:
                found = statistics.median(spent[setting])
                share = f"{base / found:4.0%} of none"
                print(f"{size:6} bytes  {setting:5} {found:7.1f} µs of processor a call, {share}")
        await rig.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
