"""FastMCP's own client, with its tokens in a folder. Runs in FastMCP's environment, not in ours.

usage: fastmcp_client.py URL FOLDER TOOL ARGUMENTS      prints the text of the tool's result
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path


async def main(url: str, folder: str, tool: str, arguments: str) -> None:
    fastmcp, auth = import_module("fastmcp"), import_module("fastmcp.client.auth")
    stores = import_module("key_value.aio.stores.filetree")
    Path(folder).mkdir(exist_ok=True)
    plain = {
        "key_sanitization_strategy": stores.FileTreeV1KeySanitizationStrategy(Path(folder)),
        "collection_sanitization_strategy": stores.FileTreeV1CollectionSanitizationStrategy(Path(folder)),
    }  # its keys are URLs
    kept = auth.OAuth(token_storage=stores.FileTreeStore(data_directory=Path(folder), **plain))
    async with fastmcp.Client(url, auth=kept) as client:
        result = await client.call_tool(tool, json.loads(arguments))
        print(" ".join(getattr(part, "text", "") for part in result.content))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
