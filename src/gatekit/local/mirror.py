"""Headers that repeat parts of a stateless request (MCP 2026-07-28), for channels that lead over HTTP.

A local client sends none, so we do it for it: ``Mcp-Method`` and ``Mcp-Name`` from the body alone,
``Mcp-Param-*`` from what the server's tools ask for, which is learned from the lists that pass by.
"""

from __future__ import annotations

from typing import Any

from gatekit.protocol import headers
from gatekit.protocol.era.detect import META_VERSION
from gatekit.protocol.jsonrpc import Notification, Request


class Mirror:
    """Remembers which arguments of which tools are mirrored."""

    def __init__(self) -> None:
        self._declared: dict[str, headers.Annotations] = {}

    def learn(self, result: dict[str, Any]) -> None:
        """Take in a page of tools/list."""
        tools = result.get("tools")
        for tool in tools if isinstance(tools, list) else ():
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                self._declared[tool["name"]] = headers.param_annotations(tool.get("inputSchema"))

    def forget(self) -> None:
        self._declared.clear()

    def headers(self, message: Request | Notification) -> dict[str, str]:
        """For the request that carries ``message``, names in lower case."""
        params = message.params
        meta = params.get("_meta")
        version = meta.get(META_VERSION) if isinstance(meta, dict) else None
        if not isinstance(version, str) or not version.isascii() or not version.isprintable():
            return {}
        wanted = headers.mirror(message.method, params, version)
        name, arguments = params.get("name"), params.get("arguments")
        if message.method == "tools/call" and isinstance(name, str) and isinstance(arguments, dict):
            known = self._declared.get(name)
            if known is not None:
                wanted |= headers.mirror_params(arguments, known.declared)
        return {key.lower(): value for key, value in wanted.items()}
