"""The form of a rule: what most rules say has a field, and everything else is written as in the file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from gatekit.errors import InvalidInput
from gatekit.model.rules import StoredRule
from gatekit.policy.written import written_of
from gatekit.web.console.door import Desks, Visit, minute
from gatekit.web.console.views import Choice

NAME = "rule"
KEEP = "keep"
_LISTS = ("who", "unless", "servers", "tools", "approvers")
_FIELDS = ("effect", *_LISTS, "reason", "shadow")
_EFFECTS = (
    ("deny", "Deny: wins over everything"),
    ("allow", "Allow: lets in whom it names"),
    ("ask", "Ask: what is allowed waits for an approval"),
    ("step_up", "Step up: what is allowed wants a fresher sign-in"),
)
_TRIAL = (("", "It counts"), ("yes", "A trial: only recorded (shadow)"))
_HOUR, _DAY = 3600, 86400
_ENDS = (
    ("", "Somebody ends it"),
    (str(_HOUR), "1 hour"),
    (str(8 * _HOUR), "8 hours"),
    (str(_DAY), "1 day"),
    (str(7 * _DAY), "7 days"),
    (str(30 * _DAY), "30 days"),
    (str(90 * _DAY), "90 days"),
)
_MORE = (
    "As under rules in the file: arguments, prompts, resources, roles, clients, when, networks, strength. "
    'Like arguments: {"/path": {under: [/srv/keys]}}'
)


def fields_of(desks: Desks, row: StoredRule | None) -> tuple[Choice, ...]:
    """The form, filled with what the rule says now."""
    said = _plain(row)
    lines = {key: "\n".join(map(str, said.get(key, ()))) for key in _LISTS}
    more = "\n".join(f"{key}: {_flow(value)}" for key, value in said.items() if key not in _FIELDS)
    ends: tuple[tuple[str, str], ...] = _ENDS
    if row is not None:
        now = f"As it is: {minute(row.expires_at)}" if row.expires_at else "As it is: somebody ends it"
        ends = ((KEEP, now), *_ENDS)
    person = "One a line: local:bob, okta:ada, group:sre, group:okta/Engineering, ada@example.com."
    servers = ", ".join(list(desks.servers())[:8])
    name = Choice(name=NAME, label="Name", hint="Small letters, digits, - _ and . ; it stays.", required=True)
    return (
        *((name,) if row is None else ()),
        Choice(name="effect", label="Effect", value=str(said.get("effect", "deny")), options=_EFFECTS),
        Choice(name="who", label="Who", hint=f"{person} Empty: everybody.", value=lines["who"], lines=3),
        Choice(name="unless", label="But not", hint="The same.", value=lines["unless"], lines=2),
        Choice(
            name="servers",
            label="Servers",
            hint=f"One a line, * for any characters. Empty: all. There are: {servers or 'none'}.",
            value=lines["servers"],
            lines=2,
        ),
        Choice(
            name="tools",
            label="Tools",
            hint="One a line, like drop_*. Empty: everything.",
            value=lines["tools"],
            lines=2,
        ),
        Choice(
            name="approvers",
            label="Approved by",
            hint="Of a rule that asks: who may say yes.",
            value=lines["approvers"],
            lines=2,
        ),
        Choice(name="more", label="More", hint=_MORE, value=more, lines=5),
        Choice(name="reason", label="Reason", hint="What people hear.", value=str(said.get("reason", ""))),
        Choice(name="shadow", label="A trial", value="yes" if said.get("shadow") else "", options=_TRIAL),
        Choice(name="ends", label="Counts for", value=ends[0][0], options=ends),
    )


def typed_in(visit: Visit, fields: Sequence[Choice]) -> tuple[Choice, ...]:
    """The form as it was sent."""
    return tuple(replace(field, value=visit.sent.get(field.name) or "") for field in fields)


def text_of(visit: Visit) -> str:
    """What was typed, as it would stand in the file."""

    def sent(name: str) -> str:
        return (visit.sent.get(name) or "").replace("\r\n", "\n").strip()

    lines = [f"effect: {_flow(sent('effect'))}"]
    for key in _LISTS:
        entries = [line.strip() for line in sent(key).split("\n") if line.strip()]
        if entries:
            lines.append(f"{key}: {_flow(entries)}")
    if sent("reason"):
        lines.append(f"reason: {_flow(sent('reason'))}")
    if sent("shadow"):
        lines.append("shadow: true")
    # A key that is typed here and has a field as well is written twice, and refused.
    return "\n".join([*lines, sent("more")]) + "\n"


def lifetime(visit: Visit) -> str:
    """Seconds, empty for "it stays", or ``KEEP``. Raises ``InvalidInput``."""
    chosen = visit.sent.get("ends") or ""
    if chosen not in {KEEP, *(value for value, _ in _ENDS)}:
        raise InvalidInput("choose how long it counts")
    return chosen


def _plain(row: StoredRule | None) -> dict[str, Any]:
    if row is None:
        return {}
    try:
        plain = msgspec.to_builtins(written_of(row.body))
    except InvalidInput:  # of another version: it is written anew
        return {}
    return dict(plain)


def _flow(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
