"""``rules`` as an operator writes them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from gatekit.config.fields import (
    Anything,
    Duration,
    Entries,
    Flag,
    OneOf,
    Section,
    Size,
    Sub,
    Text,
    Texts,
)
from gatekit.model.rules import Effect

_DAY = 86400
_GB = 1024**3
Names = tuple[str, ...]


class ArgumentIn(Section, frozen=True):
    """What must hold of one argument; all that is written at once."""

    equals: Annotated[Any, Anything()] = None
    one_of: Annotated[Any, Anything()] = None
    matches: Annotated[str | None, Text()] = None
    under: Annotated[Names | None, Texts()] = None
    larger_than: Annotated[int | None, Size(0, _GB)] = None
    not_larger_than: Annotated[int | None, Size(0, _GB)] = None
    above: Annotated[Any, Anything()] = None
    up_to: Annotated[Any, Anything()] = None
    optional: Annotated[bool, Flag()] = False


class WhenIn(Section, frozen=True):
    days: Annotated[Names, Texts()] = ()
    hours: Annotated[str | None, Text()] = None
    zone: Annotated[str, Text()] = "UTC"


class StrengthIn(Section, frozen=True):
    max_age: Annotated[float, Duration(0, 366 * _DAY)] = 0
    amr: Annotated[Names, Texts()] = ()


class RuleIn(Section, frozen=True, kw_only=True):
    name: Annotated[str, Text()]
    effect: Annotated[Effect, OneOf(("allow", "deny", "ask", "step_up"))]
    who: Annotated[Names | None, Texts()] = None
    unless: Annotated[Names, Texts()] = ()
    roles: Annotated[Names, Texts()] = ()
    clients: Annotated[Names, Texts()] = ()
    servers: Annotated[Names, Texts()] = ()
    tools: Annotated[Names, Texts()] = ()
    prompts: Annotated[Names, Texts()] = ()
    resources: Annotated[Names, Texts()] = ()
    arguments: Annotated[dict[str, ArgumentIn], Entries(Sub(ArgumentIn))] = field(default_factory=dict)
    when: Annotated[WhenIn | None, Sub(WhenIn)] = None
    networks: Annotated[Names, Texts()] = ()
    strength: Annotated[StrengthIn | None, Sub(StrengthIn)] = None
    approvers: Annotated[Names, Texts()] = ()
    reason: Annotated[str, Text(empty=True)] = ""
    shadow: Annotated[bool, Flag()] = False


class PolicyTestIn(Section, frozen=True, kw_only=True):
    """One case; what is not said is not known, and counts against the caller."""

    name: Annotated[str, Text()]
    user: Annotated[str, Text()]
    email: Annotated[str | None, Text()] = None
    groups: Annotated[Names, Texts()] = ()
    server: Annotated[str, Text()]
    tool: Annotated[str | None, Text()] = None
    prompt: Annotated[str | None, Text()] = None
    resource: Annotated[str | None, Text()] = None
    arguments: Annotated[Any, Anything()] = None
    client: Annotated[str | None, Text()] = None
    address: Annotated[str | None, Text()] = None
    at: Annotated[str | None, Text()] = None
    signed_in: Annotated[float | None, Duration(0, 366 * _DAY)] = None
    amr: Annotated[Names, Texts()] = ()
    expect: Annotated[Effect, OneOf(("allow", "deny", "ask", "step_up"))]
    rule: Annotated[str | None, Text()] = None
