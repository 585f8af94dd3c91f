"""A resource → what a client asked to see of it (RFC 7644 §3.9), and lists of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from gatekit.identity.scim.filters import parse_name
from gatekit.identity.scim.match import Spot, locate
from gatekit.identity.scim.schema import Kind

Resource = dict[str, Any]

LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ALWAYS = frozenset({"id", "schemas"})
"""RFC 7643 §7: returned whatever is asked for; ``meta`` is left out on demand."""


class Selection(Struct, frozen=True):
    """Which attributes to show: only these, or all but these. Both empty: all."""

    only: tuple[Spot, ...] = ()
    but: tuple[Spot, ...] = ()
    narrowed: bool = False
    """``only`` was given, even if it named nothing that there is."""

    def wants(self, name: str) -> bool:
        """Whether a core attribute may be shown at all, so that it need not be looked up otherwise."""
        if any(_is(spot, name) and spot.part is None for spot in self.but):
            return False
        return not self.narrowed or any(spot.urn == "" and _is(spot, name) for spot in self.only)


def selection(kind: Kind, attributes: Sequence[str], excluded: Sequence[str]) -> Selection:
    """Raise ``ScimPath`` if a name cannot be one. What there is not is not shown and not complained about."""
    return Selection(_spots(kind, attributes), _spots(kind, excluded), bool(attributes))


def shown(kind: Kind, resource: Resource, wanted: Selection) -> Resource:
    """The part of ``resource`` that is wanted, with ``schemas``."""
    found = {key: value for key, value in resource.items() if value is not None}
    if wanted.narrowed:
        found = _only(found, wanted.only)
    for spot in wanted.but:
        _without(found, spot)
    for name in ALWAYS:
        if name in resource:
            found[name] = resource[name]
    schemas = [kind.schema.urn, *(each.urn for each in kind.extensions if each.urn in found)]
    return {"schemas": schemas, **found}


def page(resources: Sequence[Resource], total: int, start: int | None, **more: Any) -> Resource:
    """A list response (RFC 7644 §3.4.2)."""
    answer: Resource = {
        "schemas": [LIST_URN],
        "totalResults": total,
        "itemsPerPage": len(resources),
    }
    if start is not None:
        answer["startIndex"] = start
    return {**answer, **more, "Resources": list(resources)}


def _spots(kind: Kind, names: Sequence[str]) -> tuple[Spot, ...]:
    found = (locate(kind, parse_name(name)) for name in names)
    return tuple(spot for spot in found if spot is not None)


def _is(spot: Spot, name: str) -> bool:
    return spot.attribute is not None and spot.attribute.name == name


def _only(resource: Resource, spots: Sequence[Spot]) -> Resource:
    found: Resource = {}
    for spot in spots:
        source: Mapping[str, Any] = resource.get(spot.urn, {}) if spot.urn else resource
        if spot.attribute is None:
            _whole(found, source, spot.urn)
            continue
        name = spot.attribute.name
        if name not in source:
            continue
        into = found.setdefault(spot.urn, {}) if spot.urn else found
        into[name] = _merged(into.get(name), source[name], spot)
    return {key: value for key, value in found.items() if value not in ({}, [])}


def _whole(found: Resource, source: Mapping[str, Any], urn: str) -> None:
    if urn and source:
        found[urn] = dict(source)
    elif not urn:
        found.update({key: value for key, value in source.items() if not key.startswith("urn:")})


def _merged(before: Any, value: Any, spot: Spot) -> Any:
    """The wanted part of a value, beside the parts that were asked for before."""
    if spot.part is None:
        return value
    name = spot.part.name
    if isinstance(value, list):
        earlier = before if isinstance(before, list) else [{} for _ in value]
        return [
            {**old, **({name: each[name]} if name in each else {})}
            for old, each in zip(earlier, value, strict=True)
        ]
    return {**(before or {}), **({name: value[name]} if name in value else {})}


def _without(resource: Resource, spot: Spot) -> None:
    """Take something out of what is shown. What is returned always stays (RFC 7644 §3.9)."""
    if spot.attribute is None:
        resource.pop(spot.urn, None)
        return
    inside = dict(resource.get(spot.urn, {})) if spot.urn else resource
    name = spot.attribute.name
    if spot.part is None:
        if spot.attribute.returned != "always":
            inside.pop(name, None)
    elif isinstance(inside.get(name), list):
        inside[name] = [{k: v for k, v in each.items() if k != spot.part.name} for each in inside[name]]
    elif isinstance(inside.get(name), dict):
        inside[name] = {k: v for k, v in inside[name].items() if k != spot.part.name}
    if spot.urn and inside:
        resource[spot.urn] = inside
    elif spot.urn:
        resource.pop(spot.urn, None)
