"""Pages are tested in the world that the attacks use."""

from __future__ import annotations

from tests.attack.conftest import template, world

__all__ = ["template", "world"]
