"""What the conformance suite takes for a client is a whole Gatekit, with the official SDK in front of it.

usage: conformance_client.py URL_OF_THE_SCENARIO

The suite's server becomes a published server with that URL; the SDK does what the scenario wants done,
through the gateway. So what the suite sees is how Gatekit behaves towards remote servers. Authentication is
off: it is about the other side. Revision and arguments come in the environment, as the suite gives them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import mcp_types as types
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from gatekit.demo.gateway import free_port

REVISION = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
CONTEXT = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
ARGUMENTS: dict[str, dict[str, Any]] = {"add_numbers": {"a": 5, "b": 3}}
ECHO = "json_schema_echo"
START_SECONDS = 20.0


async def elicit(context: Any, params: Any) -> types.ElicitResult:
    """Accept, and leave to the schema's defaults what it has defaults for (SEP-1034)."""
    properties = getattr(params, "requested_schema", {}).get("properties", {})
    content = {name: about["default"] for name, about in properties.items() if "default" in about}
    for name, about in properties.items():
        if about.get("type") == "boolean":
            content.setdefault(name, True)
    return types.ElicitResult(action="accept", content=content)


async def sample(context: Any, params: Any) -> types.CreateMessageResult:
    said = types.TextContent(type="text", text="ok")
    return types.CreateMessageResult(role="assistant", content=said, model="none")


async def roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[])


async def perform(client: Client) -> None:
    """List everything and use everything; the scenarios differ in what the server makes of it."""
    tools = (await client.list_tools()).tools
    schemas = {tool.name: tool.input_schema for tool in tools}
    if ECHO in schemas:
        # What came through the gateway goes back to the server, which compares.
        ARGUMENTS[ECHO] = {"schema": next(schema for name, schema in schemas.items() if name != ECHO)}
    wanted = CONTEXT.get("toolCalls") or [
        {"name": tool.name, "arguments": ARGUMENTS.get(tool.name, {})} for tool in tools
    ]
    for call in wanted:
        try:
            await client.call_tool(call["name"], call["arguments"])
        except MCPError as error:
            print(f"{call['name']}: {error}", file=sys.stderr)
    capabilities = client.server_capabilities
    if capabilities.resources is not None:
        for resource in (await client.list_resources()).resources:
            await client.read_resource(str(resource.uri))
    if capabilities.prompts is not None:
        for prompt in (await client.list_prompts()).prompts:
            await client.get_prompt(prompt.name, {each.name: "x" for each in prompt.arguments or ()})


async def connected(url: str) -> None:
    mode: Any = "auto" if REVISION >= "2026" else "legacy"
    async with Client(
        url,
        mode=mode,
        elicitation_callback=elicit,
        sampling_callback=sample,
        list_roots_callback=roots,
        read_timeout_seconds=30,
    ) as client:
        await perform(client)


def configure(folder: Path, url: str) -> str:
    """Write the configuration; the URL of the endpoint."""
    port = free_port(0)
    document = {
        "data_dir": "data",
        "proxy": {"host": "127.0.0.1", "port": port, "auth": {"enabled": False}},
        "servers": {"far": {"url": url}},
    }
    (folder / "gatekit.yaml").write_text(json.dumps(document), encoding="utf-8")
    return f"http://127.0.0.1:{port}"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gateway = configure(folder, sys.argv[1])
        log = (folder / "log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "gatekit", "serve", "--config", str(folder / "gatekit.yaml")],
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(gateway, process)
            asyncio.run(connected(f"{gateway}/s/far/mcp"))
        finally:
            process.terminate()
            process.wait(20)
            log.close()
            sys.stderr.write((folder / "log").read_text(encoding="utf-8", errors="replace")[-3000:])


def wait_for(gateway: str, process: subprocess.Popen[bytes]) -> None:
    """Until the gateway answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urlopen(f"{gateway}/healthz", timeout=5).close()
            return
        except (URLError, OSError):
            assert process.poll() is None, "the gateway did not start"
            assert time.monotonic() < deadline, "the gateway did not start in time"
            time.sleep(0.05)


if __name__ == "__main__":
    main()
