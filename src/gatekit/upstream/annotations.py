"""``x-mcp-header``: which arguments of a remote server's tools are repeated in ``Mcp-Param-*`` headers.

MCP 2026-07-28, Streamable HTTP: the client knows from the list of tools which headers a call must carry,
and MUST drop a tool whose annotations are invalid. The list is read as it passes by; what it said is shared
by all Links of the server.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from msgspec import Raw

from gatekit.errors import ParseFault
from gatekit.model.call import Result
from gatekit.protocol import headers, jsonrpc

_log = logging.getLogger("gatekit.upstream")

LIST = "tools/list"
CALL = "tools/call"
MAX_TOOLS = 10_000
"""Annotated tools of one server that are remembered."""

_MARK = headers.ANNOTATION.encode()


class Annotated:
    """The annotated tools of one server."""

    def __init__(self) -> None:
        self._declared: dict[str, tuple[headers.Declared, ...]] = {}
        self._dropped: set[str] = set()

    def headers(self, params: dict[str, Any]) -> dict[str, str]:
        """The headers of a ``tools/call``."""
        declared = self._declared.get(str(params.get("name")))
        arguments = params.get("arguments")
        if not declared or not isinstance(arguments, dict):
            return {}
        return headers.mirror_params(arguments, declared)

    def dropped(self, params: dict[str, Any]) -> bool:
        """Whether the tool that a ``tools/call`` names counts as not there."""
        return params.get("name") in self._dropped

    def learn(self, server: str, end: Result) -> Result:
        """Read a page of ``tools/list``; returned without the tools that must be dropped."""
        body = end.body
        if not isinstance(body, dict):
            nothing_yet = isinstance(body, Raw) and not self._declared and not self._dropped
            if nothing_yet and _MARK not in bytes(memoryview(cast(Raw, body))):
                return end
            try:
                body = jsonrpc.decode_object(body)
            except ParseFault:
                return end
        tools = body.get("tools")
        if not isinstance(tools, list):
            return end
        kept = [tool for tool in tools if self._keeps(server, tool)]
        return end if len(kept) == len(tools) else Result({**body, "tools": kept})

    def _keeps(self, server: str, tool: Any) -> bool:
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str):
            return True
        found = headers.param_annotations(tool.get("inputSchema"))
        self._declared.pop(name, None)
        self._dropped.discard(name)
        if found.fault:
            if len(self._dropped) < MAX_TOOLS:
                self._dropped.add(name)
            text = "server %s: tool %r was left out: its %s annotation is %s"
            _log.warning(text, server, name[:100], headers.ANNOTATION, found.fault)
            return False
        if found.declared and len(self._declared) < MAX_TOOLS:
            self._declared[name] = found.declared
        return True
