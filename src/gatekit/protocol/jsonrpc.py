"""The JSON-RPC 2.0 envelope: strict towards clients, lenient and cheap towards upstreams.

A client's message is judged by us and carried out by somebody else's parser. Whatever two parsers could read
differently is therefore refused here: duplicate keys, lone surrogates, ``NaN``, numbers that do not fit. Then
the message is encoded anew for the upstream, so that it sees what was judged and nothing else.

An upstream's line is only taken apart at the top level: ``params``, ``result`` and ``error`` stay raw bytes,
so that a result of many megabytes is copied and never built into objects.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import Counter
from typing import Any, Final, NoReturn

import msgspec
from msgspec import Raw, Struct

from gatekit.errors import InvalidParams, InvalidRequestFault, ParseFault, ProtocolFault
from gatekit.model.call import Large, Pieces

RequestId = str | int

MAX_DEPTH = 64
MAX_BATCH = 100
MAX_CONTAINERS = 1_000_000
"""Arrays and objects in one body; building more would hold up everybody else."""

_EXPLAINED: Final = 16384
"""Bytes up to which a body that is refused is read again, for the id and the log."""
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode = msgspec.json.Decoder().decode
_encoder = msgspec.json.Encoder()
_encode = _encoder.encode
_sorted = msgspec.json.Encoder(order="sorted")


class Request(Struct):
    """A request: exactly one answer carries its ``id``."""

    id: RequestId
    method: str
    params: dict[str, Any]


class Notification(Struct):
    """A message that nobody answers."""

    method: str
    params: dict[str, Any]


class Response(Struct):
    """A client's answer to a request of the server: exactly one of ``result`` and ``error`` is not None."""

    id: RequestId
    result: dict[str, Any] | None
    error: dict[str, Any] | None


Message = Request | Notification | Response


class Line(Struct):
    """One message of an upstream, taken apart at the top level only.

    A field that was absent is falsy. The ``Raw`` fields are views that keep the whole line alive: call
    ``.copy()`` on what is stored for longer than the message is handled.
    """

    id: str | int | float | None = None
    method: str = ""
    params: Raw = Raw()
    result: Raw = Raw()
    error: Raw = Raw()


# -- from clients ------------------------------------------------------------------------------------------


def decode_client(body: bytes, *, max_depth: int = MAX_DEPTH) -> Message | list[Message]:
    """Read what a client sent: one message, or a batch (2025-03-26), in strict mode.

    Integers of any size stay exact (up to 4300 digits, above that the text is refused). ``max_depth`` counts
    nested arrays and objects, the message itself being 1.

    Raises ParseFault (not JSON, or JSON that parsers read differently), InvalidRequestFault (not a message)
    and InvalidParams (senseless ``_meta``); ``request_id`` of the fault is the id to answer under, where one
    could be read.
    """
    # Brackets in all bound the depth from above, and two equal texts cannot differ in a dropped key: usual
    # messages pay for no more than that.
    if body.count(b"[") + body.count(b"{") > max_depth:
        _check_shape(body, max_depth)
    try:
        value = _decode(body)
    except _UNREADABLE as error:
        raise ParseFault("Parse error: not valid JSON", f"body is not strict JSON: {error}") from None
    again = _encode(value)
    if again != body:
        _check_duplicates(body, again, value)
    if type(value) is dict:
        return _message(value)
    if type(value) is list:
        return _batch(value)
    raise InvalidRequestFault("Invalid request: expected an object")


def _message(value: dict[str, Any]) -> Message:
    if value.get("jsonrpc") != "2.0":
        _refuse('jsonrpc must be "2.0"', value)
    if "method" not in value:
        return _response(value)
    method = value["method"]
    if type(method) is not str or not method:
        _refuse("method must be a string", value)
    if "result" in value or "error" in value:
        _refuse("a message is either a request or a response", value)
    params = value.get("params", _ABSENT)
    if params is _ABSENT:
        params = {}
    elif type(params) is not dict:
        # MCP, all revisions: params is an object; JSON-RPC's positional form is not used.
        _refuse("params must be an object", value)
    if "_meta" in params:
        _check_meta(params["_meta"], value)
    if "id" not in value:
        return Notification(method, params)
    request_id = value["id"]
    if type(request_id) is not str and type(request_id) is not int:
        _refuse("id must be a string or an integer", value)
    return Request(request_id, method, params)


_ABSENT: Final = object()


def _check_meta(meta: Any, value: dict[str, Any]) -> None:
    """``_meta`` is the one part of all params that the gateway itself reads and rewrites."""
    if type(meta) is not dict:
        raise _with_id(InvalidParams("Invalid params: _meta must be an object"), value)
    token = meta.get("progressToken", "")
    if type(token) is not str and type(token) is not int:
        raise _with_id(InvalidParams("Invalid params: progressToken must be a string or an integer"), value)


def _response(value: dict[str, Any]) -> Response:
    request_id = _readable_id(value)
    if request_id is None:
        _refuse("neither a request nor a response", value)
    result, error = value.get("result"), value.get("error")
    if ("result" in value) == ("error" in value):
        _refuse("a response has either a result or an error", value)
    if error is not None:
        if type(error) is not dict or type(error.get("code")) is not int:
            _refuse("error must be an object with an integer code", value)
        if type(error.get("message")) is not str:
            _refuse("error must have a message", value)
    elif type(result) is not dict:
        _refuse("result must be an object", value)
    return Response(request_id, result, error)


def _batch(items: list[Any]) -> list[Message]:
    """Take a batch as a whole or not at all: half a batch is not what the sender meant."""
    if not items:
        raise InvalidRequestFault("Invalid request: empty batch")  # JSON-RPC 2.0 §6
    if len(items) > MAX_BATCH:
        raise InvalidRequestFault(f"Invalid request: more than {MAX_BATCH} messages in a batch")
    messages: list[Message] = []
    seen: set[tuple[type, RequestId]] = set()
    for item in items:
        if type(item) is not dict:
            raise InvalidRequestFault("Invalid request: expected an array of objects")
        message = _message(item)
        messages.append(message)
        if isinstance(message, Request):
            key = (type(message.id), message.id)
            if key in seen:
                _refuse("id is used twice in the batch", item)
            seen.add(key)
    return messages


def _readable_id(value: dict[str, Any]) -> RequestId | None:
    request_id = value.get("id")
    return request_id if type(request_id) in (str, int) else None


def _refuse(why: str, value: dict[str, Any]) -> NoReturn:
    fault = InvalidRequestFault(f"Invalid request: {why}")
    # An unreadable id is answered with null (JSON-RPC 2.0 §5); a response is never answered by its id.
    fault.request_id = _readable_id(value) if "method" in value else None
    raise fault


# A body may hold millions of tiny objects, so the exact checks never walk them in Python. Both work on the
# text with its strings taken out.

_STRUCTURE: Final = bytes.maketrans(b"{}", b"[]")
_FILLING: Final = bytes(set(range(256)) - set(b'[]{}:"'))
_STRING: Final = re.compile(rb'"[^"]*"')


def _skeleton(text: bytes) -> bytes:
    """Only ``[``, ``]`` (braces are turned into them) and ``:`` of valid JSON, less those inside strings."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Most strings are now two quotes in a row. Taking out pairs also keeps the parity of the quotes around
    # a string that still holds something.
    text = text.translate(_STRUCTURE, _FILLING).replace(b'""', b"")
    return _STRING.sub(b"", text) if b'"' in text else text


def _check_shape(body: bytes, max_depth: int) -> None:
    """Refuse what is too deep or has too many parts, before anything is built of it.

    Exact for valid JSON. What is not valid JSON is refused here or by the decoder.
    """
    brackets = _skeleton(body).replace(b":", b"")
    if len(brackets) > 2 * MAX_CONTAINERS:
        raise ParseFault(f"Parse error: more than {MAX_CONTAINERS} arrays and objects")
    for _ in range(max_depth):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")  # one level, the innermost
    if brackets:
        fault = ParseFault(f"Parse error: not valid JSON, or nested deeper than {max_depth} levels")
        with contextlib.suppress(*_UNREADABLE):
            _with_id(fault, _decode(body) if len(body) <= _EXPLAINED else None)
        raise fault


def _check_duplicates(body: bytes, again: bytes, value: Any) -> None:
    """Refuse ``body`` if a key occurs twice in one of its objects.

    Of equal keys the decoder keeps one, so what it read, encoded ``again``, then has fewer members, each of
    which is one colon outside strings.
    """
    if _skeleton(body).count(b":") == _skeleton(again).count(b":"):
        return
    if len(body) > _EXPLAINED:
        raise ParseFault("Parse error: duplicate key")
    outermost, repeated = _repetition(body)
    fault = ParseFault("Parse error: duplicate key", f"duplicate key {repeated[:100]!r}")
    # Of several ids none is the sender's.
    raise _with_id(fault, value) if outermost.count("id") == 1 else fault


def _repetition(body: bytes) -> tuple[list[str], str]:
    """All keys of the outermost object, and one key that occurs twice somewhere."""
    outermost: list[str] = []
    repeated = ""

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal outermost, repeated
        outermost = [key for key, _ in pairs]
        if len(set(outermost)) != len(outermost):
            repeated = next(key for key, times in Counter(outermost).items() if times > 1)

    # Numbers are not looked at; the default would choke on long ones.
    json.loads(body, object_pairs_hook=note, parse_int=len, parse_float=len)
    return outermost, repeated


def _with_id(fault: ProtocolFault, value: Any) -> ProtocolFault:
    if type(value) is dict and "method" in value:
        fault.request_id = _readable_id(value)
    return fault


# -- from upstreams ----------------------------------------------------------------------------------------

_line = msgspec.json.Decoder(Line).decode
_BOM = b"\xef\xbb\xbf"


def decode_line(line: bytes) -> Line | None:
    """Read one message of an upstream; None if it is not a JSON object (stray output).

    Lenient where an official SDK would be, or where refusing would only leave a call without an answer:
    a byte-order mark, ``NaN``, lone surrogates and bytes that are not UTF-8 are replaced, unknown fields
    ignored. ``id`` comes back as an integer where it was spelt ``1.0``. The cost is that of one scan.
    """
    try:
        message = _line(line)
        if not line.isascii():
            line.decode()
    except _UNREADABLE:
        return _repair(line)
    return _tidy(message) if type(message.id) is float else message


def _repair(line: bytes) -> Line | None:
    text = line.removeprefix(_BOM).strip()
    if not text.startswith(b"{"):
        return None
    try:
        value = json.loads(text.decode("utf-8", "replace"), parse_constant=lambda _: None)
        dumped = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        # UTF-16 joins surrogates that make a pair and replaces the lonely ones.
        message = _line(dumped.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode())
    except (ValueError, RecursionError):
        return None
    return _tidy(message)


def _tidy(message: Line) -> Line:
    if type(message.id) is float:
        message.id = int(message.id) if message.id.is_integer() else None
    return message


def decode_object(raw: Raw | bytes | Large) -> dict[str, Any]:
    """Build the object that a ``Line`` left raw; an absent field gives ``{}``.

    Raises ParseFault if it is not an object or cannot be read.
    """
    if isinstance(raw, Large):
        raw = bytes(raw.pieces)
    if not raw:
        return {}
    try:
        value = _decode(raw)
    except _UNREADABLE as error:
        raise ParseFault("Parse error", f"upstream sent unreadable JSON: {error}") from None
    if type(value) is not dict:
        raise ParseFault("Parse error", "upstream sent something else than an object")
    return value


# -- encoding ----------------------------------------------------------------------------------------------


def encode_request(request_id: RequestId, method: str, params: dict[str, Any] | Raw) -> bytes:
    """A request as one line without its line feed."""
    head = b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":' % (_encode(request_id), _encode(method))
    return _close(head, params)


def encode_notification(method: str, params: dict[str, Any] | Raw) -> bytes:
    """A notification as one line without its line feed."""
    return _close(b'{"jsonrpc":"2.0","method":%b,"params":' % _encode(method), params)


def encode_result(request_id: RequestId, result: Raw | dict[str, Any] | Large) -> bytes:
    """A response as one line without its line feed."""
    if isinstance(result, Large):
        return bytes(encode_large(request_id, {}, result.pieces))
    return _close(b'{"jsonrpc":"2.0","id":%b,"result":' % _encode(request_id), result)


def encode_large(request_id: RequestId, tags: dict[str, Any], result: Pieces) -> Pieces:
    """A response like ``encode_result``, with ``tags`` in front of the members of an object that has some."""
    head = b'{"jsonrpc":"2.0","id":%b,"result":' % _encode(request_id)
    first, *rest = result.parts
    if tags:
        first = _encode(tags)[:-1] + b"," + first[first.index(b"{") + 1 :]
    return Pieces((head, first, *rest, b"}"))


def encode_fault(request_id: RequestId | None, code: int, message: str, data: Any = None) -> bytes:
    """An error response as one line without its line feed; ``data`` None is left out."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return _close(b'{"jsonrpc":"2.0","id":%b,"error":' % _encode(request_id), error)


def _close(head: bytes, body: Raw | dict[str, Any]) -> bytes:
    # One join, because a body may have many megabytes and every other way copies it twice.
    text = b"".join((head, (body or b"{}") if type(body) is Raw else _encode(body), b"}"))
    # In valid JSON a bare CR or LF is white space between tokens. It comes in with a Raw only, and would
    # break line framing and SSE.
    if b"\n" in text or b"\r" in text:
        return text.replace(b"\r", b" ").replace(b"\n", b" ")
    return text


def digest(value: Any) -> str:
    """``sha256:`` + hex over canonical JSON: UTF-8, compact, keys sorted by code point."""
    return "sha256:" + hashlib.sha256(_sorted.encode(value)).hexdigest()
