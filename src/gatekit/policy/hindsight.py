"""Recorded calls judged again: what other rules would have said.

A record holds no arguments and not how somebody had signed in. Where that would make a difference the answer
is not guessed: it cannot be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET, Struct

from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Allow, Decision, StepUp
from gatekit.policy.engine import Kind, Rights
from gatekit.policy.explain import word

_KINDS: Mapping[str, Kind] = {
    "tools/call": "tool",
    "prompts/get": "prompt",
    "resources/read": "resource",
    "resources/subscribe": "resource",
    "resources/unsubscribe": "resource",
}
_WITH_ARGUMENTS = frozenset(("tools/call", "prompts/get"))
_OURS = ("rules.", "stored.", "servers.", "virtual_servers.", "proxy.auth.", "default")


class Use(Struct, frozen=True, kw_only=True):
    """One recorded call, as far as rules look at it."""

    principal_id: str
    principal: str
    parts: tuple[tuple[str, Kind, str], ...]
    """(server, kind, name): at the virtual server that it came through, and at the server itself."""
    about: Circumstances
    was: str
    rule: str

    @property
    def what(self) -> tuple[str, Kind, str]:
        return self.parts[-1]


def use_of(record: Mapping[str, Any]) -> Use | None:
    """From a ``call`` of the trail; None for what rules over names did not decide."""
    kind, rule = _KINDS.get(str(record.get("method"))), str(record.get("rule", ""))
    if kind is None or not rule.startswith(_OURS):
        return None
    parts: tuple[tuple[str, Kind, str], ...] = (
        (str(record.get("server", "")), kind, str(record.get("name", ""))),
    )
    via = str(record.get("via", ""))
    if via.startswith("/s/"):
        server = via.removeprefix("/s/").removesuffix("/mcp")
        parts = ((server, kind, str(record.get("asked", ""))), *parts)
    with_arguments = record.get("method") in _WITH_ARGUMENTS
    return Use(
        principal_id=str(record.get("principal_id", "")),
        principal=str(record.get("principal", "")),
        parts=parts,
        about=Circumstances(
            client_id=str(record.get("client_id", "")),
            client_name=str(record.get("client", "")),
            address=str(record.get("address", "")),
            at=float(record.get("at", 0.0)),
            # No digest: there were no arguments, and that is known.
            arguments={} if with_arguments and not record.get("args_digest") else UNSET,
        ),
        was=str(record.get("decision", "")),
        rule=rule,
    )


def again(rights: Rights, use: Use) -> Decision | None:
    """What these rights say of it; None if that depends on what is not recorded."""
    worst = _first(rights.decide(server, kind, name, use.about) for server, kind, name in use.parts)
    best = _first(rights.could(server, kind, name, use.about) for server, kind, name in use.parts)
    if isinstance(worst, StepUp):  # for all we know they had signed in well enough
        return None
    return worst if word(worst) == word(best) else None


def _first(decisions: Iterable[Decision]) -> Decision:
    """All must allow; otherwise the first that does not."""
    last: Decision = Allow("")
    for last in decisions:
        if not isinstance(last, Allow):
            return last
    return last
