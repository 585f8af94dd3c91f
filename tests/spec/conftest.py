"""The authorization server's tests here use the same world as the attacks on it."""

from __future__ import annotations

from tests.attack.conftest import template, world

__all__ = ["template", "world"]
