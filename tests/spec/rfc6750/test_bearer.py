"""RFC 6750: bearer tokens and challenges."""

from __future__ import annotations

import pytest

from gatekit.errors import TokenInvalid, TokenMalformed, TokenMissing
from gatekit.oauth.bearer import presented
from tests.attack.world import World


def test_2_1_syntax() -> None:
    assert presented([b"Bearer abc.DEF-_~+/="]) == ("Bearer", "abc.DEF-_~+/=")
    assert presented([b"bearer   abc  "]) == ("Bearer", "abc")
    for nothing in ([], [b""], [b"Basic abc"], [b"Bearerabc"], [b"Digest abc"]):
        with pytest.raises(TokenMissing):
            presented(nothing)
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
            presented([bad])
    for odd in ([b"Bearer a", b"Bearer a"], [b"Bearer " + b"a" * 9000]):
        with pytest.raises(TokenMalformed):
            presented(odd)


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
