"""A client's JSON → a resource: canonical names, checked values, nothing empty, nothing that is not ours.

RFC 7643 §2.1: names are read without regard to case. RFC 7644 §3.3, §3.5.1: what is read-only is ignored.
What no schema knows is ignored as well: providers send attributes of their own to everybody.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from gatekit.errors import ScimSyntax, ScimValue
from gatekit.identity.scim.schema import COMMON, Attribute, Kind, find

Resource = dict[str, Any]

MAX_TEXT = 4096
MAX_BINARY = 64 * 1024
MAX_VALUES = 100
MAX_MEMBERS = 100_000


def resource_of(kind: Kind, data: Mapping[str, Any], *, partial: bool = False) -> Resource:
    """Raise ``ScimSyntax`` or ``ScimValue``. ``partial``: what is required may be missing (a patch)."""
    found: Resource = {}
    for key, value in unique_names(data).items():
        extension = kind.schema_of(key)
        if extension is kind.schema:
            # Some clients put the core attributes under their URN as well.
            found |= _attributes(kind.schema.attributes, _object(key, value))
        elif extension is not None:
            if inside := _attributes(extension.attributes, _object(key, value)):
                found[extension.urn] = inside
        elif (attribute := _writable(kind, key)) is not None:
            _set(found, attribute, value)
    if not partial:
        check(kind, found)
    return found


def check(kind: Kind, resource: Resource) -> None:
    """What holds for a whole resource. Raise ``ScimValue``."""
    for attribute in kind.schema.attributes:
        if attribute.required and not resource.get(attribute.name):
            raise ScimValue(f"{attribute.name} is required")
        value = resource.get(attribute.name)
        if isinstance(value, list) and len(value) > _limit(attribute):
            raise ScimValue(f"{attribute.name} may have {_limit(attribute)} values")
        if isinstance(value, list) and sum(_is_primary(each) for each in value) > 1:
            # RFC 7643 §2.4: true MUST appear no more than once.
            raise ScimValue(f"only one of {attribute.name} can be the primary one")


def value_of(attribute: Attribute, value: Any) -> Any:
    """A value of one attribute; None if it is empty (RFC 7643 §2.5). Raise ``ScimValue``."""
    if not attribute.multi:
        return one_of(attribute, value)
    several = value if isinstance(value, list) else [] if value is None else [value]
    if len(several) > _limit(attribute):
        raise ScimValue(f"{attribute.name} may have {_limit(attribute)} values")
    read = [one_of(attribute, each) for each in several]
    return [each for each in read if each is not None] or None


def one_of(attribute: Attribute, value: Any) -> Any:
    """One of its values."""
    if value is None:
        return None
    if attribute.type == "complex":
        return _complex(attribute, value)
    if attribute.type == "boolean":
        return _truth(attribute, value)
    if not isinstance(value, str):
        raise ScimValue(f"{attribute.name} must be a text")
    if attribute.type == "binary":
        return _binary(attribute, value)
    if len(value) > MAX_TEXT:
        raise ScimValue(f"{attribute.name} may have {MAX_TEXT} characters")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ScimValue(f"{attribute.name} holds what is no text")
    return value or None


def unique_names(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raise ``ScimSyntax`` if two names differ in case only: two readers would take different ones."""
    if len({key.lower() for key in data}) != len(data):
        raise ScimSyntax("an attribute is there twice")
    return data


def _attributes(known: Iterable[Attribute], data: Mapping[str, Any]) -> Resource:
    found: Resource = {}
    for key, value in data.items():
        attribute = find(known, key)
        if attribute is not None and attribute.mutability != "readOnly":
            _set(found, attribute, value)
    return found


def _set(found: Resource, attribute: Attribute, value: Any) -> None:
    read = value_of(attribute, value)
    if read is not None:
        found[attribute.name] = read


def _writable(kind: Kind, name: str) -> Attribute | None:
    attribute = find((*kind.schema.attributes, *COMMON), name)
    return attribute if attribute is not None and attribute.mutability != "readOnly" else None


def _limit(attribute: Attribute) -> int:
    return MAX_MEMBERS if attribute.name == "members" else MAX_VALUES


def _object(name: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ScimValue(f"{name[:100]} must be an object")
    return unique_names(value)


def _complex(attribute: Attribute, value: Any) -> Resource | None:
    if isinstance(value, str) and attribute.part("value") is not None:
        # Entra sends a manager as its identifier alone, others an e-mail address as a text.
        value = {"value": value}
    return _attributes(attribute.parts, _object(attribute.name, value)) or None


def _truth(attribute: Attribute, value: Any) -> bool:
    """Entra sends "True" and "False"."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ScimValue(f"{attribute.name} must be true or false")
    return value


def _binary(attribute: Attribute, value: str) -> str | None:
    """RFC 7643 §2.3.6."""
    if len(value) > MAX_BINARY:
        raise ScimValue(f"{attribute.name} may have {MAX_BINARY} characters")
    try:
        b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ScimValue(f"{attribute.name} must be base64") from None
    return value or None


def _is_primary(value: Any) -> bool:
    return isinstance(value, dict) and value.get("primary") is True
