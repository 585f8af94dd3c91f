"""Gatekit: the authenticated front door for MCP servers.

Start reading at ``app.py`` (what is wired to what) and ``gateway/exchange.py`` (what happens to one call).
The rooms and the direction of imports are drawn in ``docs/architecture.md`` and held by import-linter.
"""

__version__ = "0.1.0"
