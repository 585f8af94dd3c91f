"""Where ``scripts/install-peers`` put the things nobody here wrote."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("GATEKIT_PEERS") or ROOT / ".cache" / "peers")
CLIENTS = ROOT / "tests" / "clients"
NODE = PEERS / "node" / "bin" / "node"
NODE_MODULES = PEERS / "node_modules"
TIME_SERVER = PEERS / "pyservers" / "bin" / "mcp-server-time"
MORE = PEERS / "more"
"""Further Python servers, for PYTHONPATH of ``pyservers``, and one in Go."""
SCHEMATHESIS = PEERS / "schemathesis" / "bin" / "schemathesis"
"""From ``scripts/install-schemathesis``."""
PROXIES = PEERS / "proxies" / "bin"
"""nginx and Caddy, from ``scripts/install-proxies``."""
CONFORMANCE = NODE_MODULES / "@modelcontextprotocol" / "conformance"
SDK_SOURCE = PEERS / "fixture"


def npm_server(name: str) -> Path:
    """The script of ``@modelcontextprotocol/server-<name>``."""
    script = NODE_MODULES / "@modelcontextprotocol" / f"server-{name}" / "dist" / "index.js"
    assert script.is_file(), "run scripts/install-peers"
    return script
