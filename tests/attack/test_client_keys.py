"""A2: clients that prove themselves with a key, and everything that is not quite a proof."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey

from gatekit.oauth.assertions import ASSERTION_TYPE
from tests.attack.signing import TYPE, Signer, sign
from tests.attack.world import LOOPBACK, World

POLL = {"grant_type": "refresh_token", "refresh_token": "gk_rt_x"}
"""A request that gets as far as the grant type if its client is believed."""

Forgery = Callable[[Signer, World, str], str]


async def registered(world: World, signer: Signer, **more: Any) -> str:
    client = await world.register(token_endpoint_auth_method="private_key_jwt", jwks=signer.jwks, **more)
    assert "client_secret" not in client
    return str(client["client_id"])


async def ask(world: World, fields: dict[str, Any], path: str = "/token") -> tuple[int, str]:
    async with world.http() as http:
        answer = await http.post(path, data={**POLL, **fields})
    return answer.status_code, answer.json()["error"]


BELIEVED = (400, "invalid_grant")
REFUSED = (401, "invalid_client")


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256"])
async def test_A2_a_proof_is_believed_once(world: World, alg: str) -> None:
    """A2: a proof counts once, and under each algorithm that is offered."""
    signer = Signer(alg)
    client_id = await registered(world, signer)
    fields = signer.fields(world, client_id)
    assert await ask(world, fields) == BELIEVED
    assert await ask(world, fields) == REFUSED
    assert await ask(world, {**signer.fields(world, client_id), "client_id": client_id}) == BELIEVED


async def test_A2_one_proof_at_many_doors_at_once(world: World) -> None:
    """A2: of parallel uses of one proof, at any endpoints, one counts."""
    signer = Signer()
    fields = signer.fields(world, await registered(world, signer))
    answers = await asyncio.gather(*(ask(world, fields) for _ in range(12)))
    assert sorted(set(answers)) == [BELIEVED, REFUSED]
    assert answers.count(BELIEVED) == 1
    async with world.http() as http:
        assert (await http.post("/revoke", data={"token": "x", **fields})).status_code == 401


async def test_A2_the_ids_of_two_clients_do_not_meet(world: World) -> None:
    """A2: nobody can use up the proof of somebody else by its id."""
    one, two = Signer(), Signer()
    first, second = await registered(world, one), await registered(world, two)
    assert await ask(world, one.fields(world, first, jti="same")) == BELIEVED
    assert await ask(world, two.fields(world, second, jti="same")) == BELIEVED


async def test_A2_a_forged_proof_does_not_use_up_its_id(world: World) -> None:
    """A2: the one use is spent by the signature's owner only."""
    signer = Signer()
    client_id = await registered(world, signer)
    assert await ask(world, Signer().fields(world, client_id, jti="same")) == REFUSED
    assert await ask(world, signer.fields(world, client_id, jti="same")) == BELIEVED


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "for the token endpoint": {"aud": "https://gate.example/token"},
    "for the issuer with a slash": {"aud": "https://gate.example/"},
    "for several": {"aud": ["https://gate.example", "https://other.example"]},
    "for a list of one": {"aud": ["https://gate.example"]},
    "for nobody": {"aud": None},
    "for another": {"aud": "https://other.example"},
    "another issuer": {"iss": "somebody else"},
    "no issuer": {"iss": None},
    "another subject": {"sub": "gkc_other"},
    "no subject": {"sub": None},
    "a number as subject": {"sub": 5},
    "no end": {"exp": None},
    "an end as text": {"exp": "1790000060"},
    "not a number": {"exp": True},
    "no id": {"jti": None},
    "an empty id": {"jti": ""},
    "a number as id": {"jti": 7},
    "a huge id": {"jti": "x" * 600},
}


@pytest.mark.parametrize("changes", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
async def test_A2_claims_that_are_not_for_this_request(world: World, changes: dict[str, Any]) -> None:
    """A2: audience is the issuer alone as one text, iss = sub = client_id, exp and jti are there."""
    signer = Signer()
    assert await ask(world, signer.fields(world, await registered(world, signer), **changes)) == REFUSED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": 300, "iat": 0}, BELIEVED),
        ({"exp": 329}, BELIEVED),  # the client's clock may be half a minute ahead
        ({"exp": 331}, REFUSED),
        ({"exp": 86_400}, REFUSED),
        ({"exp": -31}, REFUSED),
        ({"iat": 31, "exp": 60}, REFUSED),
        ({"iat": -400, "exp": 60}, REFUSED),
        ({"nbf": 31, "exp": 60}, REFUSED),
        ({"nbf": -5, "exp": 60}, BELIEVED),
    ],
    ids=str,
)
async def test_A2_five_minutes_are_the_most(
    world: World, changes: dict[str, int], expected: tuple[int, str]
) -> None:
    """A2: a proof ends within five minutes; clocks may differ by half a minute."""
    signer = Signer()
    client_id = await registered(world, signer)
    now = int(world.clock.now())
    times = {name: now + seconds for name, seconds in changes.items()}
    assert await ask(world, signer.fields(world, client_id, **times)) == expected


async def test_A2_a_proof_is_remembered_as_long_as_it_could_be_used(world: World) -> None:
    """A2: no gap between the end of a proof, clock differences included, and the end of its memory."""
    signer = Signer()
    fields = signer.fields(world, await registered(world, signer))
    assert await ask(world, fields) == BELIEVED
    for _ in range(10):
        world.clock.advance(10)
        await world.server.tidy()
        assert await ask(world, fields) == REFUSED


def _with_public_as_secret(signer: Signer, world: World, client_id: str) -> str:
    pem = signer.key.as_pem(private=False)
    return sign(pem, {"alg": "HS256", "kid": signer.kid}, signer.claims(world, client_id))


def _with_own_key(signer: Signer, world: World, client_id: str) -> str:
    forger = ECKey.generate_key("P-256", {"kid": signer.kid})
    header = {"alg": "ES256", "kid": signer.kid, "jwk": forger.as_dict(private=False)}
    return sign(forger, header, signer.claims(world, client_id))


def _psychic(signer: Signer, world: World, client_id: str) -> str:
    whole = signer.assertion(world, client_id)
    return whole.rpartition(".")[0] + "." + "A" * 86


FORGERIES: dict[str, Forgery] = {
    "alg none": lambda s, w, c: s.assertion(w, c, {"alg": "none"}),
    "the public key as a secret": _with_public_as_secret,
    "a key in the header": _with_own_key,
    "a key somewhere else": lambda s, w, c: Signer().assertion(
        w, c, {"jku": "https://evil.example/keys", "x5u": "https://evil.example/c"}
    ),
    "another key of that name": lambda s, w, c: Signer().assertion(w, c),
    "an unknown name": lambda s, w, c: s.assertion(w, c, {"kid": "../../etc/passwd"}),
    "a critical extension": lambda s, w, c: s.assertion(w, c, {"crit": ["x"], "x": 1}),
    "an access token's type": lambda s, w, c: s.assertion(w, c, {"typ": "at+jwt"}),
    "an assertion grant's type": lambda s, w, c: s.assertion(w, c, {"typ": "oauth-id-jag+jwt"}),
    "zeros for a signature": _psychic,
    "no signature": lambda s, w, c: s.assertion(w, c).rpartition(".")[0] + ".",
    "an unsigned end": lambda s, w, c: s.assertion(w, c) + ".",
    "white space": lambda s, w, c: " " + s.assertion(w, c),
    "no JWT": lambda _s, _w, c: c,
    "nothing much": lambda _s, _w, _c: "..",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_A2_forged_proofs(world: World, forge: Forgery) -> None:
    """A2, T1: nothing but the client's own key signs, whatever header or payload say."""
    signer = Signer()
    client_id = await registered(world, signer)
    fields = {"client_assertion_type": TYPE, "client_assertion": forge(signer, world, client_id)}
    assert await ask(world, fields) == REFUSED


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt", "application/JWT", None])
async def test_A2_the_types_of_a_proof(world: World, typ: str | None) -> None:
    """A2: the type may be missing, JWT, or the one of RFC 7523bis."""
    signer = Signer()
    client_id = await registered(world, signer)
    header = {"alg": "ES256", "kid": "k1"} | ({"typ": typ} if typ else {})
    proof = sign(signer.key, header, signer.claims(world, client_id))
    assert await ask(world, {"client_assertion_type": TYPE, "client_assertion": proof}) == BELIEVED


async def test_A2_the_registered_algorithm_and_no_other(world: World) -> None:
    """A2: a client that registered one algorithm is not believed under another of the same key."""
    signer = Signer("PS256")
    client_id = await registered(world, signer, token_endpoint_auth_signing_alg="PS256")
    assert await ask(world, signer.fields(world, client_id)) == BELIEVED
    assert await ask(world, signer.fields(world, client_id, header={"alg": "RS256"})) == REFUSED


async def test_A2_a_key_is_no_secret_and_a_secret_no_key(world: World) -> None:
    """A1, A2: the method is the registered one; an assertion beside a secret is refused as two methods."""
    signer = Signer()
    by_key = await registered(world, signer)
    by_secret = await world.register(token_endpoint_auth_method="client_secret_post")
    public = await world.register()
    assert await ask(world, {"client_id": by_key}) == REFUSED
    assert await ask(world, {"client_id": by_key, "client_secret": "x"}) == REFUSED
    for other in (by_secret["client_id"], public["client_id"]):
        assert await ask(world, signer.fields(world, other)) == REFUSED
    both = {**signer.fields(world, by_key), "client_secret": "x"}
    assert await ask(world, both) == (400, "invalid_request")
    half = signer.fields(world, by_key)
    assert await ask(world, {"client_assertion": half["client_assertion"]}) == REFUSED
    assert await ask(world, {"client_assertion_type": TYPE, "client_id": by_key}) == REFUSED
    assert await ask(world, {**half, "client_assertion_type": TYPE.replace("jwt", "saml2")}) == REFUSED
    assert await ask(world, {**half, "client_id": public["client_id"]}) == REFUSED
    assert TYPE == ASSERTION_TYPE


async def test_A2_a_disabled_client_is_not_let_in_by_its_key(world: World) -> None:
    """A2, R6: a good proof of a disabled client is refused with the words for an unknown one."""
    signer = Signer()
    client_id = await registered(world, signer)
    await world.store.clients.set_disabled(client_id, True)
    assert await ask(world, signer.fields(world, client_id)) == REFUSED
    assert await ask(world, signer.fields(world, "gkc_never")) == REFUSED


async def test_A2_a_whole_login_and_the_other_doors(world: World) -> None:
    """A2: code, refresh, revocation and the device's door all take the same proof."""
    signer = Signer()
    grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]
    client = await world.register(
        token_endpoint_auth_method="private_key_jwt", jwks=signer.jwks, grant_types=grants
    )
    ident = client["client_id"]
    code = await world.code(client)
    tokens = (await world.redeem(client, code, **signer.fields(world, ident))).json()
    assert await world.alive(tokens["access_token"])
    refreshed = await world.refresh(client, tokens["refresh_token"], **signer.fields(world, ident))
    assert refreshed.status_code == 200
    async with world.http() as http:
        device = await http.post("/device_authorization", data=signer.fields(world, ident))
        assert device.status_code == 200
        gone = {"token": refreshed.json()["access_token"], **signer.fields(world, ident)}
        assert (await http.post("/revoke", data=gone)).status_code == 200
    assert not await world.alive(refreshed.json()["access_token"])


PRIVATE = Signer().private_jwks
NO_KEYS: dict[str, dict[str, Any]] = {
    "neither": {},
    "both": {"jwks": Signer().jwks, "jwks_uri": "https://app.example/keys"},
    "a private key": {"jwks": PRIVATE},
    "a secret": {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
    "no keys": {"jwks": {"keys": []}},
    "no set": {"jwks": []},
    "a key for encryption": {"jwks": {"keys": [{**Signer().jwks["keys"][0], "use": "enc"}]}},
    "a point off its curve": {"jwks": {"keys": [{**Signer().jwks["keys"][0], "x": "AAAA"}]}},
    "plain http": {"jwks_uri": "http://app.example/keys"},
    "a file": {"jwks_uri": "file:///etc/passwd"},
    "somebody's name": {"jwks_uri": "https://user@app.example/keys"},
    "not a text": {"jwks_uri": 5},
    "alg none": {"jwks": Signer().jwks, "token_endpoint_auth_signing_alg": "none"},
    "a symmetric alg": {"jwks": Signer().jwks, "token_endpoint_auth_signing_alg": "HS256"},
    "an alg without a key": {"jwks": Signer().jwks, "token_endpoint_auth_signing_alg": "RS256"},
}


@pytest.mark.parametrize("metadata", NO_KEYS.values(), ids=NO_KEYS)
async def test_K2_keys_that_cannot_be_registered(world: World, metadata: dict[str, Any]) -> None:
    """K2: public, asymmetric keys for signatures, in one place; nothing private ever reaches the store."""
    wanted = {"redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "private_key_jwt", **metadata}
    async with world.http() as http:
        answer = await http.post("/register", json=wanted)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert not await world.store.clients.list()


async def test_K2_registered_keys_are_echoed_and_kept(world: World) -> None:
    """K2: the answer says what holds, keys included."""
    signer = Signer()
    client = await world.register(
        token_endpoint_auth_method="private_key_jwt",
        jwks=signer.jwks,
        token_endpoint_auth_signing_alg="ES256",
    )
    assert client["jwks"] == signer.jwks
    assert client["token_endpoint_auth_signing_alg"] == "ES256"
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    assert (json.loads(row.jwks), row.signing_algorithm, row.secret_hash) == (signer.jwks, "ES256", None)
