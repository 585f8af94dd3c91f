"""Which request means which use case (RFC 7644 §3.2), for one resource, many, or several requests in one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from gatekit.admin.provisioning import Provider
from gatekit.admin.scim_search import Found, Question
from gatekit.errors import (
    ScimError,
    ScimFilter,
    ScimForbidden,
    ScimNotOffered,
    ScimStale,
    ScimSyntax,
    ScimUnknown,
    ScimValue,
)
from gatekit.identity.scim import bulk, discovery
from gatekit.identity.scim.patch import Operation, operations_of
from gatekit.identity.scim.read import resource_of
from gatekit.identity.scim.schema import GROUPS, KINDS, SCHEMAS, USERS, Kind
from gatekit.identity.scim.show import Selection, page, selection, shown
from gatekit.web.scim_answers import MethodRefused, answer, problem

Resource = dict[str, Any]

SEARCH_URN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
MAX_NAMES = 100
_VERSION = re.compile(r'(?:W/)?"(\d{1,18})"', re.ASCII)
_IDENT = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class Asked(Struct, frozen=True, kw_only=True):
    """A request without HTTP around it."""

    provider: Provider
    method: str
    path: tuple[str, ...]
    """``("Users", "usr_…")``."""
    params: dict[str, str]
    body: Callable[[], Awaitable[Resource]]
    """Reads it, once it is known that there is something to do with it."""
    spend: Callable[[int], None]
    """So many requests more. Raises ``ScimBusy``."""
    if_match: str = ""
    if_none_match: str = ""


class Resources(Protocol):
    """``admin.provisioning.ProvisionedPeople`` and ``admin.provisioned_groups.ProvisionedGroups``."""

    async def create(self, provider: Provider, resource: Resource) -> Resource: ...
    async def get(self, provider: Provider, ident: str, *, whole: bool = True) -> Resource: ...
    async def replace(
        self, provider: Provider, ident: str, resource: Resource, version: int | None
    ) -> Resource: ...
    async def patch(
        self, provider: Provider, ident: str, operations: Sequence[Operation], version: int | None
    ) -> Resource | None: ...
    async def delete(self, provider: Provider, ident: str, version: int | None) -> None: ...
    async def search(self, provider: Provider, question: Question, *, whole: bool = True) -> Found: ...


class ScimRequests:
    """Raises ``ScimError`` and what the use cases raise."""

    def __init__(self, people: Resources, groups: Resources) -> None:
        self._desks: dict[str, tuple[Kind, Resources, str]] = {
            "Users": (USERS, people, "groups"),
            "Groups": (GROUPS, groups, "members"),
        }

    async def handle(self, asked: Asked) -> Response:
        match asked.path:
            case ("Users" | "Groups",):
                return await self._many(asked)
            case ("Users" | "Groups", ".search"):
                _only(asked, "POST")
                return await self._search(asked, *_search_body(await asked.body()))
            case () | (".search",):
                return await self._everywhere(asked)
            case ("Users" | "Groups", ident):
                if not _IDENT.fullmatch(ident):
                    raise ScimUnknown("there is no such resource")
                return await self._one(asked, ident)
            case ("Bulk",):
                _only(asked, "POST")
                return await self._bulk(asked)
            case ("Me",):
                # RFC 7644 §3.11: a bearer that is a connection's is nobody's account.
                raise ScimNotOffered("the token belongs to a connection and not to a person")
            case _:
                return _discovered(asked)

    # -- one kind --------------------------------------------------------------------------------------

    async def _many(self, asked: Asked) -> Response:
        _only(asked, "GET", "POST")
        if asked.method == "GET":
            return await self._search(asked, *_search_params(asked.params))
        kind, desk, _ = self._desks[asked.path[0]]
        wanted = _selection(kind, asked)
        made = await desk.create(asked.provider, resource_of(kind, await asked.body()))
        return _resource(kind, made, wanted, 201)

    async def _one(self, asked: Asked, ident: str) -> Response:
        _only(asked, "GET", "PUT", "PATCH", "DELETE")
        kind, desk, linked = self._desks[asked.path[0]]
        wanted, version = _selection(kind, asked), _version(asked.if_match)
        if asked.method == "DELETE":
            await desk.delete(asked.provider, ident, version)
            return answer(None, 204)
        if asked.method == "GET":
            found = await desk.get(asked.provider, ident, whole=wanted.wants(linked))
            tag = found["meta"]["version"]
            if asked.if_none_match and tag in [each.strip() for each in asked.if_none_match.split(",")]:
                return answer(None, 304, ETag=tag)
            return _resource(kind, found, wanted, 200)
        if asked.method == "PUT":
            resource = resource_of(kind, await asked.body())
            return _resource(kind, await desk.replace(asked.provider, ident, resource, version), wanted, 200)
        changed = await desk.patch(asked.provider, ident, operations_of(await asked.body()), version)
        if changed is None:
            # RFC 7644 §3.5.2: 204 unless attributes were asked for. Thousands of members would go back else.
            if not wanted.narrowed:
                return answer(None, 204)
            changed = await desk.get(asked.provider, ident, whole=wanted.wants(linked))
        return _resource(kind, changed, wanted, 200)

    async def _search(
        self, asked: Asked, question: Question, only: Sequence[str], but: Sequence[str]
    ) -> Response:
        kind, desk, linked = self._desks[asked.path[0]]
        wanted = selection(kind, only, but)
        found = await desk.search(asked.provider, question, whole=wanted.wants(linked))
        more = {"nextCursor": found.cursor} if found.cursor else {}
        resources = [shown(kind, each, wanted) for each in found.resources]
        return answer(page(resources, found.total, found.start, **more))

    async def _everywhere(self, asked: Asked) -> Response:
        """RFC 7644 §3.4.2.1: users and groups at once, one kind after the other."""
        _only(asked, "POST" if asked.path else "GET")
        read = _search_body(await asked.body()) if asked.path else _search_params(asked.params)
        question, only, but = read
        if question.sort_by or question.cursor is not None:
            raise ScimNotOffered("an order or a cursor is for one kind of resource: ask at /Users or /Groups")
        resources: list[Resource] = []
        total, wrong = 0, list[ScimFilter]()
        for kind, desk, linked in self._desks.values():
            wanted = selection(kind, only, but)
            left = None if question.count is None else max(0, question.count - len(resources))
            here = replace(question, start=max(1, question.start - total), count=left)
            try:
                found = await desk.search(asked.provider, here, whole=wanted.wants(linked))
            except ScimFilter as error:  # §3.4.2.1: what the one kind does not have, the other may
                wrong.append(error)
                continue
            resources += [shown(kind, each, wanted) for each in found.resources]
            total += found.total
        if len(wrong) == len(self._desks):
            raise wrong[0]
        return answer(page(resources, total, question.start))

    # -- several in one --------------------------------------------------------------------------------

    async def _bulk(self, asked: Asked) -> Response:
        batch = bulk.bulk_of(await asked.body())
        asked.spend(len(batch.requests))  # several in one cost as much as one by one
        idents: dict[str, str] = {}
        done: dict[int, Resource] = {}
        errors = 0
        for at in bulk.ordered(batch.requests):
            request = batch.requests[at]
            done[at], failed = await self._of_bulk(asked, request, idents)
            errors += failed
            if batch.fail_on_errors and errors >= batch.fail_on_errors:
                break
        return answer(
            {"schemas": [bulk.ANSWER_URN], "Operations": [done[at] for at in sorted(done)]},
        )

    async def _of_bulk(
        self, asked: Asked, request: bulk.Request, idents: dict[str, str]
    ) -> tuple[Resource, bool]:
        """What is said of one operation, and whether it failed."""
        told: Resource = {"method": request.method}
        if request.bulk_id:
            told["bulkId"] = request.bulk_id
        kind, desk, _ = self._desks[request.path.removeprefix("/")]
        if request.ident and not request.ident.startswith("bulkId:"):
            told["location"] = f"{asked.provider.base}{request.path}/{request.ident[:200]}"
        try:
            status, made = await self._done(asked.provider, kind, desk, bulk.filled(request, idents))
        except ScimError as error:
            return {
                **told,
                "status": str(error.status),
                "response": problem(error.status, error.scim_type, str(error)),
            }, True
        if made is not None:
            told |= {"location": made["meta"]["location"], "version": made["meta"]["version"]}
            if request.bulk_id and request.method == "POST":
                idents[request.bulk_id] = str(made["id"])
        return {**told, "status": str(status)}, False

    async def _done(
        self, provider: Provider, kind: Kind, desk: Resources, request: bulk.Request
    ) -> tuple[int, Resource | None]:
        version = _version(request.version)
        if request.method == "DELETE":
            await desk.delete(provider, request.ident, version)
            return 204, None
        if not isinstance(request.data, dict):
            raise ScimSyntax("data must be an object")
        if request.method == "POST":
            return 201, await desk.create(provider, resource_of(kind, request.data))
        if request.method == "PUT":
            resource = resource_of(kind, request.data)
            return 200, await desk.replace(provider, request.ident, resource, version)
        operations = operations_of(request.data)
        changed = await desk.patch(provider, request.ident, operations, version)
        return 200, changed or await desk.get(provider, request.ident, whole=False)


# -- what a request says -----------------------------------------------------------------------------------


def _only(asked: Asked, *methods: str) -> None:
    if asked.method not in methods:
        raise MethodRefused(*methods)


def _selection(kind: Kind, asked: Asked) -> Selection:
    return selection(
        kind, *(_names(asked.params.get(name, "")) for name in ("attributes", "excludedAttributes"))
    )


def _search_params(params: dict[str, str]) -> tuple[Question, Sequence[str], Sequence[str]]:
    question = Question(
        filter=params.get("filter", ""),
        sort_by=params.get("sortBy", ""),
        descending=_descending(params.get("sortOrder", "")),
        start=max(1, _number("startIndex", params.get("startIndex", 1))),
        count=_number("count", params["count"]) if "count" in params else None,
        cursor=params.get("cursor"),
    )
    return question, _names(params.get("attributes", "")), _names(params.get("excludedAttributes", ""))


def _search_body(body: Resource) -> tuple[Question, Sequence[str], Sequence[str]]:
    """RFC 7644 §3.4.3: the same words in a body, lists as lists."""
    schemas = body.get("schemas")
    if not isinstance(schemas, list) or SEARCH_URN not in schemas:
        raise ScimSyntax(f"schemas must hold {SEARCH_URN}")
    params = {name: str(value) for name, value in body.items() if isinstance(value, str | int)}
    for name in ("attributes", "excludedAttributes"):
        listed = body.get(name)
        if listed is not None and not isinstance(listed, list):
            raise ScimValue(f"{name} must be a list")
        params[name] = ",".join(str(each) for each in listed or ())
    return _search_params(params)


def _names(text: str) -> Sequence[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) > MAX_NAMES:
        raise ScimValue(f"at most {MAX_NAMES} attributes can be named")
    return names


def _number(name: str, value: str | int) -> int:
    try:
        number = int(value)
    except ValueError:
        raise ScimValue(f"{name} must be a number") from None
    if abs(number) > 2**31:
        raise ScimValue(f"{name} must be a smaller number")
    return number


def _descending(order: str) -> bool:
    if order.lower() not in ("", "ascending", "descending"):
        raise ScimValue("sortOrder is ascending or descending")
    return order.lower() == "descending"


def _version(text: str) -> int | None:
    """Of ``If-Match``: RFC 7644 §3.14. What this server never said is no version of anything."""
    if text.strip() in ("", "*"):
        return None
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise ScimStale("it is not what If-Match says")
    return int(match[1])


def _resource(kind: Kind, resource: Resource, wanted: Selection, status: int) -> Response:
    meta = resource["meta"]
    headers = {"ETag": meta["version"], "Content_Location" if status == 200 else "Location": meta["location"]}
    return answer(shown(kind, resource, wanted), status, **headers)


# -- discovery ---------------------------------------------------------------------------------------------


def _discovered(asked: Asked) -> Response:
    """RFC 7644 §4."""
    base = asked.provider.base
    lists = {
        "ResourceTypes": {kind.name: discovery.resource_type(kind, base) for kind in KINDS},
        "Schemas": {schema.urn: discovery.schema_document(schema, base) for schema in SCHEMAS},
    }
    where, *which = asked.path
    if (where != "ServiceProviderConfig" and where not in lists) or len(which) > (where in lists):
        raise ScimUnknown("there is no such resource")
    _only(asked, "GET")
    if "filter" in asked.params:
        # §4: filters SHALL be refused here with 403.
        raise ScimForbidden("what is announced cannot be filtered")
    if where == "ServiceProviderConfig":
        return answer(discovery.service_provider(base))
    documents = lists[where]
    if not which:
        return answer(page(list(documents.values()), len(documents), 1))
    known = {name.lower(): document for name, document in documents.items()}
    if which[0].lower() not in known:
        raise ScimUnknown("there is no such resource")
    return answer(known[which[0].lower()])
