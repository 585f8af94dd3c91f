"""Runs the official conformance fixture (from the SDK's source package) as an ordinary stdio server.

usage: conformance_fixture.py FOLDER_OF_THE_SOURCE_PACKAGE handshake|stateless
It is a server of that era alone: the opening of the other one is refused before the SDK sees it,
and the tools that speak the other era's words are replaced by our own (``crossing.py``).
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import AsyncIterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import anyio
from mcp.server.lowlevel import NotificationOptions
from mcp.server.stdio import stdio_server

FOREIGN = {"handshake": "server/discover", "stateless": "initialize"}


class Lines:
    """Standard input without the opening of the other era, which is answered here."""

    def __init__(self, era: str, out: Any) -> None:
        self._foreign = FOREIGN[era]
        self._out = out

    async def __aiter__(self) -> AsyncIterator[str]:
        async for line in anyio.wrap_file(TextIOWrapper(sys.stdin.buffer, encoding="utf-8")):
            message = json.loads(line)
            if message.get("method") != self._foreign:
                yield line
                continue
            error = {"code": -32601, "message": f"Method not found: {self._foreign}"}
            refusal = {"jsonrpc": "2.0", "id": message.get("id"), "error": error}
            await self._out.write(json.dumps(refusal) + "\n")
            await self._out.flush()


class Breath:
    """Standard output; what is said without a pause leaves in one write, as from a server that knows all its
    questions at once. Through the SDK's own writer they leave one by one."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    async def write(self, text: str) -> None:
        self._kept.append(text)

    async def flush(self) -> None:
        pass

    async def pump(self) -> None:
        while True:
            said = len(self._kept)
            await anyio.sleep(0.005)
            if said and said == len(self._kept):
                text, self._kept = "".join(self._kept), []
                sys.stdout.write(text)
                sys.stdout.flush()


async def serve(server: Any, era: str) -> None:
    out: Any = Breath()
    lines: Any = Lines(era, out)
    options = server.create_initialization_options(NotificationOptions(True, True, True))
    async with anyio.create_task_group() as group, stdio_server(lines, out) as (read, write):
        group.start_soon(out.pump)
        await server.run(read, write, options)
        group.cancel_scope.cancel()


def main() -> None:
    warnings.simplefilter("ignore")  # roots and sampling are deprecated, and asked for all the same
    sys.path.insert(0, str(Path(sys.argv[1]) / "examples" / "servers" / "everything-server"))
    fixture = importlib.import_module("mcp_everything_server.server")
    crossing = importlib.import_module("crossing")
    era = sys.argv[2]
    {"handshake": crossing.for_handshake, "stateless": crossing.for_stateless}[era](fixture)
    anyio.run(serve, fixture.mcp._lowlevel_server, era)


if __name__ == "__main__":
    main()
