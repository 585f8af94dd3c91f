"""The OpenAPI 3.1 document, written from the table of operations.

Nobody keeps it by hand, so it cannot be out of date: the structs that decode a body are the ones that
describe it. Its schemas are JSON Schema 2020-12, as OpenAPI 3.1 takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, get_args

import msgspec
from msgspec import Struct

from gatekit.admin.permissions import Permission
from gatekit.errors import ApiProblem
from gatekit.web.api.operation import Operation
from gatekit.web.api.problems import MEDIA, Problem

PREFIX = "/api/v1"
VERSION = "1.0"
"""Of the interface. Which Gatekit it is, strangers need not know."""
MAX_PLACE = 512
"""Characters of a name in a path."""

_REFERENCE = "#/components/schemas/{name}"
_PLACE = re.compile(r"\{(\w+)(?::path)?\}")
_JSON = "application/json"
_INTRODUCTION = """Administration of Gatekit by programs.

Every request carries an admin key: `Authorization: Bearer gk_adm_…`. It does what its scopes say and never
more than its owner may at that moment. Errors are problem details (RFC 9457). Lists come in pages: pass
`next_cursor` on as `cursor`. What can be changed has an `ETag`; with `If-Match` a change is refused (412) if
somebody else was faster. With `Idempotency-Key` a POST may be repeated for a day and happens once."""

_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "`ETag` of what you saw; 412 if it is another one now.",
    "schema": {"type": "string", "maxLength": 200},
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same name again within a day gives the same answer, and nothing happens twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}


def document(operations: Sequence[Operation], public_url: str) -> dict[str, Any]:
    """The whole description, ready for JSON."""
    schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = PREFIX + _PLACE.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gatekit", "version": VERSION, "description": _INTRODUCTION},
        "servers": [{"url": public_url}],
        "security": [{"adminKey": []}],
        "tags": [{"name": noun} for noun in dict.fromkeys(operation.noun for operation in operations)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "adminKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`gatekit admin-keys create NAME --scope …`; scopes are: "
                    + ", ".join(f"`{name}`" for name in get_args(Permission)),
                }
            },
            "schemas": {
                name: schema for name, schema in schemas.components.items() if name not in schemas.hidden
            },
        },
    }


class _Schemas(Struct):
    by_type: dict[int, dict[str, Any]]
    components: dict[str, Any]
    hidden: frozenset[str]
    """Queries: their fields stand among the parameters."""

    def of(self, kind: Any) -> dict[str, Any]:
        return self.by_type[id(kind)]

    def fields(self, query: type[Struct]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.components[query.__name__].get("properties", {})
        return found


def _schemas(operations: Iterable[Operation]) -> _Schemas:
    kinds: dict[int, Any] = {id(Problem): Problem}
    queries = set()
    for operation in operations:
        queries.add(operation.query)
        for kind in (operation.query, operation.body, operation.answer):
            if kind is not None:
                kinds.setdefault(id(kind), kind)
    found, components = msgspec.json.schema_components(list(kinds.values()), ref_template=_REFERENCE)
    tidy = {name: _tidied(schema) for name, schema in components.items()}
    return _Schemas(
        dict(zip(kinds, found, strict=True)), tidy, frozenset(query.__name__ for query in queries)
    )


def _tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """Docstrings keep their indentation in msgspec's schemas."""
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    return schema


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.noun],
        "summary": operation.summary,
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, schemas),
    }
    if operation.permission is not None:
        described["description"] = f"Needs the scope `{operation.permission}`."
        described["x-permission"] = operation.permission
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {_JSON: {"schema": schemas.of(operation.body)}},
        }
    return described


def _parameters(operation: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    places = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": MAX_PLACE},
        }
        for name in _PLACE.findall(operation.path)
    ]
    queries = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in schemas.fields(operation.query).items()
    ]
    headers = [_IF_MATCH] if operation.current is not None else []
    headers += [_IDEMPOTENCY] if operation.method == "POST" else []
    return [*places, *queries, *headers]


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    status = operation.status if operation.answer is not None else 204
    good: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if operation.answer is not None:
        good["content"] = {_JSON: {"schema": schemas.of(operation.answer)}}
    if operation.tagged:
        good["headers"] = {
            "ETag": {"description": "Names this state, for `If-Match`.", "schema": {"type": "string"}}
        }
    problem = {MEDIA: {"schema": schemas.of(Problem)}}
    titles = {kind.status: kind.title for kind in ApiProblem.__subclasses__()}
    refused = {str(code): {"description": titles[code], "content": problem} for code in statuses(operation)}
    return {str(status): good, **refused}


def statuses(operation: Operation) -> list[int]:
    """Of the problems that an operation may answer with."""
    found = {400, 401, 403, 429, 503}
    if _PLACE.search(operation.path) or operation.changes:
        found |= {404}
    if operation.changes:
        found |= {409, 422}
    asked = operation.query.__struct_fields__
    if "cursor" in asked:
        found |= {422}
    if "owner" in asked or "person" in asked:
        found |= {404}
    if operation.body is not None:
        found |= {413, 415}
    if operation.current is not None:
        found |= {412}
    return sorted(found)
