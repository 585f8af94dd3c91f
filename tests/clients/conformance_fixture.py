"""Runs the official conformance fixture (from the SDK's source package) as an ordinary stdio server.

usage: conformance_fixture.py FOLDER_OF_THE_SOURCE_PACKAGE
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1]) / "examples" / "servers" / "everything-server"))
    importlib.import_module("mcp_everything_server.server").mcp.run(transport="stdio")
