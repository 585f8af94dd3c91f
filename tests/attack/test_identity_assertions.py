"""Identity assertions (ID-JAG): stolen, altered, repeated, for somebody else, about somebody who is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from msgspec.structs import replace

from gatekit.errors import AuditUnavailable
from gatekit.model.audit import TokenEvent
from gatekit.model.oauth import JWT_BEARER
from gatekit.model.people import User
from gatekit.model.rules import Rules
from gatekit.policy.engine import Policy
from tests.attack.asserting import AGENT, assertion, bring, claims, idp, refused, world
from tests.attack.bound import proof_for
from tests.attack.world import START, World, world_in
from tests.emulators.issuer import ISSUER, EmulatedIssuer
from tests.support.proofs import Holder

__all__ = ["idp", "world"]


async def test_an_assertion_becomes_a_token(world: World, idp: EmulatedIssuer) -> None:
    """R6: a token for this person, this client, this server; no refresh token; the audit knows all."""
    answer = (await bring(world, assertion(idp))).json()
    assert answer["token_type"] == "Bearer"
    assert answer["scope"] == "mcp:read mcp:call"
    assert "refresh_token" not in answer
    used = await world.use(answer["access_token"])
    assert used.json()["user"] == "eve@corp.example"
    assert used.json()["client"] == "agent"
    assert used.json()["servers"] == ["files"]
    assert await world.alive(answer["access_token"], "clock") is False
    (event,) = world.trail.named(TokenEvent, action="issued")
    assert (event.issuer, event.subject, event.client_id, event.grant_type) == (
        ISSUER,
        "eve-id",
        "agent",
        JWT_BEARER,
    )


async def test_once(world: World, idp: EmulatedIssuer) -> None:
    """A2, F3: also when it is brought twenty times at once, and to another process on the same store."""
    written = assertion(idp)
    answers = await asyncio.gather(*(bring(world, written) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    await world.boot()
    await refused(await bring(world, written))
    assert (await bring(world, assertion(idp, jti="assertion-2"))).status_code == 200


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": f"{ISSUER}/"},
    "no issuer": {"iss": None},
    "the client as the issuer": {"iss": "agent"},
    "another audience": {"aud": "https://elsewhere.example"},
    "our token endpoint": {"aud": "https://gate.example/token"},
    "our server": {"aud": "https://gate.example/s/files/mcp"},
    "a slash more": {"aud": "https://gate.example/"},
    "two audiences": {"aud": ["https://gate.example", "https://elsewhere.example"]},
    "the same audience twice": {"aud": ["https://gate.example", "https://gate.example"]},
    "no audience": {"aud": None},
    "another client": {"client_id": "other"},
    "no client": {"client_id": None},
    "a list of clients": {"client_id": ["agent"]},
    "azp instead": {"client_id": None, "azp": "agent"},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "jti that is a number": {"jti": 1},
    "expired": {"exp": START - 31},
    "no exp": {"exp": None},
    "exp far ahead": {"exp": START + 331},
    "no iat": {"iat": None},
    "an old iat": {"iat": START - 331},
    "iat ahead": {"iat": START + 31},
    "nbf ahead": {"nbf": START + 31},
    "no subject": {"sub": None},
    "subject that is a list": {"sub": ["eve-id"]},
    "an unknown resource": {"resource": "https://elsewhere.example/mcp"},
    "a known and an unknown one": {
        "resource": ["https://gate.example/s/files/mcp", "https://elsewhere.example/mcp"]
    },
    "resource that is an object": {"resource": {}},
    "foreign scopes only": {"scope": "calendar mail"},
    "an empty scope": {"scope": ""},
    "scope that is a list": {"scope": ["mcp:read"]},
    "bound to a key": {"cnf": {"jkt": "abc"}},
}


@pytest.mark.parametrize("name", sorted(WRONG))
async def test_for_somebody_or_something_else(world: World, idp: EmulatedIssuer, name: str) -> None:
    """F3, T2, T3: every claim that makes it ours, wrong or missing."""
    await refused(await bring(world, assertion(idp, **WRONG[name])))
    assert await world.store.users.by_identity("corp", ISSUER, "eve-id") is None


@pytest.mark.parametrize(
    "typ", ["JWT", "at+jwt", "dpop+jwt", "logout+jwt", "client-authentication+jwt", None]
)
async def test_another_kind_of_jwt(world: World, idp: EmulatedIssuer, typ: str | None) -> None:
    """T2: everything else that the identity provider signs, its id_tokens above all."""
    await refused(await bring(world, assertion(idp, {"typ": typ})))
    assert not idp.asked


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384"])
async def test_another_algorithm(world: World, idp: EmulatedIssuer, alg: str) -> None:
    """T1, F3: Keycloak's algorithm confusion in this very grant (CVE-2026-11800)."""
    await refused(await bring(world, assertion(idp, {"alg": alg})))


async def test_a_strangers_key(world: World, idp: EmulatedIssuer) -> None:
    """T1: a key that the issuer does not publish, offered by the header itself."""
    stranger = ECKey.generate_key("P-256", {"kid": "first"})
    header = {"typ": "oauth-id-jag+jwt", "jwk": stranger.as_dict(private=False)}
    await refused(await bring(world, idp.sign(claims(), header, stranger)))
    await refused(await bring(world, idp.sign(claims(), {**header, "kid": None}, stranger)))


async def test_no_assertion_at_all(world: World, idp: EmulatedIssuer) -> None:
    await refused(await bring(world, ""), "invalid_request")
    for written in ("x", "a.b.c", assertion(idp) + "x", assertion(idp)[:-8]):
        await refused(await bring(world, written))


async def test_only_the_operators_confidential_clients(world: World, idp: EmulatedIssuer) -> None:
    """K2: a client that registered itself, a public one, one without the grant type, a stranger."""
    async with world.http() as http:
        written = assertion(idp, client_id="public")
        form = {"grant_type": JWT_BEARER, "assertion": written, "client_id": "public"}
        await refused(await http.post("/token", data=form), "unauthorized_client")
        anybody = {"grant_type": JWT_BEARER, "assertion": assertion(idp)}
        await refused(await http.post("/token", data=anybody), "invalid_client", 401)
    await refused(await bring(world, assertion(idp, client_id="without"), "without"), "unauthorized_client")
    wanted = [JWT_BEARER, "authorization_code"]
    own = await world.register(grant_types=wanted, token_endpoint_auth_method="client_secret_post")
    assert JWT_BEARER not in own["grant_types"]
    fields = {"client_secret": own["client_secret"], "assertion": assertion(idp, client_id=own["client_id"])}
    await refused(await world.token(own, grant_type=JWT_BEARER, **fields), "unauthorized_client")


async def test_another_client_brings_it(world: World, idp: EmulatedIssuer) -> None:
    """F3: stolen from the client it was made for; and its owner can still use it."""
    written = assertion(idp)
    await refused(await bring(world, written, "other"))
    assert (await bring(world, written)).status_code == 200


async def test_narrowing_and_widening(world: World, idp: EmulatedIssuer) -> None:
    """R5: the request may ask for less than the assertion says, and never for more."""
    clock, files = "https://gate.example/s/clock/mcp", "https://gate.example/s/files/mcp"
    two = assertion(idp, resource=[files, clock])
    answer = (await bring(world, two, resource=clock, scope="mcp:read")).json()
    assert answer["scope"] == "mcp:read"
    assert (await world.use(answer["access_token"], "clock")).json()["servers"] == ["clock"]
    await refused(await bring(world, assertion(idp, jti="2"), resource=clock), "invalid_target")
    reading = assertion(idp, jti="3", scope="mcp:read openid")
    assert (await bring(world, reading)).json()["scope"] == "mcp:read"
    more = assertion(idp, jti="4", scope="mcp:read")
    assert (await bring(world, more, scope="mcp:call mcp:read")).json()["scope"] == "mcp:read"
    # A refusal of what was asked for does not use the assertion up.
    assert (await bring(world, assertion(idp, jti="2"))).status_code == 200


async def test_some_resource_must_be_named(world: World, idp: EmulatedIssuer) -> None:
    """T3: by the assertion, or else by the request; a token for everything is never an accident."""
    anything = assertion(idp, resource=None)
    await refused(await bring(world, anything), "invalid_target")
    clock = "https://gate.example/s/clock/mcp"
    answer = (await bring(world, anything, resource=clock)).json()
    assert (await world.use(answer["access_token"], "clock")).json()["servers"] == ["clock"]


async def test_our_own_lists_still_count(world: World, idp: EmulatedIssuer) -> None:
    """F3: the identity provider lets somebody come; what they may use is ours to say."""
    vault = assertion(idp, resource="https://gate.example/s/vault/mcp")
    await refused(await bring(world, vault), "invalid_target")
    world.policy = Policy.compile(Rules())
    await refused(await bring(world, assertion(idp, sub="new", jti="2")))
    assert await world.store.users.by_identity("corp", ISSUER, "new") is None


async def eve(world: World) -> User:
    found = await world.store.users.by_identity("corp", ISSUER, "eve-id")
    assert found is not None
    return found


async def test_a_disabled_person(world: World, idp: EmulatedIssuer) -> None:
    """R6, F3: CVE-2026-1609, disabled people got tokens by this grant; and what they had ends."""
    token = (await bring(world, assertion(idp))).json()["access_token"]
    await world.store.users.update(replace(await eve(world), disabled=True))
    world.directory_of_people.forget()
    world.server.bearer.forget()
    assert not await world.alive(token)
    await refused(await bring(world, assertion(idp, jti="2")))


async def test_a_client_that_is_gone(world: World, idp: EmulatedIssuer) -> None:
    """R6: disabled, or taken out of the configuration."""
    token = (await bring(world, assertion(idp))).json()["access_token"]
    await world.store.clients.set_disabled("agent", True)
    world.server.bearer.forget()
    assert not await world.alive(token)
    await refused(await bring(world, assertion(idp, jti="2")), "invalid_client", 401)


async def test_an_issuer_that_is_gone(world: World, idp: EmulatedIssuer) -> None:
    """R6, F2: the connection is not configured any more, so nobody vouches for its people."""
    token = (await bring(world, assertion(idp))).json()["access_token"]
    world.settings = replace(world.settings, assertions=())
    await world.boot()
    await world.configure(AGENT)
    assert not await world.alive(token)
    await refused(await bring(world, assertion(idp, jti="2")), "unsupported_grant_type")


async def test_the_people_of_an_issuer_are_nobody_else(world: World, idp: EmulatedIssuer) -> None:
    """F1: alice there is not alice here, whatever name or address she asserts."""
    named = assertion(idp, sub="alice", email="alice", jti="9")
    token = (await bring(world, named)).json()["access_token"]
    assert (await world.use(token)).json()["user"] == "alice-corp"


async def test_keys_out_of_reach(world: World, idp: EmulatedIssuer) -> None:
    """Neither a yes nor a no, and nothing is used up."""
    idp.down = True
    written = assertion(idp)
    await refused(await bring(world, written), "temporarily_unavailable", 503)
    idp.down = False
    world.clock.advance(6)
    assert (await bring(world, written)).status_code == 200


async def test_nothing_is_given_that_cannot_be_recorded(world: World, idp: EmulatedIssuer) -> None:
    world.trail.failure = AuditUnavailable("full")
    answer = await bring(world, assertion(idp))
    assert answer.status_code == 503
    assert "access_token" not in answer.text


async def test_the_assertion_itself_is_never_recorded(world: World, idp: EmulatedIssuer) -> None:
    """B9: neither when it is taken nor when it is refused."""
    good, bad = assertion(idp), assertion(idp, aud="https://elsewhere.example", jti="2")
    await bring(world, good)
    await bring(world, bad)
    said = repr(world.trail.events)
    for written in (good, bad):
        assert not any(part in said for part in written.split("."))
    assert world.trail.named(TokenEvent, action="refused", grant_type=JWT_BEARER)


async def test_the_token_can_be_bound_to_a_key(world: World, idp: EmulatedIssuer) -> None:
    """P1: asked for with a proof, and worth nothing without one."""
    holder = Holder()
    answer = await bring(world, assertion(idp), headers={"DPoP": proof_for(world, holder)})
    assert answer.json()["token_type"] == "DPoP"
    assert not await world.alive(answer.json()["access_token"])


async def test_what_is_advertised(world: World, tmp_path: Path, template: Path) -> None:
    """Only where it is on (RFC 8414 §2, draft-ietf-oauth-identity-assertion-authz-grant)."""
    profile = "urn:ietf:params:oauth:grant-profile:id-jag"
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert document["authorization_grant_profiles_supported"] == [profile]
    assert JWT_BEARER in document["grant_types_supported"]
    async with world_in(tmp_path / "plain", template) as plain, plain.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert "authorization_grant_profiles_supported" not in document
    assert JWT_BEARER not in document["grant_types_supported"]
