"""Plugins for people: which stand where, with options that hold no secret."""

from __future__ import annotations

from typing import Any

from gatekit.config.show_connections import MASK
from gatekit.config.units import show_seconds
from gatekit.model.plugins import PluginPlan, PluginSpec


def shown_plugins(plan: PluginPlan) -> dict[str, Any]:
    """The sections, or nothing if there are none."""
    shown: dict[str, Any] = {"plugins_dir": plan.folder} if plan.folder else {}
    everybodys = [_entry(spec) for spec in plan.entries if not spec.server]
    if everybodys:
        shown["plugins"] = everybodys
    of: dict[str, list[Any]] = {}
    for spec in plan.entries:
        if spec.server:
            of.setdefault(spec.server, []).append(_entry(spec))
    if of:
        shown["plugins_of_servers"] = of
    return shown


def _entry(spec: PluginSpec) -> dict[str, Any]:
    shown: dict[str, Any] = {"use": spec.use}
    if spec.name != spec.use:
        shown["name"] = spec.name
    if not spec.enabled:
        return {**shown, "enabled": False}
    if spec.priority is not None:
        shown["priority"] = spec.priority
    if spec.on_error is not None:
        shown["on_error"] = spec.on_error
    if spec.deadline is not None:
        shown["deadline"] = show_seconds(spec.deadline)
    options = {key: MASK if key in spec.secret else value for key, value in spec.options.items()}
    return {**shown, **options}
