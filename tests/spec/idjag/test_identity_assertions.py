"""draft-ietf-oauth-identity-assertion-authz-grant-04 with the MCP extension "enterprise-managed
authorization", as far as they bind the authorization server of the resource. In our words, by headings."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.model.oauth import JWT_BEARER
from tests.attack.asserting import assertion, bring, idp, world
from tests.attack.world import World
from tests.emulators.issuer import EmulatedIssuer

__all__ = ["idp", "world"]


async def error(world: World, written: str, client: str = "agent") -> Any:
    answer = await bring(world, written, client)
    assert answer.status_code == 400
    return answer.json()["error"]


async def test_the_type_of_the_jwt(world: World, idp: EmulatedIssuer) -> None:
    """Processing rules: typ MUST be oauth-id-jag+jwt."""
    for typ in ("JWT", None):
        assert await error(world, assertion(idp, {"typ": typ})) == "invalid_grant"
    whole = {"typ": "application/oauth-id-jag+jwt"}  # RFC 7515 §4.1.9: the same type, written out
    assert (await bring(world, assertion(idp, whole))).status_code == 200


async def test_the_audience_is_our_issuer(world: World, idp: EmulatedIssuer) -> None:
    """Processing rules: aud MUST be the issuer identifier of this server alone, or a list of just that."""
    assert await error(world, assertion(idp, aud="https://gate.example/token")) == "invalid_grant"
    assert (await bring(world, assertion(idp, aud=["https://gate.example"]))).status_code == 200


async def test_the_client_is_the_one_that_authenticated(world: World, idp: EmulatedIssuer) -> None:
    """Processing rules: the claim client_id MUST be the client that authenticates in the request."""
    assert await error(world, assertion(idp, client_id="other")) == "invalid_grant"
    assert await error(world, assertion(idp, client_id="agent"), "other") == "invalid_grant"


async def test_confidential_clients_only(world: World, idp: EmulatedIssuer) -> None:
    """Client authentication: SHOULD only be supported for confidential clients. Here: MUST."""
    async with world.http() as http:
        written = assertion(idp, client_id="public")
        form = {"grant_type": JWT_BEARER, "assertion": written, "client_id": "public"}
        answer = await http.post("/token", data=form)
    assert answer.json()["error"] == "unauthorized_client"


async def test_jti_counts_once(world: World, idp: EmulatedIssuer) -> None:
    """MCP extension: an assertion MUST NOT be accepted again before it expires."""
    written = assertion(idp)
    assert (await bring(world, written)).status_code == 200
    assert await error(world, written) == "invalid_grant"


async def test_the_token_is_for_the_resource(world: World, idp: EmulatedIssuer) -> None:
    """MCP extension: the access token MUST be restricted to the resource that the assertion names."""
    token = (await bring(world, assertion(idp))).json()["access_token"]
    assert await world.alive(token, "files")
    for elsewhere in ("clock", "vault", ""):
        assert not await world.alive(token, elsewhere)
    unknown = assertion(idp, jti="2", resource="https://elsewhere.example/mcp")
    assert await error(world, unknown) == "invalid_grant"


@pytest.mark.parametrize(
    ("said", "asked", "granted"),
    [
        ("mcp:read mcp:call", "", "mcp:read mcp:call"),
        ("mcp:read mcp:call", "mcp:read", "mcp:read"),
        ("mcp:read", "", "mcp:read"),
        ("mcp:read", "mcp:call", "mcp:read"),
        ("mcp:read openid", "offline_access", "mcp:read"),
        ("mcp", "mcp:read", "mcp:read"),
        ("mcp", "", "mcp:read mcp:call"),
        (None, "", "mcp:read mcp:call"),
    ],
)
async def test_the_scope(
    world: World, idp: EmulatedIssuer, said: str | None, asked: str, granted: str
) -> None:
    """Processing rules: what the assertion allows and the request asks for, never more than the former."""
    written = assertion(idp, scope=said)
    answer = await (bring(world, written, scope=asked) if asked else bring(world, written))
    assert answer.json()["scope"] == granted


async def test_no_refresh_token(world: World, idp: EmulatedIssuer) -> None:
    """Refresh tokens: SHOULD NOT; the identity provider is asked again each time."""
    assert "refresh_token" not in (await bring(world, assertion(idp))).json()


async def test_people_are_linked_by_issuer_and_subject(world: World, idp: EmulatedIssuer) -> None:
    """Subject: iss and sub name the person; an address does not."""
    first = (await bring(world, assertion(idp))).json()["access_token"]
    renamed = assertion(idp, jti="2", email="somebody@corp.example")
    second = (await bring(world, renamed)).json()["access_token"]
    other = (await bring(world, assertion(idp, jti="3", sub="other-id"))).json()["access_token"]
    names = [(await world.use(token)).json()["user"] for token in (first, second, other)]
    assert names[0] == names[1] != names[2]
