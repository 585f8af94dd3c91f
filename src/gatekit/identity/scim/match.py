"""Whether a resource fits a filter (RFC 7644 §3.4.2.2).

A filter is checked against the schema once and becomes a function, so that a question about ten thousand
resources is not parsed ten thousand times, and a wrong one is refused even where there is nothing to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from gatekit.errors import ScimFilter
from gatekit.identity.scim import filters
from gatekit.identity.scim.filters import Among, Compare, Filter, Name, Not, Present
from gatekit.identity.scim.schema import Attribute, Kind

Resource = dict[str, Any]
Test = Callable[[Mapping[str, Any]], bool]

_TEXTS = frozenset({"string", "reference", "binary", "dateTime"})
_WITHOUT_ORDER = frozenset({"boolean", "binary"})
"""RFC 7644 §3.4.2.2, table 3: asking them for more or less is an invalid filter."""


class Spot(NamedTuple):
    """Where in a resource something is."""

    urn: str
    """Key of the extension; empty for the core."""
    attribute: Attribute | None
    """None: the whole extension."""
    part: Attribute | None = None

    @property
    def leaf(self) -> Attribute | None:
        return self.part or self.attribute


def locate(kind: Kind, name: Name) -> Spot | None:
    """None if the schema knows nothing of that name."""
    whole = kind.schema_of(f"{name.urn}:{name.attribute}") if name.urn and not name.part else None
    if whole is not None:
        return Spot("" if whole is kind.schema else whole.urn, None)
    urn, attribute = "", kind.attribute(name.attribute)
    if name.urn:
        schema = kind.schema_of(name.urn)
        if schema is None:
            return None
        attribute = schema.attribute(name.attribute)
        urn = "" if schema is kind.schema else schema.urn
    if attribute is None or not name.part:
        return Spot(urn, attribute) if attribute is not None else None
    part = attribute.part(name.part)
    return Spot(urn, attribute, part) if part is not None else None


def values(resource: Mapping[str, Any], spot: Spot) -> Sequence[Any]:
    """Every value there, one by one."""
    inside: Any = resource.get(spot.urn, {}) if spot.urn else resource
    if spot.attribute is None:
        return [inside] if inside else []
    found = inside.get(spot.attribute.name)
    several = found if isinstance(found, list) else [] if found is None else [found]
    if spot.part is None:
        return several
    return [value[spot.part.name] for value in several if spot.part.name in value]


def test_of(kind: Kind, condition: Filter) -> Test:
    """Raise ``ScimFilter`` if the condition asks for what there is not, or cannot be compared."""
    return _Root(kind).test(condition)


def value_test(attribute: Attribute, condition: Filter) -> Test:
    """The same for one value of a complex attribute: what stands in brackets."""
    return _Inside(attribute).test(condition)


class _Scope:
    """What the names in a filter are names of."""

    def find(self, name: Name) -> Spot:
        raise NotImplementedError

    def test(self, condition: Filter) -> Test:
        if isinstance(condition, Compare):
            return self._compare(condition)
        if isinstance(condition, Present):
            spot = self.find(condition.name)
            return lambda resource: any(_present(value) for value in values(resource, spot))
        if isinstance(condition, Not):
            inner = self.test(condition.filter)
            return lambda resource: not inner(resource)
        if isinstance(condition, Among):
            return self._among(condition)
        tests = [self.test(each) for each in condition.filters]
        if isinstance(condition, filters.All):
            return lambda resource: all(test(resource) for test in tests)
        return lambda resource: any(test(resource) for test in tests)

    def _among(self, condition: Among) -> Test:
        spot = self.find(condition.name)
        attribute = spot.attribute
        if attribute is None or attribute.type != "complex" or spot.part is not None:
            raise ScimFilter(f"{condition.name.attribute} has no values to choose among")
        inside = _Inside(attribute)
        fits = inside.test(condition.filter)
        also = inside.test(condition.test) if condition.test is not None else None
        return lambda resource: any(
            fits(value) and (also is None or also(value)) for value in values(resource, spot)
        )

    def _compare(self, condition: Compare) -> Test:
        spot = self.find(condition.name)
        leaf = spot.leaf
        if leaf is not None and leaf.type == "complex":
            # RFC 7644 §3.4.2.2: without a sub-attribute, "value" is meant.
            spot = Spot(spot.urn, leaf, leaf.part("value"))
            leaf = spot.part
        if leaf is None:
            raise ScimFilter(f"{condition.name.attribute} cannot be compared as a whole")
        if condition.value is None:
            return _absence(spot, condition)
        judge = _judge(leaf, condition)
        if condition.operator == "ne":
            # Nothing is not equal to anything either.
            return lambda resource: (
                (found := values(resource, spot)) == [] or any(judge(value) for value in found)
            )
        return lambda resource: any(judge(value) for value in values(resource, spot))


class _Root(_Scope):
    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def find(self, name: Name) -> Spot:
        spot = locate(self._kind, name)
        if spot is None:
            raise ScimFilter(f"{self._kind.name} has no attribute {name.attribute}")
        return spot


class _Inside(_Scope):
    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute

    def find(self, name: Name) -> Spot:
        part = self._attribute.part(name.attribute)
        if part is None or name.urn or name.part:
            raise ScimFilter(f"{self._attribute.name} has no {name.attribute}")
        return Spot("", part)


def _present(value: Any) -> bool:
    """RFC 7644 §3.4.2.2: a value that is not empty, or a node that is not."""
    return value not in (None, "", [], {})


def _absence(spot: Spot, condition: Compare) -> Test:
    """RFC 7643 §2.5: null and nothing are the same."""
    wanted: Literal["eq", "ne"]
    if condition.operator not in ("eq", "ne"):
        raise ScimFilter(f"null cannot be compared with {condition.operator}")
    wanted = "eq" if condition.operator == "eq" else "ne"
    return lambda resource: any(_present(value) for value in values(resource, spot)) == (wanted == "ne")


def _judge(attribute: Attribute, condition: Compare) -> Callable[[Any], bool]:
    """One value against what the filter says."""
    operator, wanted = condition.operator, condition.value
    if attribute.type in _WITHOUT_ORDER and operator not in ("eq", "ne"):
        raise ScimFilter(f"{attribute.name} cannot be compared with {operator}")
    if attribute.type == "boolean":
        truth = _truth(wanted)
        return lambda value: (value is truth) == (operator == "eq")
    if attribute.type not in _TEXTS or not isinstance(wanted, str):
        raise ScimFilter(f"{attribute.name} is compared with a text in quotation marks")
    if attribute.type == "dateTime" and operator not in ("co", "sw", "ew"):
        return _compared(operator, _moment, _moment_asked(wanted))
    return _compared(operator, _fold(attribute), _fold(attribute)(wanted))


def _truth(wanted: object) -> bool:
    """Some clients write ``active eq "True"``."""
    if isinstance(wanted, str) and wanted.lower() in ("true", "false"):
        return wanted.lower() == "true"
    if not isinstance(wanted, bool):
        raise ScimFilter("a truth value is true or false")
    return wanted


def _fold(attribute: Attribute) -> Callable[[Any], Any]:
    """RFC 7643 §2.2: text that is not ``caseExact`` is compared without regard to case."""
    return str if attribute.exact or attribute.type == "binary" else lambda value: str(value).casefold()


def _compared(operator: str, read: Callable[[Any], Any], wanted: Any) -> Callable[[Any], bool]:
    tests: dict[str, Callable[[Any], bool]] = {
        "eq": lambda value: bool(read(value) == wanted),
        "ne": lambda value: bool(read(value) != wanted),
        "co": lambda value: wanted in read(value),
        "sw": lambda value: bool(read(value).startswith(wanted)),
        "ew": lambda value: bool(read(value).endswith(wanted)),
        "gt": lambda value: bool(read(value) > wanted),
        "ge": lambda value: bool(read(value) >= wanted),
        "lt": lambda value: bool(read(value) < wanted),
        "le": lambda value: bool(read(value) <= wanted),
    }
    return tests[operator]


def _moment_asked(text: str) -> datetime:
    try:
        return _moment(text)
    except ValueError:
        raise ScimFilter(f"{text[:40]!r} is no time") from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
