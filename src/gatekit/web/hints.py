"""What to do with a URL in each of the common MCP clients, as the home page shows it."""

from __future__ import annotations

import json
from shlex import quote

from msgspec import Struct


class Hint(Struct, frozen=True):
    """One client. ``steps`` is prose, ``code`` is to be copied (may be empty)."""

    client: str
    steps: str
    code: str = ""


def hints(url: str, name: str = "gatekit") -> tuple[Hint, ...]:
    """``url`` is an MCP endpoint, ``name`` what it will be called in the client."""
    return (
        Hint("Claude Code", "Run this once, then /mcp inside Claude Code to sign in.",
             f"claude mcp add --transport http {quote(name)} {quote(url)}"),
        Hint("Claude (web and desktop)",
             "Settings → Connectors → Add custom connector. Paste the address and press Connect."),
        Hint("Cursor", "Add this to ~/.cursor/mcp.json, then press Connect in Settings → MCP.",
             _json({"mcpServers": {name: {"url": url}}})),
        Hint("VS Code", "Add this to .vscode/mcp.json, or run “MCP: Add Server” and paste the address.",
             _json({"servers": {name: {"type": "http", "url": url}}})),
        Hint("Codex", "Run both; the second opens the browser.",
             f"codex mcp add {quote(name)} --url {quote(url)}\ncodex mcp login {quote(name)}"),
        Hint("Any client that only starts local servers",
             "mcp-remote is a small bridge; it needs Node.js. Use this as the server's entry.",
             _json({"mcpServers": {name: {"command": "npx", "args": ["-y", "mcp-remote", url]}}})),
    )  # fmt: skip


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
