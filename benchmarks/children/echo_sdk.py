"""The ordinary child: an echo server written with the official Python SDK."""

from __future__ import annotations

import logging

from mcp.server import MCPServer

logging.disable(logging.INFO)
server = MCPServer("echo-sdk")


@server.tool()
def echo(text: str) -> str:
    """Says what it is told."""
    return text


if __name__ == "__main__":
    server.run("stdio")
