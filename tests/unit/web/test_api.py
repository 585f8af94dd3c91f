"""The REST interface: shapes, pages, states that are named, requests that are repeated."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from gatekit.errors import ApiProblem, NotAcceptable
from gatekit.model.audit import AdminEvent
from gatekit.model.connections import StoredConnection
from gatekit.web.api.door import MAX_BODY, tag_of
from gatekit.web.api.openapi import PREFIX, document
from gatekit.web.api.operation import Paged, cursor, paged, uncursor
from gatekit.web.api.operations import OPERATIONS
from tests.support.administration import HERE, Administration, administration

RULE = "ada@example.com"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        yield found


@pytest.fixture
async def http(office: Administration) -> AsyncIterator[httpx2.AsyncClient]:
    async with await office.program("root", "owner") as program:
        yield program


def kind(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, body["type"].removeprefix("urn:gatekit:problem:")


# -- the description ---------------------------------------------------------------------------------------


async def test_the_description_is_public_and_complete(office: Administration) -> None:
    async with office.http() as stranger:
        answer = await stranger.get("/openapi.json")
    described = answer.json()
    assert described == msgspec.json.decode(
        msgspec.json.encode(document(OPERATIONS, "http://127.0.0.1:8080"))
    )
    listed = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert listed == {(o.method, PREFIX + o.path.replace(":path}", "}")) for o in OPERATIONS}
    assert "gk_adm_" not in re.sub(r"`[^`]*`", "", answer.text)


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    described = document(OPERATIONS, "https://gate.example")
    schemas = described["components"]["schemas"]
    for name in schemas:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
    text = msgspec.json.encode(described).decode()
    assert {reference for reference in re.findall(r'"#/components/schemas/([^"]+)"', text)} <= set(schemas)


def test_names_of_operations_are_unique() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", name) for name in names)


def test_whoever_takes_a_body_takes_nothing_unknown() -> None:
    """I24: a field allow-list, for every operation that there is and will be."""
    for operation in OPERATIONS:
        for shape in (operation.query, operation.body):
            assert shape is None or shape.__struct_config__.forbid_unknown_fields, operation.name


def test_what_changes_something_is_no_get_and_what_reads_needs_a_reading_permission() -> None:
    for operation in OPERATIONS:
        if operation.permission is not None:
            assert operation.permission.endswith(":write" if operation.changes else ":read"), operation.name


def test_problems_have_kinds_of_their_own() -> None:
    kinds = [problem.kind for problem in ApiProblem.__subclasses__()]
    assert len(set(kinds)) == len(kinds)


# -- bad requests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"{", JSON, (400, "bad-request")),
        (b"[]", JSON, (400, "bad-request")),
        (b'{"username": 1}', JSON, (400, "bad-request")),
        (b'{"username": "bob", "username": "eve"}', JSON, (400, "bad-request")),
        (b'{"username": "bob", "role": "owner"}', JSON, (400, "bad-request")),
        (b'{"username": "bob", "display_name": "a\\u0000b"}', JSON, (400, "bad-request")),
        (b'{"username": "\\ud800"}', JSON, (400, "bad-request")),
        (b'{"username": "Bob!"}', JSON, (422, "invalid-input")),
        (b'{"username": "bob", "groups": ["none"]}', JSON, (404, "not-found")),
        (b'{"username": "root"}', JSON, (409, "conflict")),
        (b'{"username": "bob"}', {}, (415, "media-type")),
        (b"username=bob", {"Content-Type": "application/x-www-form-urlencoded"}, (415, "media-type")),
        (b'{"username": "' + b"b" * MAX_BODY + b'"}', JSON, (413, "too-large")),
    ],
)
async def test_a_body_that_cannot_be_used(
    http: httpx2.AsyncClient, content: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """I17, I18: what is twice, unknown, or of another media type is refused."""
    before = (await http.get("/people")).json()
    answer = await http.post("/people", content=content, headers=headers)
    assert kind(answer) == expected, answer.text
    assert (await http.get("/people")).json() == before


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "limit=1&limit=2", "unknown=1", "disabled=maybe"],
)
async def test_a_parameter_that_cannot_be_used(http: httpx2.AsyncClient, query: str) -> None:
    assert kind(await http.get(f"/people?{query}")) == (400, "bad-request")


async def test_paths_and_methods_that_are_none(http: httpx2.AsyncClient) -> None:
    assert kind(await http.get("/nothing")) == (404, "not-found")
    assert kind(await http.get("/people/nobody")) == (404, "not-found")
    assert kind(await http.get("/people/a%0Ab")) == (404, "not-found")
    answer = await http.request("TRACE", "/people")
    assert kind(answer) == (405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}


async def test_remedies_of_the_command_line_are_left_out(http: httpx2.AsyncClient) -> None:
    detail = (await http.get("/people/nobody")).json()["detail"]
    assert detail == "there is no person called nobody"


async def test_an_answer_is_stored_nowhere(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/people")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers


# -- pages -------------------------------------------------------------------------------------------------


async def test_pages_have_everybody_once(office: Administration, http: httpx2.AsyncClient) -> None:
    for number in range(7):
        await office.person(f"p{number}")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = (await http.get("/people", params=query)).json()
        seen += [item["username"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == 3
        query["cursor"] = page["next_cursor"]
    assert seen == sorted([*(f"p{number}" for number in range(7)), "root"])


async def test_who_is_new_between_two_pages_disturbs_nobody(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    for name in ("b", "d", "f"):
        await office.person(name)
    first = (await http.get("/people?limit=2")).json()
    await office.person("a")
    second = (await http.get(f"/people?limit=9&cursor={first['next_cursor']}")).json()
    assert [item["username"] for item in first["items"] + second["items"]] == ["b", "d", "f", "root"]


def test_a_page_of_anything() -> None:
    rows = list("abcde")
    page = paged(rows, Paged(limit=2), str, str.upper)
    assert (page.items, page.next_cursor) == (("A", "B"), cursor("b"))
    assert paged(rows, Paged(limit=2, cursor=cursor("d")), str, str.upper).items == ("E",)
    assert paged(rows, Paged(limit=5), str, str).next_cursor is None


@pytest.mark.parametrize("text", ["!", "a", "gé", "_w"])
def test_a_cursor_that_was_made_up(text: str) -> None:
    with pytest.raises(NotAcceptable):
        uncursor(text)


async def test_the_trail_in_pages(http: httpx2.AsyncClient) -> None:
    for number in range(5):
        assert (await http.post("/groups", json={"name": f"g{number}"})).status_code == 201
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2, "event": "admin"}
    for _ in range(9):
        page = (await http.get("/audit", params=query)).json()
        seen += [item["target"] for item in page["items"] if item["action"] == "group.create"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == ["g4", "g3", "g2", "g1", "g0"]


# -- states ------------------------------------------------------------------------------------------------


async def test_a_change_of_what_somebody_else_changed_meanwhile(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    """RFC 9110 §13.1.1."""
    await office.person("alice")
    seen = (await http.get("/people/alice")).headers["ETag"]
    answer = await http.post("/people/alice/disable", headers={"If-Match": seen})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != seen
    assert kind(await http.delete("/people/alice", headers={"If-Match": seen})) == (412, "changed-meanwhile")
    weak = {"If-Match": f"W/{answer.headers['ETag']}"}
    assert (await http.delete("/people/alice", headers=weak)).status_code == 412
    several = {"If-Match": f'"other", {answer.headers["ETag"]}'}
    assert (await http.delete("/people/alice", headers=several)).status_code == 204
    assert (await http.get("/people/alice")).status_code == 404


async def test_being_seen_is_no_change(office: Administration, http: httpx2.AsyncClient) -> None:
    await office.person("alice")
    before = (await http.get("/people/alice")).headers["ETag"]
    await office.store.users.seen("usr_alice", 1_700_000_099)
    after = await http.get("/people/alice")
    assert after.json()["last_seen_at"] == "2023-11-14T22:14:59Z"
    assert after.headers["ETag"] == before


def test_a_tag_names_everything_else() -> None:
    class Thing(msgspec.Struct):
        name: str
        last_seen_at: int = 0

    assert tag_of(Thing("a")) == tag_of(Thing("a", 5)) != tag_of(Thing("b"))


# -- requests that are repeated ----------------------------------------------------------------------------


async def test_a_repeated_request_happens_once(office: Administration, http: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first = await http.post("/keys", json={"owner": "root", "name": "x"}, headers=headers)
    again = await http.post("/keys", json={"name": "x", "owner": "root"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json(), "with the secret that is shown once"
    assert len(await office.store.api_keys.list()) == 1


async def test_a_name_is_for_one_request(http: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    assert (await http.post("/groups", json={"name": "a"}, headers=headers)).status_code == 201
    assert kind(await http.post("/groups", json={"name": "b"}, headers=headers)) == (422, "invalid-input")
    assert kind(await http.post("/groups", json={"name": "b"}, headers={"Idempotency-Key": "a b"})) == (
        400,
        "bad-request",
    )


async def test_names_of_different_keys_are_different(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    headers = {"Idempotency-Key": "one"}
    assert (await http.post("/groups", json={"name": "a"}, headers=headers)).status_code == 201
    async with await office.program("second", "admin") as other:
        assert (await other.post("/groups", json={"name": "b"}, headers=headers)).status_code == 201


async def test_what_was_refused_may_be_tried_again(office: Administration, http: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    body = {"owner": "alice", "name": "x"}
    assert (await http.post("/keys", json=body, headers=headers)).status_code == 404
    await office.person("alice")
    assert (await http.post("/keys", json=body, headers=headers)).status_code == 201


async def test_many_at_once(office: Administration, http: httpx2.AsyncClient) -> None:
    """One of them happens, and all of them hear of that one."""
    headers = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(
        *(http.post("/keys", json={"owner": "root", "name": "x"}, headers=headers) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["token"] for answer in answers}) == 1
    assert len(await office.store.api_keys.list()) == 1


# -- operations --------------------------------------------------------------------------------------------


async def test_a_person_from_the_first_day_to_the_last(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    await http.post("/groups", json={"name": "dev", "title": "Developers"})
    made = await http.post("/people", json={"username": "ada", "email": "ada@example.com", "groups": ["dev"]})
    assert made.status_code == 201
    assert made.json()["groups"] == [{"group": "dev", "source": "local"}]
    invited = await http.post("/people/ada/invite", json={"valid_for": 3600})
    assert invited.json()["link"].startswith("http://127.0.0.1:8080/invite/gk_inv_")
    assert [item["username"] for item in (await http.get("/servers/echo/people")).json()["items"]] == [
        "ada",
        "root",
    ]
    assert (await http.post("/people/ada/disable")).json()["disabled"] is True
    assert [item["username"] for item in (await http.get("/servers/echo/people")).json()["items"]] == ["root"]
    assert (await http.get("/people", params={"disabled": "true"})).json()["items"][0]["username"] == "ada"
    assert (await http.post("/people/ada/enable")).json()["disabled"] is False
    assert (await http.delete("/people/ada")).status_code == 204
    assert (await http.get("/groups/dev")).json()["members"] == []


async def test_groups_within_groups(office: Administration, http: httpx2.AsyncClient) -> None:
    await office.person("alice")
    for name in ("all", "dev"):
        await http.post("/groups", json={"name": name})
    assert (await http.put("/groups/dev/members/alice")).status_code == 204
    assert (await http.put("/groups/all/groups/dev")).status_code == 204
    assert kind(await http.put("/groups/dev/groups/all")) == (409, "conflict")
    rule = await http.put("/groups/dev/rule", json={"selectors": [RULE]})
    assert rule.status_code == 200, rule.text
    shown = (await http.get("/groups/dev")).json()
    assert (shown["members"], shown["within"], shown["selectors"]) == (
        ["alice"],
        ["all"],
        [RULE],
    )
    assert (await http.delete("/groups/all/groups/dev")).status_code == 204
    assert (await http.delete("/groups/dev/members/alice")).status_code == 204
    assert (await http.delete("/groups/dev")).status_code == 204
    assert [item["name"] for item in (await http.get("/groups")).json()["items"]] == ["all"]


async def test_a_key_for_a_server_that_is_none(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/keys", json={"owner": "root", "name": "x", "servers": ["ecko"]})
    assert kind(answer) == (404, "not-found")


async def test_a_change_is_recorded_with_who_and_what(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    await http.post("/groups", json={"name": "dev", "title": "Developers"})
    (record,) = (await http.get("/audit", params={"event": "admin", "person": "root"})).json()["items"]
    assert (record["action"], record["target"], record["door"]) == ("group.create", "dev", "api")
    assert AdminEvent.__struct_config__.tag == record["event"]


CHANGES: list[tuple[str, str, str, Any]] = [
    ("people:write", "POST", "/people", {"username": "new"}),
    ("people:write", "PATCH", "/people/alice", {"display_name": "Alice"}),
    ("people:write", "POST", "/people/alice/disable", None),
    ("people:write", "POST", "/people/alice/enable", None),
    ("people:write", "POST", "/people/alice/invite", {}),
    ("roles:write", "PUT", "/people/alice/role", {"role": "auditor"}),
    ("sessions:write", "POST", "/people/alice/sign-out", None),
    ("groups:write", "POST", "/groups", {"name": "new"}),
    ("groups:write", "PUT", "/groups/dev/members/alice", None),
    ("groups:write", "PUT", "/groups/dev/rule", {"selectors": []}),
    ("keys:write", "POST", "/keys", {"owner": "alice", "name": "x"}),
    ("people:write", "POST", "/service-accounts", {"name": "robot"}),
    ("people:write", "DELETE", "/people/alice", None),
    ("groups:write", "DELETE", "/groups/dev", None),
]


@pytest.mark.parametrize(("scope", "method", "path", "body"), CHANGES)
async def test_a_scope_that_writes_is_enough(
    office: Administration, http: httpx2.AsyncClient, scope: str, method: str, path: str, body: Any
) -> None:
    """A change that was made is not answered with 403, because its answer looks at what it became."""
    await office.person("alice")
    await http.post("/groups", json={"name": "dev"})
    async with office.http(await office.key("root", [scope])) as narrow:
        answer = await narrow.request(method, path, json=body, headers={"If-Match": "*"})
        assert answer.is_success, answer.text
        if scope != "people:read":
            assert (await narrow.get("/people")).status_code == 403


async def test_a_record_names_request_and_key(office: Administration, http: httpx2.AsyncClient) -> None:
    await office.person("alice")
    made = await http.post("/people/alice/disable")
    records = (await http.get("/audit", params={"event": "admin", "limit": 1})).json()["items"]
    assert records[0]["request_id"] == made.headers["X-Request-Id"]
    assert records[0]["address"] == HERE
    assert records[0]["credential_id"] == (await office.store.admin_keys.list())[0].id
    await http.post("/keys", json={"owner": "root", "name": "x"})
    (record,) = (await http.get("/audit", params={"event": "key"})).json()["items"]
    assert record["credential_id"] == records[0]["credential_id"]


async def test_service_accounts(office: Administration, http: httpx2.AsyncClient) -> None:
    made = await http.post("/service-accounts", json={"name": "robot", "title": "Deploys"})
    assert (made.status_code, made.json()["username"]) == (201, "service:robot")
    assert (await http.post("/keys", json={"owner": "service:robot", "name": "x"})).status_code == 201
    (account,) = (await http.get("/service-accounts")).json()["items"]
    assert (account["name"], account["keys"]) == ("robot", 1)
    assert (await http.put("/people/service:robot/role", json={"role": "auditor"})).status_code == 200
    async with office.http(await office.key("service:robot")) as robot:
        assert (await robot.get("/people")).status_code == 200
        assert (await robot.post("/people", json={"username": "x"})).status_code == 403
    assert (await http.post("/people/service:robot/disable")).status_code == 200
    assert (await http.delete("/people/service:robot")).status_code == 204


async def test_another_address_and_name(office: Administration, http: httpx2.AsyncClient) -> None:
    await office.person("alice")
    changed = await http.patch("/people/alice", json={"email": "alice@example.com", "display_name": "Alice"})
    assert (changed.json()["email"], changed.json()["display_name"]) == ("alice@example.com", "Alice")
    kept = await http.patch("/people/alice", json={"display_name": ""})
    assert (kept.json()["email"], kept.json()["display_name"]) == ("alice@example.com", "")
    assert (await http.patch("/people/alice", json={"email": ""})).json()["email"] is None
    assert kind(await http.patch("/people/alice", json={"email": "x"})) == (422, "invalid-input")
    assert kind(await http.patch("/people/alice", json={"username": "x"})) == (400, "bad-request")


async def test_ways_of_signing_in(office: Administration, http: httpx2.AsyncClient) -> None:
    await office.person("alice")
    new = {"connection": "okta", "issuer": "https://acme.okta.example", "subject": "00u1", "login": "ada"}
    assert (await http.post("/people/alice/identities", json=new)).status_code == 201
    assert kind(await http.post("/people/alice/identities", json=new)) == (409, "conflict")
    listed = (await http.get("/people/alice/identities")).json()["items"]
    assert [row["connection"] for row in listed] == ["local", "okta"]
    assert "upstream" not in str(listed)
    assert (await http.delete("/people/alice/identities/okta")).status_code == 204
    assert kind(await http.delete("/people/alice/identities/local")) == (409, "conflict")


async def test_connections(office: Administration, http: httpx2.AsyncClient) -> None:
    (connection,) = (await http.get("/connections")).json()["items"]
    assert (connection["name"], connection["kind"], connection["enabled"]) == ("local", "local", True)
    shown = (await http.get("/connections/local")).json()
    assert shown == {**connection, "settings": {"type": "local"}}
    assert kind(await http.patch("/connections/local", json={"enabled": False})) == (409, "conflict")
    row = StoredConnection(name="acme", kind="okta", document_sealed="sealed")
    await office.store.connections.add(row)
    assert (await http.patch("/connections/acme", json={"enabled": False})).json()["enabled"] is False
    enabled = (await http.get("/connections", params={"enabled": "true"})).json()["items"]
    assert [item["name"] for item in enabled] == ["local"]
    assert (await http.delete("/connections/acme")).status_code == 204
    assert kind(await http.get("/connections/none")) == (404, "not-found")


ENTRY = {
    "type": "oidc",
    "issuer": "https://sso.example/realms/acme",
    "client_id": "gatekit",
    "client_secret": "hush-hush",
    "provisioning": {"token": "an-old-token-of-the-provider-0123456789"},
}


async def test_a_connection_is_added_shown_and_replaced(
    office: Administration, http: httpx2.AsyncClient
) -> None:
    """Its secrets go in and never come out."""
    added = await http.post("/connections", json={"name": "acme", "entry": ENTRY})
    assert added.status_code == 201, added.text
    assert added.json()["settings"]["client_secret"] == "***"
    shown = await http.get("/connections/acme")
    assert shown.json() == added.json()
    assert shown.headers["ETag"] == added.headers["ETag"]
    other = {**ENTRY, "client_secret": "other-secret", "domains": ["example.com"]}
    stale = {"If-Match": '"stale"'}
    answer = await http.put("/connections/acme", json={"entry": other}, headers=stale)
    assert kind(answer) == (412, "changed-meanwhile")
    current = {"If-Match": shown.headers["ETag"]}
    replaced = await http.put("/connections/acme", json={"entry": other}, headers=current)
    assert replaced.json()["settings"]["domains"] == ["example.com"]
    for text in (added.text, shown.text, replaced.text):
        assert not any(secret in text for secret in ("hush", "other-secret", "old-token"))
    again = await http.post("/connections", json={"name": "acme", "entry": ENTRY})
    assert kind(again) == (409, "conflict")
    saml = {"entry": {"type": "saml", "metadata": "https://idp.example/metadata"}}
    assert kind(await http.put("/connections/acme", json=saml)) == (409, "conflict")
    assert kind(await http.put("/connections/local", json={"entry": ENTRY})) == (409, "conflict")
    assert kind(await http.put("/connections/none", json={"entry": ENTRY})) == (404, "not-found")
    records = (await http.get("/audit", params={"event": "admin", "limit": 500})).json()["items"]
    told = [record for record in records if record["action"].startswith("connection.")]
    assert [record["action"] for record in told] == ["connection.replace", "connection.add"]
    assert "secret" not in str(told).replace("client_secret", "")
    async with await office.program("reader", "auditor") as auditor:
        assert (await auditor.get("/connections/acme")).json()["settings"]["client_secret"] == "***"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "http://sso.example"}, "must be https"),
        ({"colour": "red"}, "unknown key"),
        ({"client_secret": "${file:/etc/passwd}"}, "write the value"),
        ({"client_secret": "${env:HOME}"}, "write the value"),
        ({"scopes": ["openid", "${env:HOME}"]}, "scopes.1: references"),
        ({"client_secret": "***"}, "is not shown"),
        ({"type": "ldap", "ca_file": "/etc/passwd"}, "names a file of the gateway's machine"),
    ],
)
async def test_an_entry_that_cannot_be(http: httpx2.AsyncClient, change: dict[str, Any], why: str) -> None:
    answer = await http.post("/connections", json={"name": "acme", "entry": {**ENTRY, **change}})
    assert kind(answer) == (422, "invalid-input")
    assert why in answer.json()["detail"]
    assert "root:" not in answer.text
    assert (await http.get("/connections/acme")).status_code == 404


async def test_a_long_search_goes_on_where_it_was(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks for what is not there gets short pages, and does not keep the disk busy for minutes."""
    monkeypatch.setattr("gatekit.web.api.trail._PATIENCE", -1.0)
    await http.post("/groups", json={"name": "dev"})
    query: dict[str, Any] = {"event": "admin", "since": "2026-01-01T00:00:00Z", "limit": 5}
    pages: list[list[Any]] = []
    while True:
        page = (await http.get("/audit", params=query)).json()
        pages.append(page["items"])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(pages) > 3
    assert [item["action"] for page in pages for item in page] == ["group.create", "admin_key.create"]
