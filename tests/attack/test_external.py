"""A resource server that trusts another issuer's tokens, attacked by people who have genuine ones of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from msgspec.structs import replace

from gatekit.errors import AuditUnavailable
from gatekit.model.audit import SignIn, TokenEvent
from gatekit.model.rules import ByLogin, ByProviderGroup, Rules, ServerRules
from gatekit.model.trust import ClaimNames, ExternalServer, Introspection
from gatekit.policy.engine import Policy
from tests.attack.bound import proof_for
from tests.attack.world import START, World, world_in
from tests.emulators.issuer import ISSUER, EmulatedIssuer
from tests.support.proofs import Holder

CLAIMS = ClaimNames(username="preferred_username", groups="realm_access.roles")
TRUSTED = ExternalServer(name="idp", issuer=ISSUER, algorithms=("ES256",), claims=CLAIMS, scopes=("mcp",))
RULES = Rules(
    servers=(
        ServerRules(server="files", allowed=(ByProviderGroup("idp", "eng"),)),
        ServerRules(server="clock", allowed=(ByLogin("idp", "eve"), ByProviderGroup("idp", "eng"))),
        ServerRules(server="vault", allowed=(ByLogin("idp", "admin"),)),
    )
)


@pytest.fixture
def idp() -> EmulatedIssuer:
    return EmulatedIssuer()


def trusting(
    directory: Path, template: Path, idp: EmulatedIssuer, **changes: Any
) -> AbstractAsyncContextManager[World]:
    fields = {name: getattr(TRUSTED, name) for name in TRUSTED.__struct_fields__}
    external = ExternalServer(**{**fields, **changes})
    return world_in(directory, template, exchange=idp.exchange, external=external)


@pytest.fixture
async def world(tmp_path: Path, template: Path, idp: EmulatedIssuer) -> AsyncIterator[World]:
    async with trusting(tmp_path, template, idp) as found:
        found.policy = Policy.compile(RULES)
        yield found


def claims(**changes: Any) -> dict[str, Any]:
    """A genuine access token of eve's, for the server ``files``; None leaves a claim out."""
    full = {
        "iss": ISSUER,
        "sub": "eve-id",
        "aud": "https://gate.example/s/files/mcp",
        "exp": START + 600,
        "iat": START,
        "jti": "token-1",
        "client_id": "app",
        "scope": "mcp",
        "preferred_username": "eve",
        "realm_access": {"roles": ["eng"]},
        **changes,
    }
    return {name: value for name, value in full.items() if value is not None}


async def status(world: World, token: str, server: str = "files") -> int:
    return (await world.use(token, server)).status_code


async def test_the_genuine_token_is_accepted(world: World, idp: EmulatedIssuer) -> None:
    answer = await world.use(idp.sign(claims()))
    assert answer.status_code == 200
    assert answer.json()["user"] == "eve"
    assert answer.json()["client"] == "app"
    assert answer.json()["servers"] == ["files"]
    (event,) = world.trail.named(TokenEvent, action="accepted")
    assert (event.issuer, event.subject, event.client_id, event.token_id) == (
        ISSUER,
        "eve-id",
        "app",
        "token-1",
    )
    (seen,) = world.trail.named(SignIn)
    assert (seen.connection, seen.principal, seen.outcome) == ("idp", "eve", "ok")
    world.server.bearer.forget()
    assert await status(world, idp.sign(claims())) == 200
    assert len(world.trail.named(SignIn)) == 1


WRONG_ISSUERS = [
    f"{ISSUER}/",
    ISSUER.removesuffix("/acme"),
    f"{ISSUER}2",
    ISSUER.upper(),
    ISSUER.replace("https", "http"),
    ISSUER.replace("idp.example", "idp.example.evil.example"),
    "https://gate.example",
    "",
    None,
    [ISSUER],
]


@pytest.mark.parametrize("issuer", WRONG_ISSUERS)
async def test_another_issuer(world: World, idp: EmulatedIssuer, issuer: object) -> None:
    """T4: letter by letter; and a stranger's token makes us fetch nothing."""
    assert await status(world, idp.sign(claims(iss=issuer))) == 401
    assert not idp.asked


async def test_a_token_of_ours_from_before(world: World, idp: EmulatedIssuer) -> None:
    """T4: what Gatekit signed itself while it was the authorization server counts for nothing now."""
    key = ECKey.generate_key("P-256", {"kid": "ours"})
    assert await status(world, idp.sign(claims(iss="https://gate.example"), key=key)) == 401
    assert await status(world, "gk_at_" + "a" * 43) == 401


OTHER_AUDIENCES = [
    None,
    [],
    "app",
    "https://gate.example",
    "https://gate.example/",
    "https://gate.example/s/files",
    "https://gate.example/s/files/mcp/",
    "https://gate.example/s/file/mcp",
    "https://gate.example/s/files/mcp2",
    "https://gate.example/s/files/x/mcp",
    "https://gate.example.evil.example/s/files/mcp",
    "http://gate.example/s/files/mcp",
    "https://GATE.example/s/files/mcp",
    "https://gate.example/s/clock/mcp",
    "https://gate.example/mcp",
    "https://elsewhere.example/api",
    ["https://elsewhere.example/api"],
    [["https://gate.example/s/files/mcp"]],
    {"https://gate.example/s/files/mcp": 1},
    7,
]


@pytest.mark.parametrize("meant", OTHER_AUDIENCES)
async def test_another_audience(world: World, idp: EmulatedIssuer, meant: object) -> None:
    """T3: a token that the same issuer gave out for anything else, a look-alike of ours included."""
    assert await status(world, idp.sign(claims(aud=meant))) == 401


async def test_an_audience_for_two_servers_reaches_these_two(world: World, idp: EmulatedIssuer) -> None:
    """T3: each of them, and no third."""
    two = [
        "https://gate.example/s/files/mcp",
        "https://gate.example/s/clock/mcp",
        "https://elsewhere.example",
    ]
    token = idp.sign(claims(aud=two))
    assert [await status(world, token, server) for server in ("files", "clock", "vault", "")] == [
        200,
        200,
        401,
        401,
    ]


OTHER_KINDS: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
    ({"typ": "JWT"}, {}),
    ({"typ": None}, {}),
    ({"typ": "id_token+jwt"}, {}),
    ({"typ": "logout+jwt"}, {}),
    ({"typ": "oauth-id-jag+jwt"}, {}),
    ({"typ": "dpop+jwt"}, {}),
    ({"alg": "none"}, {}),
    ({"alg": "HS256"}, {}),
    ({"alg": "ES384"}, {}),
    ({"crit": ["exp"]}, {}),
    ({}, {"cnf": {"jkt": "abc"}}),
    ({}, {"cnf": {"x5t#S256": "abc"}}),
    ({}, {"cnf": {"jkt": "abc", "x5t#S256": "abc"}}),
    ({}, {"cnf": {"jkt": ""}}),
    ({}, {"cnf": {}}),
    ({}, {"exp": START - 31}),
    ({}, {"exp": None}),
    ({}, {"exp": str(START + 600)}),
    ({}, {"nbf": START + 31}),
    ({}, {"iat": START + 31}),
    ({}, {"sub": None}),
    ({}, {"sub": ""}),
    ({}, {"sub": 7}),
    ({}, {"sub": "x" * 300}),
    ({}, {"realm_access": {"roles": "x" * 10}, "aud": None}),
    ({}, {"realm_access": {"roles": ["g"] * 1001}}),
]


@pytest.mark.parametrize(("header", "changes"), OTHER_KINDS)
async def test_another_kind_of_token(
    world: World, idp: EmulatedIssuer, header: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    """T1, T2: an id_token, a logout token, an assertion, a bound token, a broken one: signed all the same."""
    assert await status(world, idp.sign(claims(**changes), header)) == 401


@pytest.mark.parametrize(
    "marks",
    [{"nonce": "n"}, {"at_hash": "h"}, {"c_hash": "h"}, {"events": {}}, {"typ": "ID"}, {"typ": "Refresh"}],
)
async def test_an_id_token_where_the_type_says_nothing(
    tmp_path: Path, template: Path, idp: EmulatedIssuer, marks: Mapping[str, Any]
) -> None:
    """T2: providers that write ``JWT``, or nothing, on all their tokens."""
    async with trusting(tmp_path, template, idp, token_types=("jwt", "")) as world:
        for header in ({"typ": "JWT"}, {"typ": None}):
            assert await status(world, idp.sign(claims(), header)) == 200
            assert await status(world, idp.sign(claims(**marks), header)) == 401
        assert await status(world, idp.sign(claims(typ="Bearer"), {"typ": "JWT"})) == 200
        assert await status(world, idp.sign(claims(scope=None), {"typ": "JWT"})) == 401
        assert await status(world, idp.sign(claims(scope=None, scp="mcp"), {"typ": "JWT"})) == 200
        assert await status(world, idp.sign(claims(), {"typ": "logout+jwt"})) == 401


async def test_a_strangers_key(world: World, idp: EmulatedIssuer) -> None:
    """T1: under the genuine name, under its own, embedded, or at an address of its own."""
    for kid in ("first", "other", None):
        stranger = ECKey.generate_key("P-256", {"kid": "first"})
        embedded = stranger.as_dict(private=False)
        extra: list[dict[str, Any]] = [{}, {"jwk": embedded}, {"jku": "https://evil.example/jwks"}]
        for more in extra:
            assert await status(world, idp.sign(claims(), {"kid": kid, **more}, stranger)) == 401
    assert not [url for url in idp.asked if "evil" in url]


async def test_key_rollover_and_a_flood_of_names(world: World, idp: EmulatedIssuer) -> None:
    """T6: the next key is found by itself, made-up names make us look once in half a minute, and a withdrawn
    key ends."""
    assert await status(world, idp.sign(claims())) == 200
    second = ECKey.generate_key("P-256", {"kid": "second"})
    idp.published = [second, idp.key]
    world.clock.advance(31)
    assert await status(world, idp.sign(claims(), key=second)) == 200
    for turn in range(30):
        assert await status(world, idp.sign(claims(), {"kid": f"made-up-{turn}"})) == 401
    assert idp.asked_for("/jwks") == 2
    idp.published = [second]
    world.clock.advance(3700)
    late = {"exp": START + 9999}
    assert await status(world, idp.sign(claims(**late))) == 401
    assert await status(world, idp.sign(claims(**late), key=second)) == 200


async def test_the_issuer_is_out_of_order(world: World, idp: EmulatedIssuer) -> None:
    """No answer is not a yes, and not a no that would make clients throw their tokens away."""
    idp.down = True
    answer = await world.use(idp.sign(claims()))
    assert answer.status_code == 503
    assert "error=" not in answer.headers["WWW-Authenticate"]
    idp.down = False
    world.clock.advance(6)
    assert await status(world, idp.sign(claims())) == 200


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": f"{ISSUER}/"}, {"issuer": None}, {"jwks_uri": "http://idp.example/jwks"}, {"jwks_uri": 7}],
)
async def test_metadata_of_somebody_else(
    world: World, idp: EmulatedIssuer, metadata: Mapping[str, Any]
) -> None:
    """RFC 8414 §3.3: another tenant's document, or keys over plain http."""
    idp.metadata.update(metadata)
    assert await status(world, idp.sign(claims())) == 503
    assert not idp.asked_for("/jwks")


async def test_who_somebody_is(world: World, idp: EmulatedIssuer) -> None:
    """F1: the subject at this issuer; a name or an address of somebody else's changes nothing."""
    assert await status(world, idp.sign(claims())) == 200
    (eve,) = [user for user in await world.store.users.list() if user.connection == "idp"]
    local = {"preferred_username": "alice", "email": "alice@example.com", "sub": "mallory"}
    answer = await world.use(idp.sign(claims(**local, jti="2")))
    assert answer.json()["user"] == "alice-idp"
    assert (await world.store.users.by_username("alice")) == world.people["alice"]
    renamed = await world.use(idp.sign(claims(preferred_username="eva", jti="3", iat=START + 1)))
    assert renamed.json()["user"] == "eve"
    assert (await world.store.users.get(eve.id) or eve).login == "eva"


@pytest.mark.parametrize(
    ("verified", "trust", "counts"),
    [
        (True, False, True),
        ("true", False, True),
        (False, False, False),
        (None, False, False),
        (1, False, False),
        ("yes", False, False),
        (None, True, True),
    ],
)
async def test_an_address_counts_if_it_is_verified(
    tmp_path: Path, template: Path, idp: EmulatedIssuer, verified: object, trust: bool, counts: bool
) -> None:
    """F1: nOAuth, where the address in the token is whatever its owner typed."""
    names = ClaimNames(email_verified="") if trust else ClaimNames()
    async with trusting(tmp_path, template, idp, claims=names) as world:
        mail = {"email": "Boss@example.com", "email_verified": verified}
        assert await status(world, idp.sign(claims(**mail))) == 200
        user = await world.store.users.by_identity("idp", ISSUER, "eve-id")
        assert user is not None
        assert user.email_verified == counts


async def test_a_disabled_person(world: World, idp: EmulatedIssuer) -> None:
    """F3, R6: refused with every token they have and every one they fetch; no error code, no loop."""
    assert await status(world, idp.sign(claims())) == 200
    user = await world.store.users.by_identity("idp", ISSUER, "eve-id")
    assert user is not None
    await world.store.users.update(replace(user, disabled=True))
    world.directory_of_people.forget()
    world.server.bearer.forget()
    for token in (idp.sign(claims()), idp.sign(claims(jti="9", iat=START + 5))):
        answer = await world.use(token)
        assert answer.status_code == 403
        assert "error=" not in answer.headers["WWW-Authenticate"]


async def test_a_group_counts_as_long_as_the_token_that_names_it(world: World, idp: EmulatedIssuer) -> None:
    """R6: an old token does not bring a group back for the new one, and a new one takes none from the old."""
    old = idp.sign(claims(aud="https://gate.example/s/clock/mcp"))
    new = idp.sign(
        claims(jti="2", iat=START + 5, realm_access={"roles": []}, aud="https://gate.example/s/clock/mcp")
    )
    world.clock.advance(5)
    assert await status(world, old, "clock") == 200
    assert await status(world, new, "clock") == 200  # on the list by name
    world.server.bearer.forget()
    assert await status(world, old, "clock") == 200
    user = await world.store.users.by_identity("idp", ISSUER, "eve-id")
    assert user is not None
    assert await world.store.groups.of_user(user.id) == []


async def test_strangers_leave_no_row(world: World, idp: EmulatedIssuer) -> None:
    """Whom no list names is refused and forgotten."""
    token = idp.sign(claims(sub="nobody", preferred_username="nobody", realm_access={"roles": ["cooks"]}))
    assert await status(world, token) == 403
    assert await world.store.users.by_identity("idp", ISSUER, "nobody") is None
    assert not world.trail.named(TokenEvent, action="accepted")


async def test_unknown_people_may_be_refused(tmp_path: Path, template: Path, idp: EmulatedIssuer) -> None:
    async with trusting(tmp_path, template, idp, unknown_people="refuse") as world:
        assert await status(world, idp.sign(claims())) == 403
        assert await world.store.users.by_identity("idp", ISSUER, "eve-id") is None


async def test_clients_and_scopes(tmp_path: Path, template: Path, idp: EmulatedIssuer) -> None:
    """T5: what the issuer gave to another application, or for less, is not enough here."""
    more: dict[str, Any] = {"clients": ("app",), "required_scopes": ("mcp", "gate")}
    async with trusting(tmp_path, template, idp, **more) as world:
        full = {"scope": "openid gate mcp"}
        assert await status(world, idp.sign(claims(**full))) == 200
        assert await status(world, idp.sign(claims(**full, client_id="other"))) == 401
        assert await status(world, idp.sign(claims(**full, client_id=None))) == 401
        assert await status(world, idp.sign(claims(**full, client_id=None, azp="app"))) == 200
        assert await status(world, idp.sign(claims(scope=None, scp=["gate", "mcp"]))) == 200
        answer = await world.use(idp.sign(claims(scope="gate")))
        assert answer.status_code == 403
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


async def test_an_audience_of_the_whole_gateway(tmp_path: Path, template: Path, idp: EmulatedIssuer) -> None:
    """T3: for providers that know no resource indicators; and still nothing else."""
    async with trusting(tmp_path, template, idp, audiences=("api://gatekit",)) as world:
        token = idp.sign(claims(aud="api://gatekit"))
        assert [await status(world, token, server) for server in ("files", "clock", "")] == [200, 200, 200]
        assert await status(world, idp.sign(claims(aud="api://gatekit/"))) == 401
        assert await status(world, idp.sign(claims(aud="app"))) == 401


async def test_nothing_is_accepted_that_cannot_be_recorded(world: World, idp: EmulatedIssuer) -> None:
    world.trail.failure = AuditUnavailable("full")
    assert await status(world, idp.sign(claims())) == 503
    world.trail.failure = None
    assert await status(world, idp.sign(claims())) == 200
    assert len(world.trail.named(TokenEvent, action="accepted")) == 1


async def test_a_stream_does_not_outlive_its_person_or_token(world: World, idp: EmulatedIssuer) -> None:
    """T11: whoever leaves the lists, and whatever has run out, ends with what is open."""
    token = idp.sign(claims())
    access = await world.server.bearer.check([f"Bearer {token}".encode()])
    assert await world.server.is_active(access)
    world.policy = Policy.compile(Rules())
    assert not await world.server.is_active(access)
    world.policy = Policy.compile(RULES)
    world.clock.advance(601)
    assert not await world.server.is_active(access)


# -- opaque tokens -----------------------------------------------------------------------------------------

ASKING = Introspection(client_id="gate:kit", client_secret="s&cret", cache=10)


def said(**changes: Any) -> dict[str, Any]:
    return claims(**{"active": True, "token_type": "Bearer", **changes})


@pytest.fixture
async def asking(tmp_path: Path, template: Path, idp: EmulatedIssuer) -> AsyncIterator[World]:
    async with trusting(tmp_path, template, idp, introspection=ASKING) as found:
        yield found


async def test_secrets_of_ours_are_not_shown_around(asking: World, idp: EmulatedIssuer) -> None:
    """R4: what looks like our own token, key or code never goes to the introspection of somebody else."""
    for prefix in ("gk_at_", "gk_rt_", "gk_ac_", "gk_key_"):
        assert await status(asking, prefix + "a" * 43) == 401
    assert not idp.asked


async def test_a_bound_token_needs_its_proof(world: World, idp: EmulatedIssuer) -> None:
    """P1: a token that the issuer bound to a key is worth nothing without it, and with it as good as ours."""
    holder, other = Holder(), Holder()
    token = idp.sign(claims(cnf={"jkt": holder.jkt}))
    assert await status(world, token) == 401
    for who, code in ((holder, 200), (other, 401)):
        headers = {"authorization": f"DPoP {token}", "dpop": proof_for(world, who, "/s/files/mcp", token)}
        async with world.http() as http:
            assert (await http.post("/s/files/mcp", headers=headers)).status_code == code


async def test_introspection(asking: World, idp: EmulatedIssuer) -> None:
    """RFC 7662: active counts, for a few seconds; the end at the issuer is the end here."""
    idp.active["opaque"] = said()
    assert await status(asking, "opaque") == 200
    asking.server.bearer.forget()
    assert await status(asking, "opaque") == 200
    assert idp.asked_for("/introspect") == 1
    del idp.active["opaque"]
    asking.clock.advance(11)
    asking.server.bearer.forget()
    assert await status(asking, "opaque") == 401


@pytest.mark.parametrize(
    "answer",
    [
        {"active": False},
        {},
        said(active="true"),
        said(active=1),
        said(aud=None),
        said(aud="https://gate.example/s/clock/mcp"),
        said(iss="https://evil.example"),
        said(token_type=None),
        said(token_type="refresh_token"),
        said(token_type="DPoP"),
        said(cnf={"jkt": "abc"}),
        said(exp=START - 31),
        said(sub=None),
    ],
)
async def test_what_introspection_must_say(
    asking: World, idp: EmulatedIssuer, answer: dict[str, Any]
) -> None:
    """R4, T3, T8: a refresh token is active, too, and so is a token for another server."""
    idp.active["opaque"] = answer
    assert await status(asking, "opaque") == 401


@pytest.mark.parametrize("code", [401, 403, 500, 302])
async def test_introspection_that_fails_says_nothing(asking: World, idp: EmulatedIssuer, code: int) -> None:
    idp.active["opaque"] = said()
    idp.introspection_status = code
    assert await status(asking, "opaque") == 503
    idp.introspection_status = 200
    assert await status(asking, "opaque") == 200


async def test_made_up_tokens_cannot_make_us_ask_without_end(asking: World, idp: EmulatedIssuer) -> None:
    """A stranger's flood is bounded, and whoever was well a moment ago does not suffer from it."""
    idp.active["opaque"] = said()
    assert await status(asking, "opaque") == 200
    codes = {await status(asking, f"made-up-{turn}") for turn in range(210)}
    assert codes == {401, 503}
    assert idp.asked_for("/introspect") == 200
    asking.clock.at += 10.5 / 1000  # not enough for the budget to grow back
    asking.server.bearer.forget()
    assert await status(asking, "opaque") == 200


async def test_signed_tokens_are_introspected_on_demand(
    tmp_path: Path, template: Path, idp: EmulatedIssuer
) -> None:
    """T7: with ``every_token`` a revocation counts for signed tokens as well."""
    every = Introspection(client_id="gate:kit", client_secret="s&cret", every_token=True, cache=0)
    async with trusting(tmp_path, template, idp, introspection=every) as world:
        token = idp.sign(claims())
        idp.active[token] = said()
        assert await status(world, token) == 200
        idp.active.clear()
        world.server.bearer.forget()
        assert await status(world, token) == 401


@pytest.mark.parametrize(("scope", "calls"), [("openid", True), ("mcp:read openid", False), ("mcp", True)])
async def test_T5_an_issuer_that_knows_our_scopes_is_taken_at_its_word(
    world: World, idp: EmulatedIssuer, scope: str, calls: bool
) -> None:
    """T5: A foreign token stands for everything, unless it says itself that it is for reading only."""
    token = idp.sign(claims(scope=scope))
    assert await status(world, token) == 200
    access = world.server.bearer.cached(f"Bearer {token}".encode())
    assert access is not None
    assert access.may_call == calls
