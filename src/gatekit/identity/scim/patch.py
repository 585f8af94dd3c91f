"""Changing a resource by operations (RFC 7644 §3.5.2), as the RFC has them and as providers send them.

What providers do and the RFC does not say, and what is made of it:

- ``Add`` and ``Replace`` in capitals (Entra) are ``add`` and ``replace``.
- Without a path, the names in the value may be paths themselves: ``{"name.givenName": "Ada"}`` (Entra).
- ``remove`` at ``members`` with a list of values takes out these and not everybody (Entra).
- ``remove`` of a value that is not there changes nothing, because it is gone as the client wished.
- ``add`` at ``emails[type eq "work"].value`` makes that value if there is none (Entra).
- A value without a path may hold ``id`` and other things that are read-only (Okta): they are ignored there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from msgspec import Struct

from gatekit.errors import ScimMutability, ScimNoTarget, ScimPath, ScimSyntax, ScimValue
from gatekit.identity.scim import filters
from gatekit.identity.scim.filters import Compare, Filter, parse_target
from gatekit.identity.scim.match import Spot, locate, value_test
from gatekit.identity.scim.read import check, one_of, unique_names, value_of
from gatekit.identity.scim.schema import Attribute, Kind

Resource = dict[str, Any]

PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS = 1000


class Operation(Struct, frozen=True):
    op: Literal["add", "remove", "replace"]
    path: str
    """Empty: the resource itself."""
    value: Any = None


class Joining(Struct, frozen=True):
    """What operations do to the members of a group, if that can be said without knowing who is in it."""

    join: tuple[str, ...]
    leave: tuple[str, ...]
    rest: tuple[Operation, ...]
    """What they do besides."""


def operations_of(body: Mapping[str, Any]) -> tuple[Operation, ...]:
    """Raise ``ScimSyntax`` if the body is no patch (RFC 7644 §3.5.2)."""
    named = {key.lower(): value for key, value in unique_names(body).items()}
    schemas = named.get("schemas")
    if not isinstance(schemas, list) or PATCH_URN.lower() not in [str(urn).lower() for urn in schemas]:
        raise ScimSyntax(f"schemas must hold {PATCH_URN}")
    listed = named.get("operations")
    if not isinstance(listed, list) or not listed:
        raise ScimSyntax("Operations must be a list of operations")
    if len(listed) > MAX_OPERATIONS:
        raise ScimSyntax(f"at most {MAX_OPERATIONS} operations at once")
    return tuple(_operation(each) for each in listed)


def patched(kind: Kind, resource: Resource, operations: Sequence[Operation]) -> Resource:
    """A changed copy. All or nothing (RFC 7644 §3.5.2): raise ``ScimError`` for the first that cannot be."""
    editor = _Editor(kind, copy.deepcopy(resource))
    for operation in operations:
        editor.apply(operation)
    done = {name: value for name, value in editor.resource.items() if value not in (None, [], {})}
    check(kind, done)
    return done


def joining(operations: Sequence[Operation]) -> Joining | None:
    """None: who is a member afterwards depends on who is one now, or the operations are not usual ones."""
    change: dict[str, bool] = {}
    rest: list[Operation] = []
    for operation in operations:
        split = _split(operation)
        if split is None:
            return None
        joins, leaves, other = split
        change |= dict.fromkeys(joins, True) | dict.fromkeys(leaves, False)
        if other is not None:
            rest.append(other)
    return Joining(
        tuple(ident for ident, joins in change.items() if joins),
        tuple(ident for ident, joins in change.items() if not joins),
        tuple(rest),
    )


_Split = tuple[Sequence[str], Sequence[str], Operation | None]


def _split(operation: Operation) -> _Split | None:
    """(who joins, who leaves, what else the operation does)."""
    if not operation.path:
        return _split_whole(operation)
    target = parse_target(operation.path)
    if target.name.attribute.lower() != "members" or target.name.urn:
        return (), (), operation
    if target.name.part or operation.op == "replace":
        return None
    if operation.op == "add":
        return None if target.filter else _joins(operation.value)
    if target.filter is None:
        listed = _idents(operation.value)
        return ((), listed, None) if listed else None
    if isinstance(target.filter, Compare) and target.filter.operator == "eq":
        name = target.filter.name
        if name.attribute.lower() == "value" and isinstance(target.filter.value, str):
            return (), (target.filter.value,), None
    return None


def _split_whole(operation: Operation) -> _Split | None:
    value = operation.value
    if not isinstance(value, dict) or not any(name.lower().startswith("members") for name in value):
        return (), (), operation
    key = next(name for name in value if name.lower().startswith("members"))
    others = {name: each for name, each in value.items() if name != key}
    joins = _idents(value[key])
    if operation.op != "add" or key.lower() != "members" or joins is None:
        return None
    return joins, (), Operation(operation.op, "", others) if others else None


def _joins(value: Any) -> _Split | None:
    idents = _idents(value)
    return None if idents is None else (idents, (), None)


def _idents(value: Any) -> list[str] | None:
    """Of ``[{"value": "usr_…"}, …]``; None if it is anything else."""
    several = value if isinstance(value, list) else [value]
    found = [each.get("value") if isinstance(each, dict) else None for each in several]
    return [str(ident) for ident in found] if all(isinstance(ident, str) for ident in found) else None


def _operation(data: Any) -> Operation:
    if not isinstance(data, dict):
        raise ScimSyntax("an operation is an object")
    named = {key.lower(): value for key, value in unique_names(data).items()}
    op, path = named.get("op"), named.get("path")
    if not isinstance(op, str) or op.lower() not in ("add", "remove", "replace"):
        raise ScimSyntax("op must be add, remove or replace")
    if path is not None and not isinstance(path, str):
        raise ScimPath("path must be a text")
    if op.lower() == "remove" and not path:
        raise ScimNoTarget("remove needs a path")  # RFC 7644 §3.5.2.2
    if op.lower() == "add" and "value" not in named:
        raise ScimValue("add needs a value")  # RFC 7644 §3.5.2.1
    return Operation(cast("Any", op.lower()), path or "", named.get("value"))


class _Editor:
    def __init__(self, kind: Kind, resource: Resource) -> None:
        self._kind = kind
        self.resource = resource

    def apply(self, operation: Operation) -> None:
        if not operation.path:
            self._whole(operation)
            return
        target = parse_target(operation.path)
        spot = locate(self._kind, target.name)
        if spot is None:
            raise ScimPath(f"there is no attribute {operation.path[:100]}")
        for attribute in (spot.attribute, spot.part):
            if attribute is not None and attribute.mutability == "readOnly":
                raise ScimMutability(f"{attribute.name} is read-only")
        if spot.part is not None and spot.part.mutability == "immutable":
            raise ScimMutability(f"{spot.part.name} cannot be changed; add or remove the whole value")
        self._at(operation, spot, target.filter)

    def _whole(self, operation: Operation) -> None:
        """RFC 7644 §3.5.2.1, §3.5.2.3: without a path, the value holds attributes of the resource."""
        if not isinstance(operation.value, dict):
            raise ScimValue("without a path, the value must be an object")
        for key, value in unique_names(operation.value).items():
            schema = self._kind.schema_of(key)
            if schema is not None and isinstance(value, dict):
                for name, each in unique_names(value).items():
                    self._named(operation, f"{schema.urn}:{name}", each)
            else:
                self._named(operation, key, value)

    def _named(self, operation: Operation, path: str, value: Any) -> None:
        target = parse_target(path)
        spot = locate(self._kind, target.name)
        fixed = spot is None or any(
            each is not None and each.mutability == "readOnly" for each in (spot.attribute, spot.part)
        )
        if spot is not None and not fixed:
            self._at(Operation(operation.op, path, value), spot, target.filter)

    def _at(self, operation: Operation, spot: Spot, condition: Filter | None) -> None:
        attribute = spot.attribute
        if attribute is None:
            self._extension(operation, spot.urn)
            return
        inside = self.resource.setdefault(spot.urn, {}) if spot.urn else self.resource
        if condition is not None:
            if not attribute.multi or attribute.type != "complex":
                raise ScimPath(f"{attribute.name} has no values to choose among")
            fits = value_test(attribute, condition)
            self._chosen(operation, inside, spot, condition, fits)
        elif operation.op == "remove" or _empties(operation, attribute):
            self._remove(operation, inside, spot)
        else:
            self._put(operation, inside, spot)

    def _extension(self, operation: Operation, urn: str) -> None:
        if not urn:
            raise ScimPath("the core schema as a whole is no target")
        if operation.op == "remove":
            self.resource.pop(urn, None)
            return
        if not isinstance(operation.value, dict):
            raise ScimValue("an extension must be an object")
        for name, value in unique_names(operation.value).items():
            self._named(operation, f"{urn}:{name}", value)

    # -- a value behind a condition --------------------------------------------------------------------

    def _chosen(
        self,
        operation: Operation,
        inside: Resource,
        spot: Spot,
        condition: Filter,
        fits: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        attribute = cast("Attribute", spot.attribute)
        several: list[Resource] = inside.get(attribute.name, [])
        chosen = [value for value in several if fits(value)]
        if operation.op == "remove":
            self._remove_chosen(inside, spot, chosen)
            return
        if not chosen and operation.op == "replace":
            # RFC 7644 §3.5.2.3: SHALL indicate failure with noTarget.
            raise ScimNoTarget(f"no value of {attribute.name} fits the filter")
        if not chosen:
            chosen = [_made_of(attribute, condition)]
            several = inside.setdefault(attribute.name, [])
            several += chosen
        for value in chosen:
            if spot.part is not None:
                _assign(value, spot.part, value_of(spot.part, operation.value))
                continue
            read = cast("Resource", one_of(attribute, operation.value) or {})
            if operation.op == "replace":
                value.clear()
            value.update(read)
        inside[attribute.name] = [value for value in several if value]
        _one_primary(several, chosen)

    def _remove_chosen(self, inside: Resource, spot: Spot, chosen: list[Resource]) -> None:
        attribute = cast("Attribute", spot.attribute)
        for value in chosen:
            if spot.part is not None:
                value.pop(spot.part.name, None)
            else:
                value.clear()
        inside[attribute.name] = [value for value in inside.get(attribute.name, []) if value]

    # -- an attribute ----------------------------------------------------------------------------------

    def _remove(self, operation: Operation, inside: Resource, spot: Spot) -> None:
        attribute = cast("Attribute", spot.attribute)
        if attribute.required and spot.part is None:
            # RFC 7644 §3.5.2.2: a required attribute SHALL NOT become unassigned; scimType "mutability".
            raise ScimMutability(f"{attribute.name} is required")
        if spot.part is not None:
            held = inside.get(attribute.name)
            for value in held if isinstance(held, list) else [held] if held else []:
                value.pop(spot.part.name, None)
            if held == {}:
                del inside[attribute.name]
        elif operation.op == "remove" and attribute.multi and operation.value:
            unwanted = value_of(attribute, operation.value) or []
            inside[attribute.name] = [
                value
                for value in inside.get(attribute.name, [])
                if not any(_same(value, each) for each in unwanted)
            ]
        else:
            inside.pop(attribute.name, None)

    def _put(self, operation: Operation, inside: Resource, spot: Spot) -> None:
        attribute = cast("Attribute", spot.attribute)
        if spot.part is not None:
            read = value_of(spot.part, operation.value)
            held = inside.get(attribute.name) or ([{}] if attribute.multi else {})
            inside[attribute.name] = held
            for value in held if isinstance(held, list) else [held]:
                _assign(value, spot.part, read)
            return
        read = value_of(attribute, operation.value)
        if attribute.multi:
            self._put_values(operation, inside, attribute, read or [])
        elif attribute.type == "complex":
            # RFC 7644 §3.5.2.3: sub-attributes replace those that are there, the others stay.
            inside[attribute.name] = {**inside.get(attribute.name, {}), **(read or {})}
        elif read is not None:
            inside[attribute.name] = read

    def _put_values(
        self, operation: Operation, inside: Resource, attribute: Attribute, read: list[Resource]
    ) -> None:
        if operation.op == "replace":
            inside[attribute.name] = read
            return
        several: list[Resource] = inside.setdefault(attribute.name, [])
        known = {value.get("value"): value for value in several if "value" in value}
        changed: list[Resource] = []
        for value in read:
            before = known.get(value.get("value"))
            if before is not None and _same(before, value):
                before.update(value)  # it may have become the primary one
                changed.append(before)
            elif before is not None or value not in several:
                several.append(value)
                changed.append(value)
        _one_primary(several, changed)


def _empties(operation: Operation, attribute: Attribute) -> bool:
    """RFC 7643 §2.5: null and the empty list take a value away. Adding nothing does nothing."""
    return operation.op == "replace" and (
        operation.value is None or (attribute.multi and operation.value == [])
    )


def _assign(value: Resource, part: Attribute, read: Any) -> None:
    if read is None:
        value.pop(part.name, None)
    else:
        value[part.name] = read


def _same(one: Resource, other: Resource) -> bool:
    """Whether both are the same value: by ``value`` and, where both say so, by ``type``; else as a whole."""
    if "value" not in one or "value" not in other:
        return one == other
    alike = "type" not in one or "type" not in other or one["type"] == other["type"]
    return bool(one["value"] == other["value"]) and alike


def _one_primary(several: Sequence[Resource], changed: Sequence[Resource]) -> None:
    """RFC 7644 §3.5.2: a new primary value takes that from the one before."""
    if any(value.get("primary") is True for value in changed):
        for value in several:
            if value.get("primary") is True and not any(value is each for each in changed):
                value["primary"] = False


def _made_of(attribute: Attribute, condition: Filter) -> Resource:
    """The value that a condition describes: ``type eq "work"`` is ``{"type": "work"}``."""
    several = condition.filters if isinstance(condition, filters.All) else (condition,)
    made: Resource = {}
    for each in several:
        part = attribute.part(each.name.attribute) if isinstance(each, Compare) else None
        if not isinstance(each, Compare) or each.operator != "eq" or part is None:
            raise ScimNoTarget(f"no value of {attribute.name} fits the filter")
        _assign(made, part, one_of(part, each.value))
    return made
