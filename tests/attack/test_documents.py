"""M1–M3: clients that are identified by the URL of their metadata document, against a real TLS server."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from gatekit.model.audit import ClientEvent
from gatekit.model.oauth import Client
from gatekit.platform.addresses import Address
from gatekit.platform.clock import SystemClock
from gatekit.platform.limits import Rate
from gatekit.platform.outbound import Outbound
from tests.attack.signing import Signer
from tests.attack.world import LOOPBACK, World, returned, world_in
from tests.emulators.serving import serving
from tests.support.tls import certificate_for

HOST = "app.example"


class Publisher:
    """The client's own web server."""

    def __init__(self) -> None:
        self.origin = ""
        self.fetched = 0
        self.changes: dict[str, Any] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.raw: bytes | None = None
        self.keys: dict[str, Any] = {"keys": []}
        self.keys_fetched = 0
        self.delay = 0.0
        self.app = Starlette(
            routes=[
                Route("/client.json", self.document),
                Route("/keys.json", self.published_keys),
                Route("/moved.json", self.moved),
                Route("/huge.json", self.huge),
            ]
        )

    @property
    def client_id(self) -> str:
        return f"{self.origin}/client.json"

    @property
    def client(self) -> dict[str, Any]:
        return {"client_id": self.client_id, "redirect_uris": [LOOPBACK]}

    async def document(self, _request: Request) -> Response:
        self.fetched += 1
        await asyncio.sleep(self.delay)
        content = {
            "client_id": self.client_id,
            "client_name": "Documented",
            "redirect_uris": [LOOPBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            **self.changes,
        }
        body = self.raw if self.raw is not None else json.dumps(content).encode()
        return Response(body, self.status, {"content-type": "application/json", **self.headers})

    async def published_keys(self, _request: Request) -> Response:
        self.keys_fetched += 1
        return Response(json.dumps(self.keys), 200, {"content-type": "application/jwk-set+json"})

    async def moved(self, _request: Request) -> Response:
        return RedirectResponse(self.client_id)

    async def huge(self, _request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 1000

        return StreamingResponse(chunks(), media_type="application/json")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_for(HOST, tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def publisher(certificate: tuple[Path, Path]) -> AsyncIterator[Publisher]:
    found = Publisher()
    async with serving(found.app, certificate=certificate) as origin:
        found.origin = f"https://{HOST}:{origin.rpartition(':')[2]}"
        yield found


async def resolve(host: str, _port: int) -> Sequence[Address]:
    if host not in (HOST, "inside.example"):
        raise OSError("Name or service not known")
    return [ipaddress.ip_address("127.0.0.1")]


def fetch_with(certificate: tuple[Path, Path]) -> Any:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    return Outbound(SystemClock(), [HOST], resolve=resolve, tls=trusting).fetch


@pytest.fixture
async def world(tmp_path: Path, template: Path, certificate: tuple[Path, Path]) -> AsyncIterator[World]:
    async with world_in(tmp_path, template, fetch=fetch_with(certificate)) as found:
        yield found


async def refused(world: World, client_id: str) -> str:
    """The page that a person sees instead of the sign-in page."""
    url = world.authorize_url({"client_id": client_id, "redirect_uris": [LOOPBACK]})
    page = await world.browser().visit(url)
    assert page.status_code == 400, page.text
    assert not await world.store.clients.get(client_id)
    return page.text


async def test_the_whole_way(world: World, publisher: Publisher) -> None:
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert document["client_id_metadata_document_supported"] is True
    browser = world.browser()
    page = await world.sign_in(browser, world.authorize_url(publisher.client))
    assert "Documented" in page.text
    assert f'Published by</dt><dd><bdi class="name">{publisher.origin[8:]}' in page.text  # B6
    answer = returned(await world.approve(browser, page))
    tokens = (await world.redeem(publisher.client, answer["code"])).json()
    assert await world.alive(tokens["access_token"])
    assert (await world.refresh(publisher.client, tokens["refresh_token"])).status_code == 200
    assert publisher.fetched == 1
    assert world.trail.named(ClientEvent, action="registered", client_id=publisher.client_id)


async def test_not_announced_and_not_fetched_unless_switched_on(tmp_path: Path, template: Path) -> None:
    async with world_in(tmp_path, template) as world:
        page = await world.browser().visit(
            world.authorize_url({"client_id": "https://app.example/c.json", "redirect_uris": [LOOPBACK]})
        )
        assert page.status_code == 400
        assert "not known here" in page.text


async def test_M1_a_document_is_believed_for_as_long_as_it_says_within_bounds(
    world: World, publisher: Publisher
) -> None:
    for said, believed in (("max-age=5", 300), ("public, max-age=1000", 1000), ("max-age=999999999", 86_400)):
        publisher.headers = {"cache-control": said}
        before = publisher.fetched
        for wait in (0, believed - 2, 3):
            world.clock.advance(wait)
            await world.browser().visit(world.authorize_url(publisher.client))
        assert publisher.fetched == before + 2, said
        world.clock.advance(90_000)


async def test_M1_an_error_is_never_remembered(world: World, publisher: Publisher) -> None:
    publisher.status = 500
    assert "status 500" in await refused(world, publisher.client_id)
    publisher.status = 200
    page = await world.browser().visit(world.authorize_url(publisher.client))
    assert page.status_code == 200
    assert world.trail.named(ClientEvent, action="refused", reason="the answer has status 500")


async def test_M1_parallel_fetches_are_one(world: World, publisher: Publisher) -> None:
    publisher.delay = 0.2
    url = world.authorize_url(publisher.client)
    pages = await asyncio.gather(*(world.browser().visit(url) for _ in range(10)))
    assert [page.status_code for page in pages] == [200] * 10
    assert publisher.fetched == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://other.example/client.json"},
        {"client_name": ""},
        {"client_name": 5},
        {"redirect_uris": []},
        {"redirect_uris": "http://127.0.0.1/callback"},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"client_secret": "s"},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"jwks": {"keys": [{"kty": "EC", "d": "private"}]}},
        {"grant_types": ["implicit"]},
    ],
)
async def test_M1_what_a_document_may_not_say(
    world: World, publisher: Publisher, changes: dict[str, Any]
) -> None:
    publisher.changes = changes
    assert "cannot be identified" in await refused(world, publisher.client_id)


NO_DOCUMENTS = (b"", b"[]", b"null", b"{", b'{"client_id":1,"client_id":2}', b"\xff", b"[" * 4000)


@pytest.mark.parametrize("raw", NO_DOCUMENTS)
async def test_M1_what_is_not_a_document(world: World, publisher: Publisher, raw: bytes) -> None:
    publisher.raw = raw
    assert "cannot be identified" in await refused(world, publisher.client_id)


async def test_M1_media_type(world: World, publisher: Publisher) -> None:
    publisher.headers = {"content-type": "text/html"}
    assert "not JSON" in await refused(world, publisher.client_id)


async def test_M1_redirects_are_not_followed(world: World, publisher: Publisher) -> None:
    assert "status 307" in await refused(world, f"{publisher.origin}/moved.json")
    assert publisher.fetched == 0


async def test_M1_size(world: World, publisher: Publisher) -> None:
    assert "larger than" in await refused(world, f"{publisher.origin}/huge.json")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/a/../client.json",
        "/a/%2e%2e/client.json",
        "/./client.json",
        "/client.json?x=1",
        "/client.json#x",
        "/client.json?",
        "/dir/",
        "/" + "a" * 600,
    ],
)
async def test_M1_addresses_that_cannot_name_a_client(world: World, publisher: Publisher, path: str) -> None:
    await refused(world, publisher.origin + path)
    assert publisher.fetched == 0


async def test_M1_user_names_in_the_address(world: World, publisher: Publisher) -> None:
    await refused(world, publisher.client_id.replace("https://", "https://user@"))
    assert publisher.fetched == 0


async def test_M2_private_addresses_are_not_dialled(world: World, publisher: Publisher) -> None:
    """I2: Private addresses are not dialled."""
    port = publisher.origin.rpartition(":")[2]
    for host in ("127.0.0.1", "[::1]", "inside.example", "169.254.169.254", "2130706433"):
        await refused(world, f"https://{host}:{port}/client.json")
    assert publisher.fetched == 0


async def test_trust_by_domain(
    tmp_path: Path, template: Path, certificate: tuple[Path, Path], publisher: Publisher
) -> None:
    """I10: Trust by domain."""
    fetch = fetch_with(certificate)
    for domains, status in ((("other.example",), 400), (("*.app.example",), 400), (("*.example",), 200)):
        folder = tmp_path / domains[0].replace("*", "all")
        async with world_in(folder, template, fetch=fetch, document_domains=domains) as world:
            page = await world.browser().visit(world.authorize_url(publisher.client))
            assert page.status_code == status


async def test_what_an_administrator_decided_stays(world: World, publisher: Publisher) -> None:
    """K3: What an administrator decided stays."""
    await world.tokens(publisher.client)
    await world.store.clients.set_disabled(publisher.client_id, True)
    world.clock.advance(90_000)
    publisher.changes = {"client_name": "Renamed"}
    page = await world.browser().visit(world.authorize_url(publisher.client))
    assert page.status_code == 400
    known = await world.store.clients.get(publisher.client_id)
    assert known
    assert (known.disabled, known.name) == (True, "Renamed")
    await world.store.clients.delete(publisher.client_id)
    world.clock.advance(90_000)
    await refused(world, publisher.client_id)


async def test_a_changed_redirect_uri_asks_for_consent_again(world: World, publisher: Publisher) -> None:
    """B1, I10: A changed redirect URI asks for consent again."""
    await world.tokens(publisher.client)
    world.clock.advance(90_000)
    publisher.changes = {"redirect_uris": ["https://app.example/back"]}
    browser = world.browser()
    gone = await browser.visit(world.authorize_url(publisher.client))
    assert gone.status_code == 400  # the old one is not registered any more
    moved = {**publisher.client, "redirect_uris": ["https://app.example/back"]}
    page = await world.sign_in(browser, world.authorize_url(moved))
    assert "Published by" in page.text
    assert world.trail.named(ClientEvent, action="changed")


async def test_M3_the_token_endpoint_says_no_more_than_unknown(world: World, publisher: Publisher) -> None:
    publisher.status = 404
    answer = await world.redeem(publisher.client, "gk_ac_x")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert "404" not in answer.text


async def test_K1_a_document_that_nobody_used_is_forgotten(world: World, publisher: Publisher) -> None:
    await world.browser().visit(world.authorize_url(publisher.client))
    assert await world.store.clients.get(publisher.client_id)
    world.clock.advance(90_000)
    await world.server.tidy()
    assert not await world.store.clients.get(publisher.client_id)


async def test_a_stranger_cannot_make_us_fetch_without_end(world: World, publisher: Publisher) -> None:
    """K1, M1: A stranger cannot make us fetch without end."""
    browser = world.browser()
    publisher.status = 404
    for number in range(60):
        await browser.visit(
            world.authorize_url(
                {"client_id": f"{publisher.origin}/{number}.json", "redirect_uris": [LOOPBACK]}
            )
        )
    last = await refused(world, f"{publisher.origin}/last.json")
    assert "too many" in last
    recorded = len(world.trail.named(ClientEvent, action="refused"))
    for number in range(20):  # the token endpoint asks before it knows who is there
        await world.redeem({**publisher.client, "client_id": f"https://{number}.example/?bad"}, "gk_ac_x")
    assert len(world.trail.named(ClientEvent, action="refused")) == recorded


async def test_a_forgotten_row_is_fetched_again_though_its_document_is_fresh(
    world: World, publisher: Publisher
) -> None:
    publisher.headers = {"cache-control": "max-age=86400"}
    url = world.authorize_url(publisher.client)
    await world.browser().visit(url)
    world.clock.advance(80_000)
    publisher.changes = {"client_name": "Renamed"}
    world.clock.advance(7_000)
    await world.browser().visit(url)  # fetched anew, the row is the old one
    await world.server.tidy()
    assert not await world.store.clients.get(publisher.client_id)
    assert (await world.browser().visit(url)).status_code == 200


def described_keys(publisher: Publisher, signer: Signer, inline: bool) -> None:
    """The client publishes its key, in its document or beside it."""
    publisher.keys = signer.jwks
    keys = {"jwks": signer.jwks} if inline else {"jwks_uri": f"{publisher.origin}/keys.json"}
    publisher.changes = {"token_endpoint_auth_method": "private_key_jwt", **keys}


@pytest.mark.parametrize("inline", [True, False], ids=["jwks", "jwks_uri"])
async def test_A2_a_documented_client_signs(world: World, publisher: Publisher, inline: bool) -> None:
    """A2, M1: a client known by its URL alone proves itself with the keys that it publishes."""
    signer = Signer()
    described_keys(publisher, signer, inline)
    client = publisher.client
    code = await world.code(client)
    for wrong in ({}, Signer().fields(world, publisher.client_id)):
        assert (await world.redeem(client, code, **wrong)).status_code == 401
    answer = await world.redeem(client, code, **signer.fields(world, publisher.client_id))
    assert answer.status_code == 200, answer.text
    assert await world.alive(answer.json()["access_token"])
    assert publisher.keys_fetched == (0 if inline else 1)


async def test_A2_keys_that_rolled_over_are_looked_for_with_restraint(
    world: World, publisher: Publisher
) -> None:
    """A2, T6: a key of a new name is found at the next look; made-up names cause one look in 30 seconds."""
    old, new = Signer(kid="old"), Signer(kid="new")
    described_keys(publisher, old, inline=False)
    client, ident = publisher.client, publisher.client_id
    tokens = (await world.redeem(client, await world.code(client), **old.fields(world, ident))).json()
    refreshing = tokens["refresh_token"]
    publisher.keys = {"keys": [*old.jwks["keys"], *new.jwks["keys"]]}
    world.clock.advance(31)
    for _ in range(5):
        made_up = Signer(kid="made up").fields(world, ident)
        assert (await world.refresh(client, refreshing, **made_up)).status_code == 401
    assert publisher.keys_fetched == 2
    assert (await world.refresh(client, refreshing, **new.fields(world, ident))).status_code == 200
    assert publisher.keys_fetched == 2


async def test_M2_key_sets_at_inward_addresses_are_not_fetched(world: World, publisher: Publisher) -> None:
    """M2: a jwks_uri of a stranger leads nowhere that its document could not be."""
    port = publisher.origin.rpartition(":")[2]
    signer = Signer()
    for host in ("127.0.0.1", "inside.example", "169.254.169.254", "[::ffff:127.0.0.1]"):
        uri = f"https://{host}:{port}/keys.json"
        client = await world.register(token_endpoint_auth_method="private_key_jwt", jwks_uri=uri)
        answer = await world.refresh(client, "gk_rt_x", **signer.fields(world, client["client_id"]))
        assert answer.status_code == 503
        assert host not in answer.text
    assert publisher.keys_fetched == 0


async def test_K1_key_sets_of_strangers_are_fetched_within_a_budget(
    tmp_path: Path, template: Path, certificate: tuple[Path, Path], publisher: Publisher
) -> None:
    """K1: whoever registers many clients cannot use us to knock at somebody's server without end."""
    few = Rate(10, 1)
    async with world_in(tmp_path, template, fetch=fetch_with(certificate), registration_global=few) as world:
        clients = [
            await world.register(
                token_endpoint_auth_method="private_key_jwt",
                jwks_uri=f"{publisher.origin}/keys.json?{number}",
            )
            for number in range(10)
        ]
        for _ in range(3):
            for client in clients:
                fields = Signer().fields(world, client["client_id"])
                assert (await world.refresh(client, "gk_rt_x", **fields)).status_code in (401, 503)
            world.clock.advance(31)
    assert 10 <= publisher.keys_fetched <= 11


async def test_M3_the_operators_word_wins_over_the_clients_own(world: World, publisher: Publisher) -> None:
    """M3: a pre-registered client whose identifier is a URL is not fetched and cannot change itself."""
    signer = Signer()
    configured = Client(
        id=publisher.client_id,
        name="Named by the operator",
        redirect_uris=(LOOPBACK,),
        auth_method="private_key_jwt",
        jwks=json.dumps(signer.jwks),
        source="configured",
    )
    await world.store.clients.configure([configured])
    page = await world.sign_in(world.browser(), world.authorize_url(publisher.client))
    assert "Named by the operator" in page.text
    code = await world.code(publisher.client)
    assert (await world.redeem(publisher.client, code)).status_code == 401
    fields = signer.fields(world, publisher.client_id)
    assert (await world.redeem(publisher.client, code, **fields)).status_code == 200
    assert publisher.fetched == 0
