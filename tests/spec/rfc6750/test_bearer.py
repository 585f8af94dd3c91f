"""RFC 6750: bearer tokens and challenges."""

from __future__ import annotations

import pytest

from gatekit.errors import TokenInvalid, TokenMalformed, TokenMissing
from gatekit.oauth.bearer import bearer_token
from tests.attack.world import World


def test_2_1_syntax() -> None:
    assert bearer_token([b"Bearer abc.DEF-_~+/="]) == "abc.DEF-_~+/="
    assert bearer_token([b"bearer   abc  "]) == "abc"
    for nothing in ([], [b""], [b"Basic abc"], [b"Bearerabc"], [b"DPoP abc"]):
        with pytest.raises(TokenMissing):
            bearer_token(nothing)
    for bad in (
        b"Bearer",
        b"Bearer ",
        b"Bearer a b",
        b"Bearer a,b",
        b"Bearer =a",
        b"Bearer a=b",
        b"Bearer \xff",
    ):
        with pytest.raises(TokenInvalid):
            bearer_token([bad])
    for odd in ([b"Bearer a", b"Bearer a"], [b"Bearer " + b"a" * 9000]):
        with pytest.raises(TokenMalformed):
            bearer_token(odd)


async def test_3_no_error_code_without_a_token(world: World) -> None:
    """ "If the request lacks any authentication information … the resource server SHOULD NOT include an error
    code or other error information." """
    bearer = world.server.bearer
    assert "error" not in bearer.challenge(TokenMissing("x"), "files")
    with_token = bearer.challenge(TokenInvalid('expired "now" \\ ü'), "files")
    assert 'error="invalid_token"' in with_token
    assert "error_description=\"expired 'now' ' '\"" in with_token
    assert bearer.challenge(TokenMissing(), "") == (
        'Bearer resource_metadata="https://gate.example/.well-known/oauth-protected-resource/mcp", '
        'scope="mcp:read mcp:call"'
    )
