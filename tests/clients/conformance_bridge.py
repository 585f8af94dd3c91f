"""What the conformance suite takes for a client is `gatekit bridge`, with the official SDK in front of it.

usage: conformance_bridge.py URL_OF_THE_SCENARIO

The SDK starts the bridge as its child and lists and calls; the suite's server wants a sign-in, and the
bridge does it as it would for anybody. Revision, scenario and a client registered by hand come in the
environment, as the suite gives them. As the browser of the bridge (`$BROWSER`) this file follows redirects
to the loopback listener: the suite's authorization server asks nobody.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

REVISION = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
CONTEXT = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
DESCRIBED = "https://conformance-test.local/client-metadata.json"
"""The client that the suite's authorization server knows by its metadata document."""
ROUNDS = {"auth/authorization-server-migration": 2}
"""Scenarios that want more than one list and call."""


def bridge(url: str, folder: Path) -> StdioServerParameters:
    """The bridge with a store of its own."""
    arguments = ["-m", "gatekit", "bridge", url, "--wait", "20"]
    environment = {
        "XDG_DATA_HOME": str(folder),
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "BROWSER": f"{sys.executable} {Path(__file__).resolve()} --browse %s",
    }
    if "client_id" in CONTEXT:
        arguments += ["--client-id", CONTEXT["client_id"]]
        environment["GATEKIT_BRIDGE_CLIENT_SECRET"] = CONTEXT["client_secret"]
    if SCENARIO == "auth/basic-cimd":
        arguments += ["--client-metadata-url", DESCRIBED]
    return StdioServerParameters(command=sys.executable, args=arguments, env=environment)


async def use(url: str, folder: Path) -> None:
    mode: Any = "auto" if REVISION >= "2026" else "legacy"
    async with Client(bridge(url, folder), mode=mode, read_timeout_seconds=30) as client:
        for _ in range(ROUNDS.get(SCENARIO, 1)):
            for tool in (await client.list_tools()).tools:
                await client.call_tool(tool.name, {})


def main() -> None:
    if sys.argv[1] == "--browse":
        build_opener(ProxyHandler({})).open(sys.argv[2], timeout=10).close()
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(use(sys.argv[1], Path(folder)))


if __name__ == "__main__":
    main()
