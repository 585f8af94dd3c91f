"""The official Python SDK over a bridge that some client starts as its child.

usage: stdio_client.py TOOL ARGUMENTS COMMAND…      prints the text of the tool's result
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.support.sdk import text


async def main(tool: str, arguments: str, command: str, *words: str) -> None:
    bridge = StdioServerParameters(command=command, args=list(words), env=dict(os.environ))
    async with Client(bridge, mode="legacy") as client:
        print(text(await client.call_tool(tool, json.loads(arguments))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
