"""The REST interface: who gets in, and that nobody gets further than they may.

Row 24 is the chain of CVE-2026-47101, -47102 and -40217 (LiteLLM, 9.9): a low key that changes fields of its
own, ends as an administrator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatekit.admin.admin_keys import SCOPES
from gatekit.model.people import Role
from gatekit.platform.vault import token_hash
from gatekit.web.api.operation import Operation
from gatekit.web.api.operations import OPERATIONS
from tests.support.administration import HERE, Administration, administration


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        await found.person("root", "owner")
        yield found


def filled(operation: Operation) -> str:
    """The path, with names of nothing in its places."""
    path = operation.path.replace(":path}", "}")
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + "nothing" + rest.partition("}")[2]
    return path


async def send(http: httpx2.AsyncClient, operation: Operation) -> httpx2.Response:
    body = None if operation.body is None else {"no such field": 1}
    return await http.request(operation.method, filled(operation), json=body)


# -- who gets in -------------------------------------------------------------------------------------------


async def _nothing(office: Administration) -> httpx2.AsyncClient:
    return office.http()


async def _ordinary(office: Administration) -> httpx2.AsyncClient:
    return office.http(await office.ordinary_key("root"))


async def _made_up(office: Administration) -> httpx2.AsyncClient:
    return office.http("gk_adm_" + "A" * 43)


async def _revoked(office: Administration) -> httpx2.AsyncClient:
    issued = await office.issue("root")
    await office.store.admin_keys.revoke(issued.key.id, 1)
    return office.http(issued.token)


async def _expired(office: Administration) -> httpx2.AsyncClient:
    issued = await office.issue("root")
    async with office.store._database.transaction() as work:  # type: ignore[attr-defined]
        await work.all("UPDATE admin_keys SET expires_at = 1")
    return office.http(issued.token)


async def _disabled(office: Administration) -> httpx2.AsyncClient:
    await office.person("other", "owner")
    http = office.http(await office.key("root"))
    async with office.http(await office.key("other")) as other:
        assert (await other.post("/people/root/disable")).status_code == 200
    return http


async def _elsewhere(office: Administration) -> httpx2.AsyncClient:
    return office.http(await office.key("root", addresses=["198.51.100.0/24"]))


async def _in_the_query(office: Administration) -> httpx2.AsyncClient:
    http = office.http()
    http.params = httpx2.QueryParams({"access_token": await office.key("root")})
    return http


async def _twice(office: Administration) -> httpx2.AsyncClient:
    line = f"Bearer {await office.key('root')}"
    http = office.http()
    http.headers = httpx2.Headers([("Authorization", line), ("Authorization", line)])
    return http


async def _with_a_cookie(office: Administration) -> httpx2.AsyncClient:
    http = office.http()
    for name in ("__Host-gk_session", "gk_session", "session"):
        http.cookies.set(name, await office.key("root"))
    return http


STRANGERS: dict[str, Callable[[Administration], Awaitable[httpx2.AsyncClient]]] = {
    "nothing": _nothing,
    "an API key of an owner": _ordinary,
    "a key that was made up": _made_up,
    "revoked": _revoked,
    "expired": _expired,
    "of a disabled owner": _disabled,
    "from another network": _elsewhere,
    "in the query": _in_the_query,
    "two headers": _twice,
    "a cookie": _with_a_cookie,
}


@pytest.mark.parametrize("who", STRANGERS)
async def test_nobody_gets_in_without_a_good_admin_key(office: Administration, who: str) -> None:
    """I12, T9: every operation asks for the key first, and says the same to everybody who has none."""
    async with await STRANGERS[who](office) as http:
        texts = set()
        for operation in OPERATIONS:
            answer = await send(http, operation)
            assert answer.status_code == 401, (operation.name, answer.text)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
            assert answer.headers["Content-Type"] == "application/problem+json"
            texts.add(answer.json()["detail"])
    assert len(texts) == 1


async def test_an_admin_key_opens_no_server(office: Administration) -> None:
    """R4: an admin key is no access token and no API key."""
    async with office.http(await office.key("root")) as http:
        answer = await http.post("http://127.0.0.1:8080/s/echo/mcp", json={})
    assert answer.status_code == 401


async def test_only_the_hash_of_a_key_is_stored(office: Administration, tmp_path: Path) -> None:
    """B9: an admin key, and what an Idempotency-Key remembers of secrets, cannot be read from the files."""
    token = await office.key("root")
    async with office.http(token) as http:
        again = {"Idempotency-Key": "one"}
        made = await http.post("/keys", json={"owner": "root", "name": "x"}, headers=again)
        secret = made.json()["token"]
        assert (await http.post("/keys", json={"owner": "root", "name": "x"}, headers=again)).json() == (
            made.json()
        )
    assert (await office.store.admin_keys.by_hash(token_hash(token))) is not None
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert token.encode() not in data, path
            assert secret.encode() not in data, path


async def test_guesses_are_bounded_and_do_not_lock_anybody_out(office: Administration) -> None:
    """U1: after many wrong keys from one network it is told to wait, and the right one still gets in."""
    async with office.http("gk_adm_wrong") as http:
        statuses = [(await http.get("/me")).status_code for _ in range(1500)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    async with office.http(await office.key("root")) as http:
        assert (await http.get("/me")).status_code == 200


# -- how far ---------------------------------------------------------------------------------------------

ALLOWED: dict[Role, Callable[[Operation], bool]] = {
    "member": lambda operation: operation.name == "me.get",
    "auditor": lambda operation: operation.method == "GET",
    "admin": lambda operation: operation.name.partition(".")[0] != "connections" or operation.method == "GET",
    "owner": lambda operation: True,
}
"""Written down a second time on purpose: an operation that gets the wrong permission shows here."""


@pytest.mark.parametrize("role", ALLOWED)
async def test_what_each_role_may(office: Administration, role: Role) -> None:
    """I12: role by operation, with a key that has every scope."""
    wrong = []
    async with await office.program("probe", role) as http:
        for operation in OPERATIONS:
            refused = (await send(http, operation)).status_code == 403
            if refused is ALLOWED[role](operation):
                wrong.append(operation.name)
    assert not wrong


async def test_a_scope_that_the_key_has_not(office: Administration) -> None:
    """I12, T5: an owner's key does what its scopes say, operation by operation."""
    wrong = []
    for operation in OPERATIONS:
        if operation.permission is None:
            continue
        others = [scope for scope in SCOPES if scope != operation.permission]
        async with office.http(await office.key("root", others)) as http:
            answer = await send(http, operation)
        if answer.status_code != 403 or operation.permission not in answer.json()["detail"]:
            wrong.append((operation.name, answer.status_code))
    assert not wrong


async def test_a_refusal_is_on_record(office: Administration) -> None:
    """I12: who was refused what, and with which key."""
    async with await office.program("carol", "member") as http:
        assert (await http.get("/people")).status_code == 403
    async with office.http(await office.key("root")) as http:
        records = (await http.get("/audit", params={"event": "refused"})).json()["items"]
    assert records[0]["principal"] == "carol"
    assert records[0]["address"] == HERE
    assert records[0]["status"] == 403
    assert "people:read" in records[0]["reason"]


# -- nobody raises themselves ------------------------------------------------------------------------------


async def test_no_field_gives_a_role(office: Administration) -> None:
    """I24: a field that is not described is refused, not ignored, so nothing slips in beside the others."""
    async with await office.program("eve", "admin") as http:
        for extra in ({"role": "owner"}, {"id": "usr_root"}, {"disabled": False}, {"connection": "x"}):
            answer = await http.post("/people", json={"username": "mallory", **extra})
            assert answer.status_code == 400, extra
        assert (await http.get("/people/mallory")).status_code == 404


async def test_nobody_changes_their_own_role(office: Administration) -> None:
    """I24: not up and not down, not even an owner."""
    await office.person("second", "owner")
    async with await office.program("eve", "admin") as eve, office.http(await office.key("root")) as root:
        for role in ("owner", "admin", "member"):
            assert (await eve.put("/people/eve/role", json={"role": role})).status_code == 403
            assert (await root.put("/people/root/role", json={"role": role})).status_code == 403


async def test_an_admin_makes_no_admins(office: Administration) -> None:
    """I24: neither somebody else, who would raise them in turn, nor a friend of theirs."""
    await office.person("friend")
    async with await office.program("eve", "admin") as http:
        for role in ("admin", "owner"):
            assert (await http.put("/people/friend/role", json={"role": role})).status_code == 403
        assert (await http.put("/people/friend/role", json={"role": "auditor"})).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/people/root/disable", None),
        ("POST", "/people/root/invite", {}),
        ("POST", "/people/root/sign-out", None),
        ("PUT", "/people/root/role", {"role": "member"}),
        ("DELETE", "/people/root", None),
        ("POST", "/keys", {"owner": "root", "name": "mine now"}),
    ],
)
async def test_nobody_acts_on_a_higher_role(
    office: Administration, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """I24: an invite of an owner would be the owner's new password, and a key would be the owner."""
    await office.person("second", "owner")
    async with await office.program("eve", "admin") as http:
        answer = await http.request(method, path, json=body)
    assert answer.status_code == 403, answer.text


async def test_a_key_opens_no_way_to_be_somebody_who_may_more(office: Administration) -> None:
    """I24: a key for `people:write` invites no owner, its own least of all, and links nobody to them: who
    signs in as them has every scope."""
    await office.person("eve", "admin")
    await office.person("audrey", "auditor")
    await office.person("alice")
    away = {"connection": "okta", "issuer": "https://okta.example", "subject": "mallory"}
    async with office.http(await office.key("root", ["people:write", "people:read"])) as http:
        for name in ("root", "eve", "audrey"):
            assert (await http.post(f"/people/{name}/invite", json={})).status_code == 403, name
            assert (await http.post(f"/people/{name}/identities", json=away)).status_code == 403, name
        assert (await http.post("/people/alice/invite", json={})).status_code == 201
        assert (await http.post("/people/alice/identities", json=away)).status_code == 201


async def test_a_group_gives_no_role_without_the_scope(tmp_path: Path) -> None:
    """I24: where the file makes admins of a group, who may fill groups may not thereby make admins."""
    roles = {"owner": ["root"], "admin": ["group:ops"]}
    auth = {"enabled": True, "provider": "local", "allowed_users": ["*"], "roles": roles}
    async with administration(tmp_path, auth=auth) as office:
        await office.person("root")
        await office.person("mallory")
        async with office.http(await office.key("root")) as http:
            assert (await http.post("/groups", json={"name": "ops"})).status_code == 201
        for scopes, status in ((["groups:write"], 403), (["groups:write", "roles:write"], 204)):
            async with office.http(await office.key("root", scopes)) as http:
                assert (await http.put("/groups/ops/members/mallory")).status_code == status, scopes


async def test_a_key_makes_no_admin_keys(office: Administration) -> None:
    """I24: a leaked key must end when it is revoked, so it cannot leave another one behind."""
    makers = [
        operation.name
        for operation in OPERATIONS
        if operation.path.startswith("/admin-keys") and operation.method != "GET"
    ]
    assert makers == ["admin_keys.revoke"]
    async with office.http(await office.key("root")) as http:
        answer = await http.post(
            "/admin-keys", json={"owner": "root", "name": "x", "scopes": ["people:read"]}
        )
    assert answer.status_code == 405


async def test_whoever_loses_the_role_loses_the_power_of_the_key(office: Administration) -> None:
    """I24, R6: the role counts at the moment of the request, not when the key was made."""
    async with await office.program("eve", "admin") as eve, office.http(await office.key("root")) as root:
        assert (await eve.get("/people")).status_code == 200
        assert (await root.put("/people/eve/role", json={"role": "member"})).status_code == 200
        assert (await eve.get("/people")).status_code == 403
        assert (await eve.get("/me")).json()["scopes"] == []


async def test_a_revoked_key_ends_at_once(office: Administration) -> None:
    """T7: the next request is refused, also of the key that revokes itself."""
    issued = await office.issue("root")
    async with office.http(issued.token) as http:
        assert (await http.delete(f"/admin-keys/{issued.key.id}")).status_code == 204
        assert (await http.get("/me")).status_code == 401


async def test_sessions_of_one_person_are_not_ended_under_the_name_of_another(office: Administration) -> None:
    """B7: the name of a session belongs to its person."""
    await office.person("alice")
    async with office.http(await office.key("root")) as http:
        assert (await http.delete("/people/alice/sessions/0123456789abcdef")).status_code == 404
