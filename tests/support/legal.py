"""Messages that a revision allows, made up: from the official schemas, plus what every revision must let pass
(unknown fields, vendor ``_meta``, odd text, big numbers, deep nests)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

from hypothesis import strategies as st
from mcp_types import methods as official
from mcp_types import version as version_table
from pydantic import BaseModel, TypeAdapter

Draw = Callable[[st.SearchStrategy[Any]], Any]

LINES = ["a\r\nb", "\u2028\u2029", "\x00\x1f"]
ODD = ["", "é", "日本", "\u202e", "😀", "=?base64?YQ==?=", '"\\/', "\ufeff", *LINES]
TEXT = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 2**53, 2**63, 2**64, -(2**64), 10**30]),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NEST = st.integers(1, 30).map(lambda depth: _nest(depth))
VENDOR = st.dictionaries(
    st.sampled_from(["x-vendor", "com.example/key", "日本", "vendorField", "$weird"]),
    st.one_of(ANYTHING, NEST),
    max_size=2,
)
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
META = st.one_of(VENDOR, VENDOR.map(lambda kept: {**kept, **TRACE}))


def _nest(depth: int) -> Any:
    value: Any = [1]
    for level in range(depth):
        value = {"n": value} if level % 2 else [value]
    return value


@cache
def _schema(model: Any) -> dict[str, Any]:
    adapter = TypeAdapter(model)
    return dict(adapter.json_schema(by_alias=True))


@st.composite
def of(draw: Draw, model: Any) -> Any:
    """A value that ``model`` (of ``mcp_types``) describes, with some of its optional fields."""
    schema = _schema(model)
    return _made(draw, schema, schema.get("$defs", {}), 0)


def _made(draw: Draw, schema: Any, defs: dict[str, Any], depth: int) -> Any:  # noqa: C901 - the kinds of schema
    if not isinstance(schema, dict) or not schema:
        return draw(ANYTHING)
    if "$ref" in schema:
        return _made(draw, defs[schema["$ref"].rpartition("/")[2]], defs, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            choices = [each for each in schema[key] if each.get("type") != "null"]
            return _made(draw, draw(st.sampled_from(choices)), defs, depth)
    kind = schema.get("type")
    if kind == "object":
        return _object(draw, schema, defs, depth)
    if kind == "array":
        count = draw(st.integers(0, 2 if depth < 4 else 1))
        return [_made(draw, schema.get("items", {}), defs, depth + 1) for _ in range(count)]
    if kind == "string":
        return _string(draw, schema)
    if kind == "integer":
        return draw(st.integers(schema.get("minimum", 0), schema.get("maximum", 1000)))
    if kind == "number":
        return draw(st.floats(schema.get("minimum", 0), schema.get("maximum", 1), width=32))
    return draw(st.booleans()) if kind == "boolean" else draw(ANYTHING)


def _string(draw: Draw, schema: dict[str, Any]) -> str:
    form = schema.get("format")
    if form == "uri":
        return "https://x.example/" + str(draw(st.sampled_from(["", "a", "a%20b?c=d#e", "{x}"])))
    if form in ("byte", "base64"):
        return base64.b64encode(draw(st.binary(max_size=6))).decode()
    return str(draw(TEXT))


def _object(draw: Draw, schema: dict[str, Any], defs: dict[str, Any], depth: int) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    made = {}
    for name, inner in schema.get("properties", {}).items():
        if name == "_meta":
            if draw(st.integers(0, 3)) == 0:
                made[name] = draw(META)
        elif name in required or (depth < 4 and draw(st.integers(0, 2)) == 0):
            made[name] = _made(draw, inner, defs, depth + 1)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict) and draw(st.booleans()):
        made[draw(TEXT)] = _made(draw, extra, defs, depth + 1)
    elif extra in (None, True) and depth < 3 and draw(st.integers(0, 3)) == 0:
        made |= draw(VENDOR)
    return made


def params_model(request: type[BaseModel]) -> Any:
    return request.model_fields["params"].annotation if "params" in request.model_fields else None


@st.composite
def request_params(draw: Draw, method: str, version: str) -> dict[str, Any]:
    """Params of a client's request of this revision; the envelope keys of ``_meta`` are not among them."""
    model = params_model(official.CLIENT_REQUESTS[method, version])
    made = draw(of(model)) if model is not None else {}
    made = made if isinstance(made, dict) else {}
    meta = {k: v for k, v in draw(META).items() if k != "progressToken"}
    made.pop("_meta", None)
    if meta:
        made["_meta"] = meta
    for named in (made, made.get("ref", {})):
        for key in ("name", "uri"):
            if key in named:
                named[key] = named[key] or "unnamed"
    return {**draw(VENDOR), **made}


@st.composite
def result(draw: Draw, method: str, version: str) -> dict[str, Any]:
    """A result of this revision, never one that asks for input."""
    model = official.SERVER_RESULTS[method, version]
    choices = [each for each in get_args(model) or (model,) if "InputRequired" not in each.__name__]
    made = draw(of(choices[0]))
    if version in version_table.MODERN_PROTOCOL_VERSIONS:
        made["resultType"] = "complete"
    return {**draw(VENDOR), **made}
