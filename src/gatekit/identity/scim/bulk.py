"""Several requests in one (RFC 7644 §3.7): checked as a whole, put in order, with ``bulkId`` filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gatekit.errors import ScimSyntax, ScimTooLarge, ScimUnresolved, ScimValue
from gatekit.identity.scim.discovery import MAX_BULK_OPERATIONS
from gatekit.identity.scim.read import unique_names

BULK_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ANSWER_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_REFERENCE = "bulkId:"
_PATH = re.compile(r"/(Users|Groups)(?:/([^/?#]+))?", re.ASCII)


class Request(Struct, frozen=True):
    method: str
    path: str
    """``/Users`` or ``/Groups``."""
    ident: str = ""
    """What of it; may be ``bulkId:…``."""
    bulk_id: str = ""
    version: str = ""
    data: Any = None


class Bulk(Struct, frozen=True):
    requests: tuple[Request, ...]
    fail_on_errors: int
    """Stop after that many errors; 0: never."""


def bulk_of(body: Mapping[str, Any]) -> Bulk:
    """Raise ``ScimSyntax``, ``ScimValue`` or ``ScimTooLarge``."""
    named = {key.lower(): value for key, value in unique_names(body).items()}
    schemas, listed = named.get("schemas"), named.get("operations")
    if not isinstance(schemas, list) or BULK_URN.lower() not in [str(urn).lower() for urn in schemas]:
        raise ScimSyntax(f"schemas must hold {BULK_URN}")
    if not isinstance(listed, list) or not listed:
        raise ScimSyntax("Operations must be a list of operations")
    if len(listed) > MAX_BULK_OPERATIONS:
        raise ScimTooLarge(f"at most {MAX_BULK_OPERATIONS} operations at once")
    limit = named.get("failonerrors", 0)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ScimValue("failOnErrors must be a number")
    requests = tuple(_request(each) for each in listed)
    known = [request.bulk_id for request in requests if request.bulk_id]
    if len(known) != len(set(known)):
        raise ScimValue("a bulkId is there twice")
    return Bulk(requests, limit)


def wanted(request: Request) -> frozenset[str]:
    """The ``bulkId``s that a request refers to."""
    found: set[str] = set()
    if request.ident.startswith(_REFERENCE):
        found.add(request.ident.removeprefix(_REFERENCE))
    _collect(request.data, found)
    return frozenset(found)


def filled(request: Request, idents: Mapping[str, str]) -> Request:
    """With identifiers in place of references. Raise ``ScimUnresolved`` for one that nothing was
    made for: what should have made it failed, or waits for this one (RFC 7644 §3.7.1)."""
    if missing := wanted(request) - idents.keys():
        raise ScimUnresolved(f"nothing was made for bulkId:{min(missing)[:100]}")
    ident = request.ident
    if ident.startswith(_REFERENCE):
        ident = idents[ident.removeprefix(_REFERENCE)]
    return Request(
        request.method,
        request.path,
        ident,
        request.bulk_id,
        request.version,
        _replaced(request.data, idents),
    )


def ordered(requests: tuple[Request, ...]) -> tuple[int, ...]:
    """In which order to do them: as they stand, but what is referred to comes first (RFC 7644 §3.7.1).

    Two that refer to each other stay in their order, and the first of them fails.
    """
    makes = {request.bulk_id: at for at, request in enumerate(requests) if request.bulk_id}
    waits = [
        {makes[each] for each in wanted(request) if each in makes} - {at}
        for at, request in enumerate(requests)
    ]
    waited_for: dict[int, list[int]] = {}
    for at, others in enumerate(waits):
        for other in others:
            waited_for.setdefault(other, []).append(at)
    done: list[int] = []
    placed: set[int] = set()
    for first in range(len(requests)):
        ready = [first] if not waits[first] else []
        while ready:
            at = ready.pop()
            if at in placed:
                continue
            placed.add(at)
            done.append(at)
            for later in reversed(waited_for.get(at, [])):
                waits[later].discard(at)
                if not waits[later] and later < first:
                    ready.append(later)
    return (*done, *(at for at in range(len(requests)) if at not in placed))


def _request(data: Any) -> Request:
    if not isinstance(data, dict):
        raise ScimSyntax("an operation is an object")
    named = {key.lower(): value for key, value in unique_names(data).items()}
    method, path = named.get("method"), named.get("path")
    bulk_id, version = named.get("bulkid") or "", named.get("version") or ""
    if not isinstance(method, str) or method.upper() not in METHODS:
        raise ScimSyntax("method must be POST, PUT, PATCH or DELETE")
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    if match is None or not isinstance(bulk_id, str) or not isinstance(version, str):
        raise ScimSyntax("path must lead to /Users or /Groups; bulkId and version are texts")
    creates = method.upper() == "POST"
    if creates != (match[2] is None):
        raise ScimSyntax("POST goes to a list, everything else to one resource")
    if creates and not bulk_id:
        raise ScimSyntax("POST needs a bulkId")  # RFC 7644 §3.7: REQUIRED when "method" is "POST"
    return Request(method.upper(), f"/{match[1]}", match[2] or "", bulk_id, version, named.get("data"))


def _collect(data: Any, found: set[str]) -> None:
    waiting = [data]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and each.startswith(_REFERENCE):
            found.add(each.removeprefix(_REFERENCE))


def _replaced(data: Any, idents: Mapping[str, str]) -> Any:
    if isinstance(data, dict):
        return {key: _replaced(value, idents) for key, value in data.items()}
    if isinstance(data, list):
        return [_replaced(value, idents) for value in data]
    if isinstance(data, str) and data.startswith(_REFERENCE):
        return idents[data.removeprefix(_REFERENCE)]
    return data
