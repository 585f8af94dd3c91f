"""HTTP headers that repeat parts of the body (MCP 2026-07-28, Streamable HTTP §Request headers).

The body is the truth. The headers exist for things in between that do not read it, so a server that does
must refuse every request in which the two disagree: otherwise a proxy would authorise one tool while another
one runs. Names are lower-case bytes as ASGI delivers them, each with all its values.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from gatekit.errors import HeaderMismatch
from gatekit.protocol.methods import spec


class Headers(Protocol):
    """The headers of one request: every value of a name, in order; None or nothing if it is absent."""

    def get(self, name: bytes, /) -> Sequence[bytes] | None: ...


VERSION: Final = b"mcp-protocol-version"
METHOD: Final = b"mcp-method"
NAME: Final = b"mcp-name"
SESSION: Final = b"mcp-session-id"
PARAM_PREFIX: Final = b"mcp-param-"

ANNOTATION: Final = "x-mcp-header"
"""Key in a tool's input schema that asks for a ``Mcp-Param-*`` header."""

_SENTINEL = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_SAFE = re.compile(r"[\x20-\x7e]*")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_DECIMAL = re.compile(r"(-?[0-9]{1,4000})(?:\.0+)?")
_MAX_SCHEMA_DEPTH = 64


# -- one value ---------------------------------------------------------------------------------------------


def encode_value(value: str) -> str:
    """The header form of ``value``: itself, or ``=?base64?…?=`` where a field would not carry it unharmed."""
    if _SAFE.fullmatch(value) and value == value.strip(" ") and not _SENTINEL.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode_value(raw: bytes) -> str | None:
    """The value that a header stands for; None if its form is not the one that ``encode_value`` makes.

    Only the canonical base64 of a text is accepted, so that one value has one spelling.
    """
    text = raw.strip(b" \t").decode("latin-1")
    wrapped = _SENTINEL.fullmatch(text)
    if wrapped is None:
        return text if _SAFE.fullmatch(text) else None
    try:
        decoded = base64.b64decode(wrapped[1], validate=True)
        canonical = base64.b64encode(decoded).decode() == wrapped[1]
        return decoded.decode() if canonical else None
    except (binascii.Error, ValueError):
        return None


def single(headers: Headers, name: bytes) -> bytes | None:
    """The one value of a header without outer white space; None if absent.

    Raises HeaderMismatch if it was sent more than once: readers of the first and of the last would disagree.
    """
    values = headers.get(name)
    if not values:
        return None
    if len(values) > 1:
        raise HeaderMismatch(f"{_shown(name)} header appears more than once")
    return values[0].strip(b" \t")


def _shown(name: bytes) -> str:
    return {VERSION: "MCP-Protocol-Version"}.get(name, name.decode("latin-1").title())


# -- the routing headers -----------------------------------------------------------------------------------


def check_mirrored(headers: Headers, method: str, params: Mapping[str, Any], version: Any) -> None:
    """Compare ``MCP-Protocol-Version``, ``Mcp-Method`` and ``Mcp-Name`` with the body of a stateless request.

    ``version`` is the body's own ``_meta`` value. Raises HeaderMismatch.
    """
    sent = single(headers, VERSION)
    if sent is None or not isinstance(version, str) or sent != version.encode("utf-8", "replace"):
        raise HeaderMismatch("MCP-Protocol-Version header does not match the protocol version of the request")
    _compare(headers, METHOD, "Mcp-Method", method)
    row = spec(method)
    if row.mirrored:
        value = params.get(row.name_key)
        # A body without the name is refused later as invalid params, which says more.
        if isinstance(value, str):
            _compare(headers, NAME, "Mcp-Name", value)


def _compare(headers: Headers, name: bytes, shown: str, expected: str) -> None:
    raw = single(headers, name)
    if raw is None:
        raise HeaderMismatch(f"{shown} header is missing")
    if expected.isascii() and raw == expected.encode() and expected.isprintable() and raw[:1] != b"=":
        return  # nearly every request: the value stands for itself
    value = decode_value(raw)
    if value is None:
        raise HeaderMismatch(f"{shown} header is malformed")
    if value != expected:
        raise HeaderMismatch(f"{shown} header does not match the body of the request")


def mirror(method: str, params: Mapping[str, Any], version: str) -> dict[str, str]:
    """The headers that a stateless HTTP client (we, towards an upstream) must send with a request."""
    headers = {"MCP-Protocol-Version": version, "Mcp-Method": encode_value(method)}
    row = spec(method)
    value = params.get(row.name_key) if row.mirrored else None
    if isinstance(value, str):
        headers["Mcp-Name"] = encode_value(value)
    return headers


# -- Mcp-Param-* -------------------------------------------------------------------------------------------


class Declared(Struct, frozen=True):
    """One property of a tool's input that is mirrored as ``Mcp-Param-<token>``."""

    path: tuple[str, ...]
    token: str
    type: str


class Annotations(Struct, frozen=True):
    """The annotations of a schema; ``fault`` says why they are unusable (the tool then has none)."""

    declared: tuple[Declared, ...] = ()
    fault: str = ""


_ONE: Final = frozenset(
    (
        "items",
        "contains",
        "unevaluatedItems",
        "additionalProperties",
        "propertyNames",
        "unevaluatedProperties",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
    )
)
_DATA: Final = frozenset(("default", "enum", "const", "examples"))
_MANY: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED: Final = frozenset(("patternProperties", "dependentSchemas", "$defs", "definitions"))


def param_annotations(schema: Any) -> Annotations:
    """Read the ``x-mcp-header`` annotations of a tool's ``inputSchema``.

    Valid only on string, integer and boolean properties that a pure chain of ``properties`` reaches, with a
    token as name (RFC 9110 §5.6.2) that is unique regardless of case.
    """
    declared: dict[str, Declared] = {}
    for path, node in _positions(schema):
        if ANNOTATION not in node:
            continue
        token, kind = node[ANNOTATION], node.get("type")
        if not path:
            return Annotations(fault="on a position that properties alone do not reach")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return Annotations(fault="not a token")
        if kind not in ("string", "integer", "boolean"):
            return Annotations(fault="on a property that is not a string, integer or boolean")
        if token.lower() in declared:
            return Annotations(fault=f"{token!r} is used twice")
        declared[token.lower()] = Declared(path, token, kind)
    return Annotations(tuple(declared.values()))


def _positions(root: Any) -> Iterator[tuple[tuple[str, ...] | None, dict[str, Any]]]:
    """All schemas inside ``root``; the path is None where something else than ``properties`` was crossed.

    Values of ``default``, ``enum``, ``const`` and ``examples`` are data and are not entered; ``$ref`` is not
    followed.
    """
    stack: list[tuple[tuple[str, ...] | None, Any]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        for key, value in node.items():
            stack.extend(_below(path, key, value))


def _below(
    path: tuple[str, ...] | None, key: str, value: Any
) -> Iterable[tuple[tuple[str, ...] | None, Any]]:
    if key == "properties" and isinstance(value, dict):
        if path is None or len(path) >= _MAX_SCHEMA_DEPTH:
            return [(None, child) for child in value.values()]
        return [((*path, name), child) for name, child in value.items()]
    if key in _ONE:
        return [(None, value)]
    if key in _MANY and isinstance(value, list):
        return [(None, child) for child in value]
    if key in _NAMED and isinstance(value, dict):
        return [(None, child) for child in value.values()]
    return []


_MARK: Final = f'"{ANNOTATION}"'.encode()


def may_be_annotated(message: bytes) -> bool:
    """Whether an encoded ``tools/list`` can hold an annotation at all; nearly none does."""
    return _MARK in message


def usable_tools(body: Mapping[str, Any]) -> dict[str, Any]:
    """A ``tools/list`` result without unusable annotations, because of which a client would have to leave out
    the whole tool."""
    tools = body.get("tools")
    if not isinstance(tools, list):
        return dict(body)
    return {**body, "tools": [_usable(tool) for tool in tools]}


def _usable(tool: Any) -> Any:
    if not isinstance(tool, dict) or not param_annotations(tool.get("inputSchema")).fault:
        return tool
    return {**tool, "inputSchema": without_annotations(tool["inputSchema"])}


def without_annotations(schema: Any) -> Any:
    """``schema`` without a single annotation, wherever it stands."""
    if isinstance(schema, list):
        return [without_annotations(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in _DATA else _without(key, value)
        for key, value in schema.items()
        if key != ANNOTATION
    }


def _without(key: str, value: Any) -> Any:
    if (key == "properties" or key in _NAMED) and isinstance(value, dict):
        # The keys here are names of arguments, and one may be called like the annotation.
        return {name: without_annotations(child) for name, child in value.items()}
    return without_annotations(value)


def check_params(headers: Headers, arguments: Mapping[str, Any], declared: Iterable[Declared]) -> None:
    """Compare the ``Mcp-Param-*`` headers of a tools/call with its arguments. Raises HeaderMismatch.

    Both must be there and agree, or both be absent (``null`` counts as absent). Headers that no annotation
    declares are nobody's business here and pass.
    """
    for item in declared:
        shown = f"Mcp-Param-{item.token}"
        raw = single(headers, PARAM_PREFIX + item.token.lower().encode())
        value = _at(arguments, item.path)
        rendered = _render(value)
        if raw is None and rendered is None:
            continue
        if raw is None:
            raise HeaderMismatch(f"{shown} header is missing")
        if rendered is None:
            # A header for an argument that is not there: a proxy would route on a value nobody sent.
            raise HeaderMismatch(f"{shown} header has no argument in the body of the request")
        text = decode_value(raw)
        if text is None:
            raise HeaderMismatch(f"{shown} header is malformed")
        if text != rendered and not (item.type == "integer" and _same_integer(text, value)):
            raise HeaderMismatch(f"{shown} header does not match the body of the request")


def mirror_params(arguments: Mapping[str, Any], declared: Iterable[Declared]) -> dict[str, str]:
    """The ``Mcp-Param-*`` headers that an HTTP client (we, towards an upstream) must send."""
    found = ((item.token, _render(_at(arguments, item.path))) for item in declared)
    return {f"Mcp-Param-{token}": encode_value(text) for token, text in found if text is not None}


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    node = arguments
    for key in path:
        if not isinstance(node, Mapping):
            return None
        node = node.get(key)
    return node


def _render(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return None


def _same_integer(text: str, value: Any) -> bool:
    whole = _DECIMAL.fullmatch(text)
    if whole is None or isinstance(value, bool):
        return False
    if isinstance(value, float) and not value.is_integer():
        return False
    return isinstance(value, int | float) and int(whole[1]) == int(value)
