"""A rule as it is written where there is no file: in the store, over the REST interface.

The keys are those of ``rules`` in the file. Durations are seconds and sizes bytes. People are named as
``policy.selectors`` says, so there is no ``*``: who lets everybody in writes that into the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, ValidationError

from gatekit.errors import InvalidInput
from gatekit.model.people import Role
from gatekit.model.rules import (
    ArgumentTest,
    Effect,
    NarrowedKind,
    Operator,
    Rule,
    Selector,
    Strength,
    Window,
)
from gatekit.policy.ruling import fault_of_rule
from gatekit.policy.selectors import parse_selector

PLACE = "stored"
"""Before the name of such a rule, in the audit."""
MAX_BODY = 16 * 1024
MAX_LIST = 200

OPERATORS: tuple[tuple[str, Operator], ...] = (
    ("equals", "equals"),
    ("one_of", "in"),
    ("matches", "matches"),
    ("under", "under"),
    ("larger_than", "larger_than"),
    ("not_larger_than", "not_larger_than"),
    ("above", "above"),
    ("up_to", "up_to"),
)
"""(as it is written, as it is called inside)."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_HOURS = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-4]):([0-5][0-9])")

Texts = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=512)], ...], Meta(max_length=MAX_LIST)]
Number = int | float


class WrittenTest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What must hold of one argument; all that is written at once."""

    equals: bool | Number | str | None = None
    one_of: Annotated[tuple[bool | Number | str, ...], Meta(max_length=MAX_LIST)] | None = None
    matches: Annotated[str, Meta(max_length=1000)] | None = None
    under: Texts | None = None
    larger_than: Annotated[int, Meta(ge=0)] | None = None
    not_larger_than: Annotated[int, Meta(ge=0)] | None = None
    above: Number | None = None
    up_to: Number | None = None
    optional: bool = False


class WrittenWindow(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A time of the week: `{"days": ["mon-fri"], "hours": "08:00-18:00", "zone": "Europe/Berlin"}`."""

    days: Texts = ()
    hours: Annotated[str, Meta(max_length=32)] | None = None
    zone: Annotated[str, Meta(max_length=64)] = "UTC"


class WrittenStrength(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How well the person must have signed in: seconds since then, and how (RFC 8176)."""

    max_age: Annotated[float, Meta(ge=0)] = 0
    amr: Texts = ()


class Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule. Everything that is written must hold at once; within a list, one of it."""

    effect: Effect
    who: Texts | None = None
    unless: Texts = ()
    roles: Annotated[tuple[Role, ...], Meta(max_length=4)] = ()
    clients: Texts = ()
    servers: Texts = ()
    tools: Texts = ()
    prompts: Texts = ()
    resources: Texts = ()
    arguments: Annotated[dict[str, WrittenTest], Meta(max_length=MAX_LIST)] = {}
    when: WrittenWindow | None = None
    networks: Texts = ()
    strength: WrittenStrength | None = None
    approvers: Texts = ()
    reason: Annotated[str, Meta(max_length=500)] = ""
    shadow: bool = False


class Known(Struct, frozen=True, kw_only=True):
    """What the file has, for a rule to be about. None: the file is not known, and nothing is compared."""

    servers: Collection[str] | None = None
    """Everything that is published under a name."""
    connections: Collection[str] | None = None
    """And other issuers of people."""
    groups: Collection[str] | None = None


_decode = msgspec.json.Decoder(Written).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def written_of(body: str) -> Written:
    """As it was kept. Raises ``InvalidInput``."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"this is no rule: {error}") from None


def written_from(plain: Any) -> Written:
    """From plain data: dicts, lists and so on. Raises ``InvalidInput``."""
    try:
        return msgspec.convert(plain, Written)
    except (ValidationError, RecursionError) as error:
        raise InvalidInput(f"this is no rule: {error}") from None


def kept(written: Written) -> str:
    """How it is kept. Raises ``InvalidInput`` if it is too long."""
    body = _encode(written)
    if len(body) > MAX_BODY:
        raise InvalidInput(f"a rule has at most {MAX_BODY // 1024} kB")
    return body.decode()


def lets_in(body: str) -> bool:
    """Whether a rule that cannot be read is certainly one that only lets in."""
    try:
        return bool(msgspec.json.decode(body)["effect"] == "allow")
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError):
        return False


def rule_of(name: str, written: Written, expires_at: float = 0.0) -> Rule:
    """What it means. ``expires_at``: seconds since the epoch; 0: never. Raises ``InvalidInput``."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name for a rule: 1 to 64 of a-z, 0-9 and _ . -")
    if written.who == ():
        raise InvalidInput("who is empty; name somebody, or leave it out for everybody")
    if not written.reason.isprintable():
        raise InvalidInput("a reason is printable text")
    kinds: tuple[tuple[NarrowedKind, Sequence[str]], ...] = (
        ("tool", written.tools),
        ("prompt", written.prompts),
        ("resource", written.resources),
    )
    rule = Rule(
        name=name,
        effect=written.effect,
        who=None if written.who is None else _people(written.who),
        unless=_people(written.unless),
        roles=written.roles,
        clients=written.clients,
        servers=written.servers,
        names=tuple((kind, glob) for kind, globs in kinds for glob in globs),
        arguments=tuple(
            test for pointer, tests in written.arguments.items() for test in tests_of(pointer, tests)
        ),
        when=_window(written.when),
        networks=written.networks,
        strength=_strength(written.strength),
        approvers=_people(written.approvers),
        reason=written.reason,
        shadow=written.shadow,
        expires_at=expires_at,
        place=PLACE,
    )
    if rule.effect == "allow" and rule.who is None and "member" in rule.roles:
        raise InvalidInput("the role member is everybody who can sign in; that stands in the file only")
    if why := fault_of_rule(rule):
        raise InvalidInput(why)
    return rule


def tests_of(pointer: str, written: WrittenTest) -> list[ArgumentTest]:
    """Raises ``InvalidInput`` if nothing is tested."""
    found = [
        ArgumentTest(pointer=pointer, operator=operator, value=value, optional=written.optional)
        for key, operator in OPERATORS
        if (value := getattr(written, key)) is not None
    ]
    if not found:
        raise InvalidInput(f"{pointer} says nothing; write one of {', '.join(key for key, _ in OPERATORS)}")
    return found


def _people(texts: Sequence[str]) -> tuple[Selector, ...]:
    return tuple(map(_person, texts))


def _person(text: str) -> Selector:
    prefix = text.partition(":")[0].strip()
    if prefix in ("org", "team"):  # in the file it is clear whose they are; here nobody would be meant
        raise InvalidInput(f"{text!r}: write group:CONNECTION/NAME for what a provider asserts")
    return parse_selector(text)


def _window(written: WrittenWindow | None) -> Window | None:
    if written is None:
        return None
    start, end = hours_of(written.hours) if written.hours is not None else (0, 0)
    return Window(days=days_of(written.days), start=start, end=end, zone=written.zone)


def _strength(written: WrittenStrength | None) -> Strength | None:
    return None if written is None else Strength(max_age=written.max_age, amr=frozenset(written.amr))


def days_of(written: Sequence[str]) -> frozenset[int]:
    """``[mon-fri, sun]``; empty: every day. Raises ``InvalidInput``."""
    found: set[int] = set()
    for text in written:
        first, dash, last = (part.strip().lower()[:3] for part in text.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise InvalidInput(f"{text!r} is no day of the week: write mon, or mon-fri")
        start, end = DAYS.index(first), DAYS.index(last if dash else first)
        found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return frozenset(found) if written else frozenset(range(7))


def hours_of(text: str) -> tuple[int, int]:
    """``08:00-18:00`` as minutes since midnight. Raises ``InvalidInput``."""
    match = _HOURS.fullmatch(text.strip())
    hours, minutes, last_hours, last_minutes = map(int, match.groups()) if match else (0, 0, 0, 0)
    start, end = hours * 60 + minutes, last_hours * 60 + last_minutes
    if not match or start >= 1440 or end > 1440 or start == end:
        raise InvalidInput(f"{text!r} is no time: write it like 08:00-18:00 (22:00-06:00 is over night)")
    return start, end
