"""P1: proof of possession (RFC 9449), from the side of somebody who has a token and not its key."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.errors import StoreFull
from gatekit.model.audit import TokenEvent
from gatekit.oauth.server import AuthorizationServer
from tests.attack.bound import call, proof_for, redeem, refresh, token_request, tokens
from tests.attack.world import VERIFIER, World, world_in
from tests.support.proofs import Holder

MCP = "/s/files/mcp"


@pytest.fixture
async def client(world: World) -> dict[str, Any]:
    return await world.register()


@pytest.fixture
def holder() -> Holder:
    return Holder()


@pytest.fixture
async def token(world: World, client: dict[str, Any], holder: Holder) -> str:
    found = await tokens(world, client, holder)
    assert found["token_type"] == "DPoP"
    return str(found["access_token"])


def good(world: World, holder: Holder, token: str, **changes: Any) -> str:
    return holder.proof("POST", f"{world.issuer}{MCP}", world.clock.now(), token, **changes)


async def refused(world: World, token: str, *proofs: str, error: str = "invalid_dpop_proof") -> None:
    answer = await call(world, token, list(proofs))
    challenge = answer.headers["www-authenticate"]
    assert answer.status_code == 401, answer.text
    assert challenge.startswith("DPoP ")
    assert f'error="{error}"' in challenge
    assert "resource_metadata=" in challenge


async def test_P1_the_honest_way_works(world: World, holder: Holder, token: str) -> None:
    for _ in range(2):
        assert (await call(world, token, [good(world, holder, token)])).status_code == 200


async def test_P1_a_stolen_token_is_no_bearer_token(world: World, holder: Holder, token: str) -> None:
    """P1: neither before nor after its owner used it, with or without a proof beside it."""
    for _ in range(2):
        answer = await call(world, token, [], scheme="Bearer")
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("Bearer ")
        assert 'error="invalid_token"' in challenge
        assert 'DPoP algs="ES256' in challenge
        with_proof = await call(world, token, [good(world, holder, token)], scheme="Bearer")
        assert with_proof.status_code == 401
        assert (await call(world, token, [good(world, holder, token)])).status_code == 200


async def test_P1_what_is_remembered_of_a_bound_token_opens_nothing(
    world: World, holder: Holder, token: str
) -> None:
    """P1: the cache of the bearer check, asked for every spelling of the header."""
    assert (await call(world, token, [good(world, holder, token)])).status_code == 200
    for header in (f"DPoP {token}", f"dpop {token}", f"Bearer {token}", token, f"{token} "):
        assert world.server.bearer.cached(header.encode()) is None


async def test_P1_without_a_proof_or_with_two(world: World, holder: Holder, token: str) -> None:
    await refused(world, token)
    await refused(world, token, good(world, holder, token), good(world, holder, token))


async def test_P1_another_key(world: World, token: str) -> None:
    await refused(world, token, good(world, Holder(), token), error="invalid_token")


async def test_P1_another_client_key_bound_token_and_ath(
    world: World, client: dict[str, Any], holder: Holder, token: str
) -> None:
    """P1: a thief who has a key and a token of their own may not pair their proof with this token."""
    thief = Holder()
    own = (await tokens(world, client, thief, state="2"))["access_token"]
    await refused(world, token, good(world, thief, own))
    await refused(world, token, good(world, holder, own))


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htm": ["POST"]},
        {"htu": None},
        {"htu": 5},
        {"htu": ["https://gate.example/s/files/mcp"]},
        {"htu": "https://gate.example/s/clock/mcp"},
        {"htu": "https://gate.example/s/files/mcp/"},
        {"htu": "https://gate.example/s/files/mcpx"},
        {"htu": "https://gate.example/S/files/mcp"},
        {"htu": "http://gate.example/s/files/mcp"},
        {"htu": "https://gate.example:8443/s/files/mcp"},
        {"htu": "https://gate.example.evil/s/files/mcp"},
        {"htu": "https://evil@gate.example/s/files/mcp"},
        {"htu": "https://gate.example\\@evil.example/s/files/mcp"},
        {"htu": "https://gate.example/s/files%2Fmcp"},
        {"htu": "https://gate.example/s/fi\tles/mcp"},
        {"htu": "/s/files/mcp"},
        {"htu": "https://[gate.example/s/files/mcp"},
        {"htu": "https://gate.example:99999/s/files/mcp"},
        {"ath": None},
        {"ath": ""},
        {"ath": "x" * 43},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 300},
        {"iat": None},
        {"iat": "1790000000"},
        {"iat": True},
        {"iat": 1_790_000_000 - 121},
        {"iat": 1_790_000_000 + 121},
        {"iat": 10**30},
        {"iat": 10**400},  # no float is as large
        {"iat": -1},
    ],
)
async def test_P1_a_proof_of_something_else(
    world: World, holder: Holder, token: str, changes: dict[str, Any]
) -> None:
    """P1: method, address, time, token and name of the proof are checked, types included."""
    await refused(world, token, good(world, holder, token, **changes))


@pytest.mark.parametrize(
    "htu",
    [
        "https://gate.example/s/files/mcp?x=1",
        "https://gate.example/s/files/mcp#part",
        "HTTPS://GATE.example:443/s/./x/../files/%6Dcp",
    ],
)
async def test_P1_another_spelling_of_the_same_address(
    world: World, holder: Holder, token: str, htu: str
) -> None:
    """P1: "ignoring any query and fragment parts", after the normalisation of RFC 3986 §6.2."""
    assert (await call(world, token, [good(world, holder, token, htu=htu)])).status_code == 200


async def test_P1_the_host_header_does_not_say_where_we_are(world: World, holder: Holder, token: str) -> None:
    """P1, D9: a proof for another host does not become good because somebody names that host."""
    proof = good(world, holder, token, htu=f"https://evil.example{MCP}")
    headers = {"authorization": f"DPoP {token}", "dpop": proof, "host": "evil.example"}
    async with world.http() as http:
        answer = await http.post(MCP, headers={**headers, "x-forwarded-host": "evil.example"})
    assert answer.status_code == 401


def _jwk(holder: Holder, name: str) -> Any:
    other = Holder()
    return {
        "missing": None,
        "text": "jwk",
        "list": [holder.jwk],
        "private part": holder.secret_jwk,
        "symmetric": {"kty": "oct", "k": "AAAA"},
        "somebody else's": other.jwk,
        "off the curve": {**holder.jwk, "y": other.jwk["y"]},
        "for encryption": {**holder.jwk, "use": "enc"},
        "for another algorithm": {**holder.jwk, "alg": "ES384"},
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "missing",
        "text",
        "list",
        "private part",
        "symmetric",
        "somebody else's",
        "off the curve",
        "for encryption",
        "for another algorithm",
    ],
)
async def test_P1_keys_that_are_none(world: World, holder: Holder, token: str, name: str) -> None:
    """P1: the key in the header is public, whole, and the one that signed."""
    await refused(world, token, good(world, holder, token, header={"jwk": _jwk(holder, name)}))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "NoNe"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"alg": None},
        {"alg": ["ES256"]},
        {"typ": None},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"typ": "dpop"},
        {"crit": ["x"], "x": 1},
        {"b64": False},
    ],
)
async def test_P1_T1_headers(world: World, holder: Holder, token: str, header: dict[str, Any]) -> None:
    await refused(world, token, good(world, holder, token, header=header))


async def test_P1_a_jwk_elsewhere_is_never_fetched(world: World, holder: Holder, token: str) -> None:
    """P1, T1: ``jku`` and ``x5u`` beside no ``jwk`` name nothing that we would ask."""
    header = {"jwk": None, "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x", "kid": "1"}
    await refused(world, token, good(world, holder, token, header=header))


async def test_P1_broken_bytes(world: World, holder: Holder, token: str) -> None:
    head, body, signature = good(world, holder, token).split(".")
    zero = base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()
    twice = base64.urlsafe_b64encode(b'{"jti":"a","jti":"b","htm":"POST"}').rstrip(b"=").decode()
    for bad in (
        "",
        "x",
        f"{head}.{body}",
        f"{head}.{body}.",
        f"{head}.{body}.{zero}",
        f"{head}.{twice}.{signature}",
        f"{head}.{body}=.{signature}",
        f"{head}.{body}.{signature}, {head}.{body}.{signature}",
        f"{head}.{body}.{signature}" + "A" * 9000,
        json.dumps({"protected": head, "payload": body, "signature": signature}),
    ):
        await refused(world, token, bad)


async def test_P1_a_proof_counts_once(world: World, holder: Holder, token: str) -> None:
    proof = good(world, holder, token)
    assert (await call(world, token, [proof])).status_code == 200
    await refused(world, token, proof)
    again = good(world, holder, token, jti="mine")
    assert (await call(world, token, [again])).status_code == 200
    world.clock.advance(119)
    await world.server.tidy()
    await refused(world, token, again)
    await refused(world, token, good(world, holder, token, jti="mine"))


async def test_P1_a_proof_from_the_future_is_remembered_until_it_is_too_old(
    world: World, holder: Holder, token: str
) -> None:
    """P1: a clock that is ahead makes a proof live longer, and so long it is remembered."""
    early = good(world, holder, token, iat=int(world.clock.now()) + 120)
    assert (await call(world, token, [early])).status_code == 200
    for _ in range(4):
        world.clock.advance(60)
        await world.server.tidy()
        await refused(world, token, early)


async def test_P1_of_many_at_once_one_counts(world: World, holder: Holder, token: str) -> None:
    """P1: twenty copies of one request, at the same moment, in two processes over one database."""
    other = AuthorizationServer(world.settings, world.services)
    await other.start()
    proof, first = good(world, holder, token), world.server
    answers = []
    for server in (first, other):
        world.server = server
        answers += [call(world, token, [proof]) for _ in range(10)]
    world.server = first
    done: list[httpx2.Response] = await asyncio.gather(*answers)
    assert sorted(answer.status_code for answer in done) == [200] + [401] * 19
    world.server = other
    await refused(world, token, proof)


async def test_P1_not_even_after_a_restart(world: World, holder: Holder, token: str) -> None:
    proof = good(world, holder, token)
    assert (await call(world, token, [proof])).status_code == 200
    await world.boot()
    await refused(world, token, proof)


async def test_P1_what_is_remembered_is_bounded_in_time(world: World, holder: Holder, token: str) -> None:
    """P1: proofs are remembered for as long as they could be used, and then forgotten."""
    for _ in range(3):
        assert (await call(world, token, [good(world, holder, token)])).status_code == 200

    async def remembered() -> int:
        return len(await world.store.replays._database.all("SELECT key_hash FROM replays"))

    before = await remembered()
    assert before >= 4  # one at the token endpoint
    world.clock.advance(121)
    await world.server.tidy()
    assert await remembered() == 0


async def test_P1_what_cannot_be_remembered_is_refused(
    world: World, holder: Holder, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: a store that fails lets nobody in."""

    async def full(*_: Any) -> bool:
        raise StoreFull("disk full")

    monkeypatch.setattr(world.store.replays, "first", full)
    with pytest.raises(StoreFull):
        await call(world, token, [good(world, holder, token)])


async def test_P1_a_token_without_a_key_gains_nothing(world: World, client: dict[str, Any]) -> None:
    """P1: the DPoP scheme is for bound tokens; API keys and ordinary tokens are refused there."""
    plain = (await world.tokens(client))["access_token"]
    await refused(world, plain, good(world, Holder(), plain), error="invalid_token")
    await refused(world, "gk_key_x", good(world, Holder(), "gk_key_x"), error="invalid_token")
    assert await world.alive(plain)


async def test_P1_R6_a_bound_token_ends_with_its_person(world: World, holder: Holder, token: str) -> None:
    assert (await call(world, token, [good(world, holder, token)])).status_code == 200
    await world.store.users.update(replace(world.people["alice"], disabled=True))
    world.server.bearer.forget()
    await refused(world, token, good(world, holder, token), error="invalid_token")


async def test_P1_T11_a_bound_token_ends_in_time(world: World, holder: Holder, token: str) -> None:
    assert (await call(world, token, [good(world, holder, token)])).status_code == 200
    world.clock.advance(3601)
    await refused(world, token, good(world, holder, token), error="invalid_token")


# -- the token endpoint ------------------------------------------------------------------------------------


async def test_P1_a_bad_proof_uses_up_no_code(world: World, client: dict[str, Any], holder: Holder) -> None:
    """P1, C4: refused before anything is looked at; the owner of the code goes on."""
    code = await world.code(client)
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://127.0.0.1:49152/callback",
        "code_verifier": VERIFIER,
    }
    for proof in (
        "x",
        proof_for(world, holder, "/par"),
        proof_for(world, holder, htm="GET"),
        proof_for(world, holder, iat=1),
        proof_for(world, holder, header={"jwk": holder.secret_jwk}),
    ):
        answer = await token_request(world, client, proof, **fields)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
        assert "nonce" not in " ".join(answer.headers).lower()
    assert (await redeem(world, client, code, holder)).status_code == 200


async def test_P1_a_stolen_refresh_token_of_a_public_client(
    world: World, client: dict[str, Any], holder: Holder
) -> None:
    """P1: without its key it yields nothing, and trying ends nothing."""
    first = await tokens(world, client, holder)
    for thief in (None, Holder()):
        answer = await refresh(world, client, first["refresh_token"], thief)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    second = (await refresh(world, client, first["refresh_token"], holder)).json()
    assert second["token_type"] == "DPoP"
    world.clock.advance(100)  # beyond the grace: a replay by somebody without the key is still no alarm
    answer = await refresh(world, client, first["refresh_token"], Holder())
    assert answer.status_code == 400
    third = await refresh(world, client, second["refresh_token"], holder)
    assert third.status_code == 200
    assert (await refresh(world, client, third.json()["refresh_token"], None)).status_code == 400


async def test_P1_R2_reuse_by_whoever_has_the_key_fells_the_family(
    world: World, client: dict[str, Any], holder: Holder
) -> None:
    first = await tokens(world, client, holder)
    second = (await refresh(world, client, first["refresh_token"], holder)).json()
    world.clock.advance(100)
    assert (await refresh(world, client, first["refresh_token"], holder)).status_code == 400
    token = second["access_token"]
    await refused(world, token, good(world, holder, token), error="invalid_token")


async def test_P1_a_stolen_code_that_is_bound(world: World, client: dict[str, Any], holder: Holder) -> None:
    """P1, C8: code and verifier are not enough; a stranger's try does not burn the code (C3)."""
    code = await world.code(client, dpop_jkt=holder.jkt)
    for thief in (None, Holder()):
        answer = await redeem(world, client, code, thief)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await redeem(world, client, code, holder)).json()["token_type"] == "DPoP"


async def test_P1_a_proof_for_the_token_endpoint_counts_once(
    world: World, client: dict[str, Any], holder: Holder
) -> None:
    code = await world.code(client)
    proof = proof_for(world, holder)
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://127.0.0.1:49152/callback",
        "code_verifier": VERIFIER,
    }
    first = await token_request(world, client, proof, **fields)
    again = await token_request(
        world, client, proof, grant_type="refresh_token", refresh_token=first.json()["refresh_token"]
    )
    assert (again.status_code, again.json()["error"]) == (400, "invalid_dpop_proof")


# -- nonces ------------------------------------------------------------------------------------------------


async def test_P1_nonces(tmp_path: Any, template: Any, holder: Holder) -> None:
    """P1: with nonces on, a proof made ahead of time is worth nothing, at both ends."""
    async with world_in(tmp_path, template, dpop_nonce=True) as world:
        client = await world.register()
        code = await world.code(client)
        bare = await redeem(world, client, code, holder)
        assert (bare.status_code, bare.json()["error"]) == (400, "use_dpop_nonce")
        nonce = bare.headers["dpop-nonce"]
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "http://127.0.0.1:49152/callback",
            "code_verifier": VERIFIER,
        }
        for wrong in ("", "x", nonce[:-1], 5, [nonce], "\u00e9"):
            answer = await token_request(world, client, proof_for(world, holder, nonce=wrong), **fields)
            assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
        done = await token_request(world, client, proof_for(world, holder, nonce=nonce), **fields)
        assert done.status_code == 200, done.text
        assert done.headers["dpop-nonce"] == nonce
        token = done.json()["access_token"]
        asked = await call(world, token, [good(world, holder, token)])
        assert asked.status_code == 401
        assert 'error="use_dpop_nonce"' in asked.headers["www-authenticate"]
        nonce = asked.headers["dpop-nonce"]
        assert (await call(world, token, [good(world, holder, token, nonce=nonce)])).status_code == 200
        world.clock.advance(300)
        assert (await call(world, token, [good(world, holder, token, nonce=nonce)])).status_code == 200
        world.clock.advance(300)
        await refused(world, token, good(world, holder, token, nonce=nonce), error="use_dpop_nonce")
        # To be told the nonce is no refusal, so it fills no audit trail.
        refusals = world.trail.named(TokenEvent, action="refused")
        assert "the proof needs the nonce of this answer" not in {event.reason for event in refusals}
        # Another process hands out the same: a client may talk to either.
        await world.boot()
        again = await call(world, token, [good(world, holder, token)])
        nonce = again.headers["dpop-nonce"]
        assert (await call(world, token, [good(world, holder, token, nonce=nonce)])).status_code == 200


# -- where it must be --------------------------------------------------------------------------------------


async def test_P1_a_gateway_that_requires_it(tmp_path: Any, template: Any, holder: Holder) -> None:
    async with world_in(tmp_path / "before", template) as world:
        client = await world.register()
        plain = await world.tokens(client)
    async with world_in(tmp_path / "after", tmp_path / "before", dpop_required=True) as world:
        answer = await call(world, plain["access_token"], [], scheme="Bearer")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("DPoP ")
        async with world.http() as http:
            stranger = await http.post(MCP)
            document = (await http.get("/.well-known/oauth-protected-resource/s/files/mcp")).json()
        assert stranger.headers["www-authenticate"].startswith("DPoP resource_metadata=")
        assert "error" not in stranger.headers["www-authenticate"]
        assert document["dpop_bound_access_tokens_required"] is True
        without = await refresh(world, client, plain["refresh_token"], None)
        assert (without.status_code, without.json()["error"]) == (400, "invalid_dpop_proof")
        bound = (await refresh(world, client, plain["refresh_token"], holder)).json()
        token = bound["access_token"]
        assert (await call(world, token, [good(world, holder, token)])).status_code == 200
