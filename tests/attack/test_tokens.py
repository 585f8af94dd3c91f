"""T1–T7, T9: access tokens and API keys at the resource server; revocation."""

from __future__ import annotations

import base64
import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwt as oracle
from joserfc.jwk import ECKey, KeySet

from gatekit.errors import VaultError
from gatekit.model.audit import TokenEvent
from gatekit.model.oauth import ApiKey
from gatekit.oauth import rs256
from gatekit.oauth.bearer import MAX_HEADER
from gatekit.oauth.jws import SignerKey, new_private_key, private_from_text, signer_key
from gatekit.oauth.keys import PUBLISH_AHEAD, SEAL
from gatekit.platform.segments import encode_segment
from gatekit.platform.vault import Vault, token_hash
from tests.attack.world import BOTH_FORMATS, ISSUER, World, world_in


async def add_key(world: World, username: str, *servers: str, lifetime: int = 86_400) -> str:
    """An API key as the command line makes it; returns the secret."""
    secret = world.entropy.token("gk_key_")
    now = int(world.clock.now())
    await world.store.api_keys.add(
        ApiKey(
            id=world.entropy.ident("key_"),
            token_hash=token_hash(secret),
            user_id=world.people[username].id,
            name="test",
            servers=servers,
            hint=secret[-4:],
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    return secret


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def forge(header: Any, claims: Any, signature: bytes = b"\x01" * 64) -> str:
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    return ".".join(encode_segment(part) for part in (*parts, signature))


async def test_an_outsider_can_verify_our_tokens_with_the_published_keys(world: World) -> None:
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    async with world.http() as http:
        keys = KeySet.import_key_set((await http.get("/jwks")).json())
    read = oracle.decode(token, keys, algorithms=["ES256"])
    assert read.header["typ"] == "at+jwt"
    assert read.claims["iss"] == ISSUER
    assert read.claims["aud"] == [world.files]
    assert read.claims["client_id"] == client["client_id"]
    assert read.claims["sub"] == world.people["alice"].id
    assert {"jti", "iat", "exp", "scope", "auth_time"} <= set(read.claims)


async def test_T1_forgeries(world: World) -> None:
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    claims = claims_of(token)
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    async with world.http() as http:
        jwk = (await http.get("/jwks")).json()["keys"][0]
    public = ECKey.import_key(jwk).as_pem(private=False)
    hs_head = {**head, "alg": "HS256"}
    signed = ".".join(encode_segment(json.dumps(part).encode()) for part in (hs_head, claims))
    confusion = [
        f"{signed}.{encode_segment(hmac.digest(secret, signed.encode(), sha256))}"
        for secret in (public, json.dumps(jwk).encode(), b"")
    ]
    own = signer_key(new_private_key(), "at+jwt")
    embedded = {
        **head,
        "jwk": ECKey.import_key(
            own.private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).as_dict(private=False),
    }
    parts = token.split(".")
    duplicated = b'{"exp":9999999999,' + json.dumps(claims).encode()[1:]
    bad = [
        forge({"alg": "none", "typ": "at+jwt"}, claims, b""),
        forge({"alg": "NoNe", "typ": "at+jwt"}, claims),
        *confusion,
        _signed(own.private, embedded, claims),
        _signed(own.private, head, claims),
        _signed(own.private, {**head, "jku": "https://evil.example/"}, claims),
        _signed(own.private, {**head, "x5u": "https://evil.example/"}, claims),
        _signed(own.private, {**head, "kid": "../../../../dev/null"}, claims),
        _signed(own.private, {**head, "kid": "x' UNION SELECT"}, claims),
        _signed(own.private, {**head, "kid": ["a"]}, claims),
        _signed(own.private, {**head, "crit": ["exp"]}, claims),
        _signed(own.private, {**head, "b64": False, "crit": ["b64"]}, claims),
        forge(head, claims, b"\0" * 64),
        forge(head, claims, bytes.fromhex("3006020101020101")),
        forge(head, duplicated),
        forge(head, {**claims, "exp": "9999999999"}),
        f"{parts[0]}.{parts[1]}.",
        f"{parts[0]}.{parts[1]}",
        f"{parts[0]}.{parts[1]}.{parts[2]}=",
        f"{parts[0]}..{parts[2]}",
        f"{parts[0]}.{parts[1]}.{base64.b64encode(b'>>>???' * 10 + b'>>>>').decode()}",
        f"{parts[0]}.{parts[1]}.{parts[2][:-1]}{_other_spelling(parts[2][-1])}",
        f"{parts[0]}.{parts[1]}.{parts[2]}.{parts[2]}",
        f".{token}",
        f"{token}.",
        token.upper(),
        "a.b.c",
        "." * 5000,
    ]
    for forged in bad:
        refused = await world.use(forged)
        assert refused.status_code in (400, 401), forged[:100]
        assert "invalid_" in refused.headers["www-authenticate"]
    assert await world.alive(token)


def _other_spelling(last: str) -> str:
    """64 bytes leave four bits of their last character unused: the same signature, spelled otherwise."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(last) ^ 1]


def _signed(private: Any, header: Any, claims: Any) -> str:
    from gatekit.oauth.jws import SignerKey

    return SignerKey("x", private, encode_segment(json.dumps(header).encode())).sign(
        json.dumps(claims).encode()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"exp": "9999999999"},
        {"exp": 1e400},
        {"exp": True},
        {"exp": None},
        {"nbf": 0},
        {"aud": "https://gate.example/s/files/mcp"},
        {"aud": [1]},
        {"iss": ["https://gate.example"]},
        {"sub": 1},
    ],
    ids=str,
)
async def test_T1_claims_of_another_shape_even_with_our_signature(
    world: World, change: dict[str, Any]
) -> None:
    client = await world.register()
    claims = claims_of((await world.tokens(client))["access_token"])
    token = _resign(world, json.dumps({**claims, **change}).replace("Infinity", "1e999").encode())
    assert (await world.use(token)).status_code == 401


def _resign(world: World, payload: bytes, typ: str = "at+jwt") -> str:
    ring = world.server._core.keys
    key = ring._current()
    assert isinstance(key, SignerKey)
    return (key if typ == "at+jwt" else signer_key(key.private, typ)).sign(payload)


@pytest.mark.parametrize(
    "typ", ["JWT", "logout+jwt", "oauth-id-jag+jwt", "dpop+jwt", "AT+JWT", "application/at+jwt"]
)
async def test_T2_only_access_tokens_are_access_tokens(world: World, typ: str) -> None:
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    other = _resign(world, json.dumps(claims_of(token)).encode(), typ)
    assert (await world.use(other)).status_code == 401


@BOTH_FORMATS
async def test_T3_a_token_opens_its_own_endpoint_only(world: World) -> None:
    """I9: A token opens its own endpoint only."""
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    assert await world.alive(token, "files")
    for server in ("clock", "vault", "fil", "filesx", ""):
        refused = await world.use(token, server)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    aggregate = (await world.tokens(client, resource=f"{world.issuer}/mcp"))["access_token"]
    assert await world.alive(aggregate, "")
    assert not await world.alive(aggregate, "files")


@BOTH_FORMATS
async def test_T3_a_person_who_picks_gets_what_was_picked(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, resource=None))
        assert "Files" in page.text
        from tests.attack.world import form_of, returned

        action, fields = form_of(page.text, "/consent")
        assert set(fields["resource"]) == {
            f"{world.issuer}{path}" for path in ("/mcp", "/s/files/mcp", "/s/clock/mcp", "/s/vault/mcp")
        }
        picked = {
            **fields,
            "resource": [f"{world.issuer}/s/clock/mcp", "https://evil.example/"],
            "decision": "approve",
        }
        code = returned(await browser.post(action, data=picked))["code"]
    token = (await world.redeem(client, code)).json()["access_token"]
    assert await world.alive(token, "clock")
    assert not await world.alive(token, "files")
    assert (await world.use(token, "clock")).json()["servers"] == ["clock"]


async def test_T3_nobody_is_offered_what_they_may_not_use(world: World) -> None:
    from tests.attack.world import returned

    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, resource=None), "bob")
        assert "clock" in page.text
        assert "files" not in page.text
        assert "vault" not in page.text
        refused = returned(await browser.visit(world.authorize_url(client, resource=world.files)))
    assert refused["error"] == "access_denied"


@BOTH_FORMATS
@pytest.mark.parametrize("resource", [ISSUER, ISSUER + "/"])
async def test_T3_a_bare_origin_lets_the_person_pick(world: World, resource: str) -> None:
    client = await world.register()
    code = await world.code(client, resource=resource)
    tokens = (await world.redeem(client, code, resource=resource)).json()
    reached = (await world.use(tokens["access_token"])).json()
    assert (len(reached["servers"]), reached["aggregate"]) == (3, True)
    assert (await world.refresh(client, tokens["refresh_token"], resource=resource)).status_code == 200


@pytest.mark.parametrize(
    "issuer", [ISSUER + "/", ISSUER + ".evil.example", "https://accounts.example.com", ""]
)
async def test_T4_another_issuer(world: World, issuer: str) -> None:
    client = await world.register()
    claims = claims_of((await world.tokens(client))["access_token"])
    assert (
        await world.use(_resign(world, json.dumps({**claims, "iss": issuer}).encode()))
    ).status_code == 401


async def test_T4_an_upstream_providers_token_is_not_ours(world: World) -> None:
    """I9: An upstream provider's token is not ours."""
    theirs = signer_key(new_private_key(), "JWT").sign(b'{"iss":"https://github.example","sub":"1"}')
    for token in (theirs, "ghp_" + "x" * 36, "gho_16C7e42F292c6912E7710c838347Ae178B4a"):
        refused = await world.use(token)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


async def test_T5_challenges_without_with_and_with_too_little_token(world: World) -> None:
    async with world.http() as http:
        for headers in ({}, {"authorization": "Basic Zm9vOmJhcg=="}):
            missing = await http.post("/s/files/mcp", headers=headers)
            assert missing.status_code == 401
            assert missing.headers["www-authenticate"] == (
                "Bearer resource_metadata="
                f'"{world.issuer}/.well-known/oauth-protected-resource/s/files/mcp", '
                'scope="mcp:read mcp:call"'
            )
    client = await world.register()
    claims = claims_of((await world.tokens(client))["access_token"])
    poor = await world.use(_resign(world, json.dumps({**claims, "scope": ""}).encode()))
    assert poor.status_code == 403
    assert 'error="insufficient_scope"' in poor.headers["www-authenticate"]
    assert 'scope="mcp:read mcp:call"' in poor.headers["www-authenticate"]


async def test_T6_rotation_publishes_first_and_keeps_the_old(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    old = tokens["access_token"]
    world.clock.advance(1)
    kid = await world.rotate_keys()
    async with world.http() as http:
        published = [key["kid"] for key in (await http.get("/jwks")).json()["keys"]]
    assert kid in published
    assert len(published) == 2
    tokens = (await world.refresh(client, tokens["refresh_token"])).json()
    assert _kid(tokens["access_token"]) == _kid(old)
    world.clock.advance(PUBLISH_AHEAD)
    new = (await world.refresh(client, tokens["refresh_token"])).json()["access_token"]
    assert _kid(new) == kid
    assert await world.alive(old)
    assert await world.alive(new)
    world.clock.advance(3601)
    await world.server.tidy()
    async with world.http() as http:
        assert [key["kid"] for key in (await http.get("/jwks")).json()["keys"]] == [kid]


async def test_T6_a_key_that_another_process_published_is_found(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    first = world.server
    await world.boot()  # a second gateway over the same store
    await world.rotate_keys()
    world.clock.advance(PUBLISH_AHEAD)
    new = (await world.refresh(client, tokens["refresh_token"])).json()["access_token"]
    access = await first.bearer.check([f"Bearer {new}".encode()])
    assert access.principal.username == "alice"


async def test_T6_unknown_keys_do_not_hammer_the_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    true_list = world.store.signing_keys.list

    async def counted(purpose: str) -> Any:
        nonlocal reads
        reads += 1
        return await true_list(purpose)

    monkeypatch.setattr(world.store.signing_keys, "list", counted)
    world.clock.advance(10)
    for _ in range(20):
        stranger = signer_key(new_private_key(), "at+jwt")
        assert (await world.use(stranger.sign(b"{}"))).status_code == 401
    assert reads == 1


async def test_T6_keys_rotate_by_themselves(tmp_path: Path) -> None:
    """T6: the next key is published before it signs, and nobody is signed out."""
    async with world_in(tmp_path, rotate_keys_every=30 * 86_400) as world:
        client = await world.register()
        tokens = await world.tokens(client)
        for _ in range(3):
            await world.server.tidy()
        assert len(await world.store.signing_keys.list("access-token")) == 1
        world.clock.advance(29 * 86_400)
        old = (await world.refresh(client, tokens["refresh_token"])).json()
        world.clock.advance(86_400)
        old = (await world.refresh(client, old["refresh_token"])).json()
        for _ in range(3):
            await world.server.tidy()
        async with world.http() as http:
            published = [key["kid"] for key in (await http.get("/jwks")).json()["keys"]]
        assert len(published) == 2
        world.clock.advance(PUBLISH_AHEAD)
        new = (await world.refresh(client, old["refresh_token"])).json()
        assert (_kid(old["access_token"]), _kid(new["access_token"])) == (published[1], published[0])
        assert await world.alive(old["access_token"])


async def test_T6_private_keys_are_sealed_at_rest(world: World) -> None:
    """T6: neither the file nor a copy of it without the master key gives a private key away."""
    (row,) = await world.store.signing_keys.list("access-token")
    pem = world.vault.open(row.private_sealed, SEAL)
    secret = private_from_text(pem).private_numbers().private_value.to_bytes(32, "big")
    await world.store.close()
    kept = b"".join(path.read_bytes() for path in world.directory.glob("gatekit.db*"))
    await world.open()
    assert row.kid.encode() in kept
    forms = [
        secret,
        secret.hex().encode(),
        base64.b64encode(secret).rstrip(b"="),
        encode_segment(secret).encode(),
        b"PRIVATE KEY",
        pem.splitlines()[1].encode(),
    ]
    assert not [form for form in forms if form in kept]
    with pytest.raises(VaultError):
        Vault(bytes(32)).open(row.private_sealed, SEAL)
    with pytest.raises(VaultError):
        world.vault.open(row.private_sealed, "refresh-successor")
    async with world.http() as http:
        assert '"d"' not in (await http.get("/jwks")).text


async def test_T6_a_compromised_key_is_dead_at_once(world: World) -> None:
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    await world.retire_key(_kid(token))
    assert not await world.alive(token)
    again = await world.tokens(client)
    assert await world.alive(again["access_token"])
    assert _kid(again["access_token"]) != _kid(token)


def _kid(token: str) -> str:
    head = token.split(".")[0]
    found: str = json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]
    return found


async def _revoke(world: World, client: dict[str, Any], token: str, **extra: str) -> int:
    async with world.http() as http:
        data = {"client_id": client["client_id"], "token": token, **extra}
        answer = await http.post("/revoke", data=data)
    return answer.status_code


@BOTH_FORMATS
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
async def test_T7_revocation_is_effective_at_once(world: World, hint: str | None) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    extra = {"token_type_hint": hint} if hint else {}
    assert await world.alive(tokens["access_token"])
    assert await _revoke(world, client, tokens["access_token"], **extra) == 200
    assert not await world.alive(tokens["access_token"])
    renewed = (await world.refresh(client, tokens["refresh_token"])).json()
    assert await world.alive(renewed["access_token"])
    assert await _revoke(world, client, renewed["refresh_token"], **extra) == 200
    assert not await world.alive(renewed["access_token"])
    assert (await world.refresh(client, renewed["refresh_token"])).json()["error"] == "invalid_grant"
    assert len(world.trail.named(TokenEvent, action="revoked")) == 2


@BOTH_FORMATS
async def test_T7_another_clients_revocation_does_nothing(world: World) -> None:
    client, other = await world.register(), await world.register()
    tokens = await world.tokens(client)
    for token in (tokens["access_token"], tokens["refresh_token"], "gk_rt_unknown", "nonsense", "a.b.c"):
        assert await _revoke(world, other, token) == 200
    assert await world.alive(tokens["access_token"])
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 200
    assert await _revoke(world, {"client_id": "gkc_unknown"}, tokens["access_token"]) == 401
    async with world.http() as http:
        assert (await http.post("/revoke", data={"client_id": client["client_id"]})).status_code == 400


@BOTH_FORMATS
async def test_T7_a_revocation_outlives_a_restart_and_reaches_another_process(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    first = world.server
    header = f"Bearer {tokens['access_token']}".encode()
    await first.bearer.check([header])
    await world.boot()
    assert await _revoke(world, client, tokens["access_token"]) == 200
    first.bearer.forget()  # the change feed told it
    assert first.bearer.cached(header) is None
    with pytest.raises(Exception, match="revoked"):
        await first.bearer.check([header])
    await world.boot()
    assert not await world.alive(tokens["access_token"])


@BOTH_FORMATS
async def test_T7_an_expired_token_is_dead_in_the_cache_too(world: World) -> None:
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    assert await world.alive(token)
    world.clock.advance(3599)
    assert await world.alive(token)
    world.clock.advance(1)
    assert not await world.alive(token)


@BOTH_FORMATS
async def test_T9_tokens_count_in_one_header_only(world: World) -> None:
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    async with world.http() as http:
        assert (await http.post(f"/s/files/mcp?access_token={token}")).status_code == 401
        assert (await http.post("/s/files/mcp", data={"access_token": token})).status_code == 401
        good = {"authorization": f"Bearer {token}"}
        double = await http.post("/s/files/mcp", headers=[*good.items(), *good.items()])
        assert double.status_code == 400
        assert 'error="invalid_request"' in double.headers["www-authenticate"]
        for scheme in ("bearer", "BEARER", "bEaReR"):
            answer = await http.post("/s/files/mcp", headers={"authorization": f"{scheme} {token}"})
            assert answer.status_code == 200
        for value in (
            "Bearer",
            "Bearer ",
            f"Bearer {token} {token}",
            f"Bearer {token},x",
            f"Bearer\t{token}",
            "Bearer ü",
        ):
            answer = await http.post("/s/files/mcp", headers={b"authorization": value.encode("latin-1")})
            assert answer.status_code == 401, value
        huge = await http.post("/s/files/mcp", headers={"authorization": "Bearer " + "x" * MAX_HEADER})
        assert huge.status_code == 400
        assert not huge.headers["www-authenticate"].endswith(" ")


async def test_api_keys_open_what_they_are_for(world: World) -> None:
    """T3: Api keys open what they are for."""
    everything = await add_key(world, "alice")
    narrow = await add_key(world, "alice", "clock")
    assert [await world.alive(everything, server) for server in ("files", "clock", "")] == [True] * 3
    assert [await world.alive(narrow, server) for server in ("files", "clock", "")] == [False, True, True]
    answer = (await world.use(narrow, "clock")).json()
    assert (answer["user"], answer["credential"], answer["servers"]) == ("alice", "api_key", ["clock"])


async def test_api_keys_end(world: World) -> None:
    """T7: Api keys end."""
    secret = await add_key(world, "alice", lifetime=100)
    assert await world.alive(secret)
    [key] = await world.store.api_keys.list(world.people["alice"].id)
    assert key.last_used_at == int(world.clock.now())
    world.clock.advance(100)
    refused = await world.use(secret)
    assert refused.status_code == 401
    assert "expired" in refused.headers["www-authenticate"]
    other = await add_key(world, "alice")
    assert await world.alive(other)
    for key in await world.store.api_keys.list(world.people["alice"].id):
        await world.store.api_keys.revoke(key.id, int(world.clock.now()))
    world.server.bearer.forget()
    assert not await world.alive(other)
    assert not await world.alive("gk_key_unknown")


async def test_the_cache_is_bounded_and_forgets(tmp_path: Any) -> None:
    async with world_in(tmp_path, bearer_cache_size=8) as world:
        headers = [f"Bearer {await add_key(world, 'alice')}".encode() for _ in range(20)]
        for header in headers:
            await world.server.bearer.check([header])
        kept = [header for header in headers if world.server.bearer.cached(header) is not None]
        assert 1 <= len(kept) <= 8
        assert headers[-1] in kept
        world.server.bearer.forget()
        assert all(world.server.bearer.cached(header) is None for header in headers)


async def test_T2_the_rsa_key_of_id_tokens_signs_no_access_token(world: World) -> None:
    """T2, R4: A key is of one purpose: not even with the type of an access token does it make one."""
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    await world.server._core.statements.sign("id-token", {"iss": world.issuer}, "RS256")
    (row,) = await world.store.signing_keys.list("id-token-rs256")
    text = world.vault.open(row.private_sealed, SEAL)
    payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
    assert await world.alive(token)
    for typ in ("at+jwt", "JWT"):
        assert not await world.alive(rs256.opened(text, typ).sign(payload))
