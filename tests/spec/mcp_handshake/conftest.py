"""The transport's rules are tried on a data plane with real children."""

from __future__ import annotations

from tests.unit.gateway.conftest import rig

__all__ = ["rig"]
