"""RFC 7662: token introspection."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.attack.world import LEDGER, REPORTS, World

BASIC = httpx2.BasicAuth("reports", "the secret of reports")
POST = {"client_id": "ledger", "client_secret": "the secret of ledger"}


async def ask(world: World, token: str, **more: str) -> httpx2.Response:
    """As the resource server ``reports``."""
    async with world.http() as http:
        return await http.post("/introspect", data={"token": token, **more}, auth=BASIC)


async def reports_tokens(world: World) -> dict[str, Any]:
    client = await world.register()
    return await world.tokens(client, resource=REPORTS.uri, scope="reports:read")


async def test_2_2_the_answer_for_a_living_token(asked: World) -> None:
    """ "active REQUIRED. Boolean indicator of whether or not the presented token is currently active." """
    client = await asked.register()
    tokens = await asked.tokens(client, resource=REPORTS.uri, scope="reports:read")
    answer = await ask(asked, tokens["access_token"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    now = int(asked.clock.now())
    assert found.pop("jti")
    assert found == {
        "active": True,
        "scope": "reports:read",
        "client_id": client["client_id"],
        "username": "alice",
        "token_type": "Bearer",
        "exp": now + 3600,
        "iat": now,
        "sub": asked.people["alice"].id,
        "aud": REPORTS.uri,
        "iss": asked.issuer,
        "auth_time": now,
    }


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
async def test_2_1_the_hint_is_only_a_hint(asked: World, hint: str) -> None:
    """ "If the server is unable to locate the token using the given hint, it MUST extend its search across
    all of its supported token types." """
    tokens = await reports_tokens(asked)
    assert (await ask(asked, tokens["access_token"], token_type_hint=hint)).json()["active"] is True


async def test_2_1_the_endpoint_requires_authorization(asked: World) -> None:
    """ "To prevent token scanning attacks, the endpoint MUST also require some form of authorization to
    access this endpoint" """
    token = (await reports_tokens(asked))["access_token"]
    public = await asked.register()
    tries: list[dict[str, Any]] = [
        {"data": {"token": token}},
        {"data": {"token": token, "client_id": "reports"}},
        {"data": {"token": token, "client_id": public["client_id"]}},
        {"data": {"token": token}, "auth": httpx2.BasicAuth("reports", "the secret of ledger")},
        {"data": {"token": token}, "auth": httpx2.BasicAuth("reports", "")},
        {"data": {"token": token}, "auth": httpx2.BasicAuth("nobody", "the secret of reports")},
        {"data": {"token": token, "client_id": "reports", "client_secret": "the secret of reports"}},
        {"data": {"token": token}, "auth": httpx2.BasicAuth("ledger", "the secret of ledger")},
        {"data": {"token": token}, "headers": {"authorization": f"Bearer {token}"}},
    ]
    async with asked.http() as http:
        for one in tries:
            refused = await http.post("/introspect", **one)
            assert refused.status_code == 401, one
            assert refused.json()["error"] == "invalid_client"
            assert "active" not in refused.text
            assert "www-authenticate" in refused.headers
        both = await http.post("/introspect", data={"token": token, **POST}, auth=BASIC)
        assert both.json()["error"] == "invalid_request"


async def test_2_1_only_post_and_only_a_form(asked: World) -> None:
    """ "The protected resource calls the introspection endpoint using an HTTP POST request with parameters
    sent as "application/x-www-form-urlencoded" data" """
    token = (await reports_tokens(asked))["access_token"]
    async with asked.http() as http:
        assert (await http.get("/introspect", params={"token": token}, auth=BASIC)).status_code == 405
        assert (await http.post("/introspect", json={"token": token}, auth=BASIC)).status_code == 400
        assert (await http.post("/introspect", params={"token": token}, auth=BASIC)).status_code == 400
        assert (await http.post("/introspect", data={"x": "y"}, auth=BASIC)).status_code == 400


async def test_2_2_a_token_that_is_not_active(asked: World) -> None:
    """ "the authorization server MUST return an introspection response with the "active" field set to
    "false". Note that to avoid disclosing too much of the authorization server's state to a third party, the
    authorization server SHOULD NOT include any additional information about an inactive token" """
    tokens = await reports_tokens(asked)
    own = (await asked.tokens(await asked.register()))["access_token"]
    for token in ("nonsense", "a.b.c", "gk_at_" + "x" * 43, "gk_rt_x", tokens["refresh_token"], own):
        answer = await ask(asked, token)
        assert (answer.status_code, answer.content) == (200, b'{"active":false}'), token
    asked.clock.advance(3600)
    assert (await ask(asked, tokens["access_token"])).content == b'{"active":false}'


async def test_4_a_revoked_token_is_not_active(asked: World) -> None:
    """ "If the token has been revoked after it was issued, the authorization server MUST be able to determine
    whether or not such a revocation has occurred." """
    client = await asked.register()
    tokens = await asked.tokens(client, resource=REPORTS.uri)
    assert (await ask(asked, tokens["access_token"])).json()["active"] is True
    async with asked.http() as http:
        await http.post("/revoke", data={"client_id": client["client_id"], "token": tokens["access_token"]})
    assert (await ask(asked, tokens["access_token"])).content == b'{"active":false}'


async def test_4_only_for_the_resource_server_that_asks(asked: World) -> None:
    """ "If the token can be used only at certain resource servers, the authorization server MUST determine
    whether or not the token can be used at the resource server making the introspection call." """
    client = await asked.register()
    for_reports = (await asked.tokens(client, resource=REPORTS.uri))["access_token"]
    for_ledger = (await asked.tokens(client, resource=LEDGER.uri))["access_token"]
    async with asked.http() as http:

        async def ledger_asks(token: str) -> dict[str, Any]:
            found: dict[str, Any] = (await http.post("/introspect", data={"token": token, **POST})).json()
            return found

        assert (await ledger_asks(for_ledger))["aud"] == LEDGER.uri
        assert await ledger_asks(for_reports) == {"active": False}
    assert (await ask(asked, for_ledger)).json() == {"active": False}
    assert (await ask(asked, for_reports)).json()["active"] is True


async def test_a_confidential_client_asks_about_its_own_tokens_and_no_others(asked: World) -> None:
    client = await asked.register(token_endpoint_auth_method="client_secret_post")
    other = await asked.register(token_endpoint_auth_method="client_secret_post")
    code = await asked.code(client)
    tokens = (await asked.redeem(client, code, client_secret=client["client_secret"])).json()
    async with asked.http() as http:

        async def asks(who: dict[str, Any], token: str) -> dict[str, Any]:
            data = {"token": token, "client_id": who["client_id"], "client_secret": who["client_secret"]}
            found: dict[str, Any] = (await http.post("/introspect", data=data)).json()
            return found

        access = await asks(client, tokens["access_token"])
        assert (access["active"], access["aud"], access["username"]) == (True, [asked.files], "alice")
        refresh = await asks(client, tokens["refresh_token"])
        assert (refresh["active"], refresh["client_id"], refresh["aud"]) == (
            True,
            client["client_id"],
            [asked.files],
        )
        assert "token_type" not in refresh
        for token in (tokens["access_token"], tokens["refresh_token"]):
            assert await asks(other, token) == {"active": False}
        secret = {"client_secret": client["client_secret"]}
        await asked.refresh(client, tokens["refresh_token"], **secret)
        assert await asks(client, tokens["refresh_token"]) == {"active": False}, "used"


async def test_3_the_endpoint_is_advertised(asked: World) -> None:
    """RFC 8414 §2: introspection_endpoint, introspection_endpoint_auth_methods_supported."""
    async with asked.http() as http:
        found = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert found["introspection_endpoint"] == f"{asked.issuer}/introspect"
    assert "none" not in found["introspection_endpoint_auth_methods_supported"]
    assert "client_secret_basic" in found["introspection_endpoint_auth_methods_supported"]
