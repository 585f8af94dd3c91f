"""Sign-in, refresh and step-up against a small strict authorization server over real HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.demo.gateway import free_port
from gatekit.errors import ChannelError
from gatekit.local.account.account import Account, Static
from gatekit.local.account.discover import challenge_of
from gatekit.local.account.exchange import revoke
from gatekit.local.account.keep import Keeper, Kept
from gatekit.local.account.signin import SignIn, Wishes
from gatekit.local.channel import Outgoing, messages
from gatekit.local.remote import RemoteChannel
from gatekit.platform.channel import Channel
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.platform.outbound import Outbound
from tests.emulators.protected import Protected, query_of, visit
from tests.emulators.serving import serving


@pytest.fixture
async def far() -> AsyncIterator[Protected]:
    protected = Protected()
    async with serving(protected.app) as origin:
        protected.origin = origin
        yield protected


class Bridge:
    """One bridge, as ``gatekit bridge`` puts it together."""

    def __init__(
        self,
        far: Protected,
        folder: Path,
        browse: Callable[[str], bool] = visit,
        patience: float = 5,
        **wishes: Any,
    ) -> None:
        clock = SystemClock()
        self.outbound = Outbound(clock, {"127.0.0.1"})
        self.keeper = Keeper(folder / "kept", far.url)
        self.told: list[str] = []
        fetch = self.outbound.fetch
        self.signin = SignIn(
            fetch, far.url, clock, SystemEntropy(), browse, self.told.append, Wishes(**wishes)
        )
        self.account = Account(fetch, self.keeper, self.signin, clock, patience)
        self.connections = Channel(self.outbound, clock, far.url)
        self.channel = RemoteChannel(self.connections, self.account)

    async def call(self, method: str = "tools/list") -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode()
        async with self.channel.open(
            Outgoing("POST", {"content-type": "application/json"}, body)
        ) as incoming:
            (event,) = [event async for event in messages(incoming)]
        answer = json.loads(event.data)["result"]
        assert isinstance(answer, dict)
        return answer

    async def close(self) -> None:
        await self.account.aclose()
        await self.connections.close()


@asynccontextmanager
async def bridge(far: Protected, folder: Path, **options: Any) -> AsyncIterator[Bridge]:
    made = Bridge(far, folder, **options)
    try:
        yield made
    finally:
        await made.close()


async def test_the_first_refusal_leads_to_a_sign_in_and_later_starts_need_none(
    far: Protected, tmp_path: Path
) -> None:
    for _ in range(2):
        async with bridge(far, tmp_path) as one:
            assert (await one.call())["held"] in far.tokens
    (registration,) = far.seen.registrations
    assert registration["token_endpoint_auth_method"] == "none"
    assert registration["application_type"] == "native"
    (asked,) = far.seen.authorize
    assert asked["resource"] == far.url
    assert asked["scope"] == "mcp"
    assert far.seen.token[0]["resource"] == far.url
    kept = next((tmp_path / "kept").glob("*.json"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


async def test_an_old_token_is_renewed_before_it_ends(far: Protected, tmp_path: Path) -> None:
    async with bridge(far, tmp_path) as one:
        first = (await one.call())["held"]
        await one.keeper.write(replace(await one.keeper.read(), renew_at=1.0))
    async with bridge(far, tmp_path) as one:
        assert (await one.call())["held"] != first
    assert [form["grant_type"] for form in far.seen.token] == ["authorization_code", "refresh_token"]
    assert far.seen.refused == 1, "renewed before it was refused"


async def test_parallel_bridges_sign_in_once_and_renew_once(far: Protected, tmp_path: Path) -> None:
    """Each use of a refresh token after the first would fell the grant of all of them."""
    many = [Bridge(far, tmp_path) for _ in range(4)]
    held = await asyncio.gather(*(each.call() for each in many))
    assert len({each["held"] for each in held}) == 1
    assert len(far.seen.authorize) == 1
    far.tokens.clear()  # as if they had expired
    held = await asyncio.gather(*(each.call() for each in many for _ in range(3)))
    assert len({each["held"] for each in held}) == 1
    assert [form["grant_type"] for form in far.seen.token] == ["authorization_code", "refresh_token"]
    for each in many:
        await each.close()


async def test_a_grant_that_fell_leads_to_a_new_sign_in_with_the_same_client(
    far: Protected, tmp_path: Path
) -> None:
    async with bridge(far, tmp_path) as one:
        await one.call()
        far.tokens.clear()
        far.refreshes.clear()
        await one.call()
    assert len(far.seen.authorize) == 2
    assert len(far.seen.registrations) == 1
    assert far.seen.authorize[0]["redirect_uri"] == far.seen.authorize[1]["redirect_uri"]


async def test_a_client_that_is_not_known_any_more_registers_anew(far: Protected, tmp_path: Path) -> None:
    async with bridge(far, tmp_path) as one:
        await one.call()
        far.tokens.clear()
        far.clients.clear()
        await one.call()
    assert len(far.seen.registrations) == 2


async def test_a_step_up_asks_for_more_and_loses_nothing(far: Protected, tmp_path: Path) -> None:
    async with bridge(far, tmp_path) as one:
        await one.call()
        far.faults.scope = "write"
        await one.call("tools/call")
    assert [asked["scope"] for asked in far.seen.authorize] == ["mcp", "mcp write"]


async def test_a_step_up_that_brings_nothing_is_not_tried_for_ever(far: Protected, tmp_path: Path) -> None:
    async with bridge(far, tmp_path) as one:
        await one.call()
        far.faults.scope = "write"
        far._issued = lambda scope: type(far)._issued(far, "mcp")  # type: ignore[method-assign]
        with pytest.raises(ChannelError, match="does not reach that far: write"):
            await one.call("tools/call")
    assert len(far.seen.authorize) == 2


async def test_a_confidential_client_authenticates(far: Protected, tmp_path: Path) -> None:
    far.faults.secret = True
    async with bridge(far, tmp_path) as one:
        await one.call()
    assert far.seen.token[0]["basic"] == "client1:s%3Ae%2Bc%20r"


async def test_a_client_that_was_registered_by_hand(far: Protected, tmp_path: Path) -> None:
    class Anywhere(list[str]):
        def __contains__(self, _item: object) -> bool:
            return True

    far.clients["mine"] = {"client_id": "mine", "redirect_uris": Anywhere()}
    async with bridge(far, tmp_path, client_id="mine") as one:
        await one.call()
    assert not far.seen.registrations


async def test_the_secret_of_a_client_registered_by_hand_stays_with_its_issuer(
    far: Protected, tmp_path: Path
) -> None:
    mine = {"client_id": "mine", "client_secret": "s:e+c r"}
    async with bridge(far, tmp_path, **mine) as one:
        await one.keeper.write(Kept(url=far.url, issuer="https://old.example", client_id="mine"))
        with pytest.raises(ChannelError, match=r"belongs to https://old\.example: .* bridge logout"):
            await one.call()
    assert not far.seen.authorize
    assert not far.seen.token


DESCRIBED = "https://client.example/bridge.json"


def accept_described(far: Protected, redirect: str) -> None:
    far.faults.metadata["client_id_metadata_document_supported"] = True
    far.clients[DESCRIBED] = {"client_id": DESCRIBED, "redirect_uris": [redirect]}


async def test_a_client_that_describes_itself_does_not_register(far: Protected, tmp_path: Path) -> None:
    port = free_port(0)
    accept_described(far, f"http://127.0.0.1:{port}/callback")
    async with bridge(far, tmp_path) as one:
        await one.call()  # registers, for it was told of no document
        far.tokens.clear()
        far.refreshes.clear()
    async with bridge(far, tmp_path, client_metadata_url=DESCRIBED, port=port) as one:
        await one.call()
        far.tokens.clear()
        await one.call()  # renews as the same client
    assert [asked["client_id"] for asked in far.seen.authorize] == ["client1", DESCRIBED]
    assert far.seen.token[-1]["grant_type"] == "refresh_token"
    assert far.seen.token[-1]["client_id"] == DESCRIBED


async def test_a_client_that_describes_itself_registers_where_that_is_not_taken(
    far: Protected, tmp_path: Path
) -> None:
    async with bridge(far, tmp_path, client_metadata_url=DESCRIBED) as one:
        await one.call()
    assert far.seen.authorize[0]["client_id"] == "client1"


async def test_a_client_registered_by_hand_comes_before_one_that_describes_itself(
    far: Protected, tmp_path: Path
) -> None:
    port = free_port(0)
    redirect = f"http://127.0.0.1:{port}/callback"
    accept_described(far, redirect)
    far.clients["mine"] = {"client_id": "mine", "redirect_uris": [redirect]}
    wishes = {"client_id": "mine", "client_metadata_url": DESCRIBED, "port": port}
    async with bridge(far, tmp_path, **wishes) as one:
        await one.call()
    assert far.seen.authorize[0]["client_id"] == "mine"


@pytest.mark.parametrize(
    ("supported", "challenged", "wishes", "asked"),
    [
        (["mcp", "offline_access"], "mcp", {}, "mcp offline_access"),
        (["mcp"], "mcp", {}, "mcp"),
        (["mcp", "offline_access"], "mcp", {"scope": "read"}, "read"),
        (["offline_access"], "", {}, None),
    ],
)
async def test_a_sign_in_that_lasts_is_asked_for_where_it_is_offered(
    far: Protected, tmp_path: Path, supported: list[str], challenged: str, wishes: dict[str, Any], asked: str
) -> None:
    far.faults.metadata["scopes_supported"] = supported
    far.faults.challenged = challenged
    far.faults.resource["scopes_supported"] = None
    async with bridge(far, tmp_path, **wishes) as one:
        await one.call()
    assert far.seen.authorize[0].get("scope") == asked


async def test_a_port_that_was_agreed_on(far: Protected, tmp_path: Path) -> None:
    port = free_port(0)
    redirect = f"http://127.0.0.1:{port}/callback"
    far.clients["mine"] = {"client_id": "mine", "redirect_uris": [redirect]}
    async with bridge(far, tmp_path, client_id="mine", port=port) as one:
        await one.call()
    async with bridge(far, tmp_path / "other", port=port) as one:
        await one.call()
    assert [each["redirect_uris"] for each in far.seen.registrations] == [[redirect]]
    assert [each["redirect_uri"] for each in far.seen.authorize] == [redirect, redirect]


async def test_a_port_that_is_taken_is_said(far: Protected, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with bridge(far, tmp_path, port=taken.getsockname()[1]) as one:
            with pytest.raises(ChannelError, match="is taken"):
                await one.call()


async def test_a_server_without_resource_metadata_is_its_own_issuer(far: Protected, tmp_path: Path) -> None:
    far.faults.no_resource_metadata, far.faults.challenge = True, False
    async with bridge(far, tmp_path) as one:
        await one.call()
    assert far.seen.authorize[0]["resource"] == far.url


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"resource": {"resource": "https://other.example/mcp"}}, "this is another one"),
        ({"resource": {"authorization_servers": []}}, "names no authorization server"),
        ({"metadata": {"issuer": "https://evil.example"}}, "is that of 'https://evil.example'"),
        ({"metadata": {"code_challenge_methods_supported": None}}, "PKCE"),
        ({"metadata": {"registration_endpoint": None}}, "--client-id"),
        ({"metadata": {"authorization_endpoint": "javascript:alert(1)"}}, "no web page"),
        ({"metadata": {"token_endpoint": 7}}, "cannot be used"),
        ({"iss": "https://evil.example"}, "answered by 'https://evil.example'"),
        ({"iss": ""}, "answered by None"),
        ({"refuses": "access_denied"}, "refused: access_denied"),
    ],
)
async def test_what_is_not_right_is_said_and_nothing_is_kept(
    far: Protected, tmp_path: Path, faults: dict[str, Any], words: str
) -> None:
    """I1, I11: What is not right is said and nothing is kept."""
    for name, value in faults.items():
        setattr(far.faults, name, value)
    async with bridge(far, tmp_path) as one:
        with pytest.raises(ChannelError, match=words):
            await one.call()
        assert (await one.keeper.read()) == Kept(url=far.url)
    assert not far.seen.token


async def test_a_parent_of_the_endpoint_may_be_the_resource(far: Protected, tmp_path: Path) -> None:
    far.faults.resource = {"resource": far.origin}
    async with bridge(far, tmp_path) as one:
        await one.call()
    assert far.seen.token[0]["resource"] == far.origin


async def test_who_waits_is_told_what_to_open_and_the_sign_in_goes_on(far: Protected, tmp_path: Path) -> None:
    shown: list[str] = []

    def browse(url: str) -> bool:
        shown.append(url)
        return True

    async with bridge(far, tmp_path, browse=browse, patience=0.3) as one:
        with pytest.raises(ChannelError, match="sign in first: open http"):
            await one.call()
        (url,) = shown
        assert url in one.told[0]
        await asyncio.to_thread(visit, url)
        deadline = asyncio.get_running_loop().time() + 5
        while True:
            try:
                await one.call()
                break
            except ChannelError:
                assert asyncio.get_running_loop().time() < deadline
    assert len(far.seen.authorize) == 1


async def test_only_what_the_client_asks_for_opens_a_browser(far: Protected, tmp_path: Path) -> None:
    async with bridge(far, tmp_path) as one:
        for method in ("GET", "DELETE"):
            with pytest.raises(ChannelError, match="sign"):
                async with one.channel.open(Outgoing(method, {})):
                    pass
        assert not far.seen.authorize
        await one.call()
        far.tokens.clear()
        with pytest.raises(ChannelError, match="not valid any more"):
            async with one.channel.open(Outgoing("DELETE", {})):
                pass
        assert [form["grant_type"] for form in far.seen.token] == ["authorization_code"]
        async with one.channel.open(Outgoing("GET", {})) as incoming:
            assert incoming.status == 405, "it has no stream, but the token was renewed"
        assert len(far.seen.authorize) == 1


async def test_a_failed_sign_in_opens_no_second_window_at_once(
    far: Protected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.faults.refuses = "access_denied"
    async with bridge(far, tmp_path) as one:
        for _ in range(3):
            with pytest.raises(ChannelError, match="access_denied"):
                await one.call()
        assert len(far.seen.authorize) == 1
        monkeypatch.setattr("gatekit.local.account.account.PAUSE", 0)
        far.faults.refuses = ""
        await one.call()
    assert len(far.seen.authorize) == 2


async def test_only_the_browser_that_was_sent_is_believed(far: Protected, tmp_path: Path) -> None:
    """B2: RFC 9700 §4.7: another program may bring a code of its own; without the state it is not taken."""
    statuses: list[int] = []

    def browse(url: str) -> bool:
        redirect = query_of(url)["redirect_uri"]
        for knock in ("?code=mine&state=guess", "?code=mine", "?code=mine&state=a&state=b", "/../x?code=1"):
            try:
                urllib.request.urlopen(redirect + knock, timeout=5)
            except urllib.error.HTTPError as refused:
                statuses.append(refused.code)
        return visit(url)

    async with bridge(far, tmp_path, browse=browse) as one:
        await one.call()
    assert statuses == [400, 400, 400, 404]


@pytest.mark.parametrize("browser", [True, False])
async def test_a_sign_in_on_another_device(far: Protected, tmp_path: Path, browser: bool) -> None:
    far.pending = 2
    async with bridge(far, tmp_path, device=browser, browser=browser) as one:
        await one.call()
        assert one.told == [f"Sign in to {far.url}: open {far.origin}/code and enter the code ABCD-EFGH"]
    assert "urn:ietf:params:oauth:grant-type:device_code" in far.seen.registrations[0]["grant_types"]
    assert len(far.seen.token) == 3


async def test_slow_down_is_obeyed(far: Protected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekit.local.account.signin._SLOW_DOWN", 0.3)
    far.slow = 1
    async with bridge(far, tmp_path, device=True) as one:
        waited: list[float] = []
        sleep = asyncio.sleep

        async def counted(seconds: float) -> None:
            waited.append(seconds)
            await sleep(0)

        monkeypatch.setattr("gatekit.local.account.signin.asyncio.sleep", counted)
        await one.call()
    assert waited == [0.01, 0.31]


async def test_credentials_of_one_issuer_never_go_to_another(far: Protected, tmp_path: Path) -> None:
    """I11: Credentials of one issuer never go to another."""
    async with bridge(far, tmp_path) as one:
        kept = Kept(
            url=far.url,
            issuer="https://old.example",
            token_endpoint="https://old.example/token",
            client_id="old",
            client_secret="old secret",
            access_token="old token",
            scope="old",
        )
        await one.keeper.write(kept)
        await one.call()
        now = await one.keeper.read()
    assert now.issuer == far.origin
    assert "old" not in json.dumps([far.seen.token, far.seen.registrations, far.seen.authorize])


async def test_given_headers_are_sent_and_never_replaced_by_a_sign_in(far: Protected, tmp_path: Path) -> None:
    far.tokens["key"] = ""
    async with bridge(far, tmp_path) as one:
        one.channel = RemoteChannel(one.connections, Static({"authorization": "Bearer key"}))
        assert (await one.call())["held"] == "key"
        far.tokens.clear()
        with pytest.raises(ChannelError, match="give others with --header"):
            await one.call()
    assert not far.seen.authorize


async def test_signing_out_tells_the_server(far: Protected, tmp_path: Path) -> None:
    async with bridge(far, tmp_path) as one:
        await one.call()
        kept = await one.keeper.read()
        assert await revoke(one.outbound.fetch, kept)
        await one.keeper.forget()
        assert not (await one.keeper.read()).access_token
    assert far.seen.revoked == [kept.refresh_token]


async def test_a_kept_file_that_is_broken_is_as_none(far: Protected, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, far.url)
    await keeper.write(Kept(url=far.url, client_id="x"))
    (path,) = tmp_path.glob("*.json")
    for text in ("", "{", '{"url":"https://other.example","client_id":"x"}', '{"url":7}'):
        path.write_text(text)
        assert await keeper.read() == Kept(url=far.url)


async def test_a_server_that_restarts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekit.local.remote.REACH_SECONDS", 1.0)
    other = Protected()
    async with serving(other.app) as origin:
        other.origin = origin
    async with bridge(other, tmp_path) as one:
        counted = _Counted(one.connections)
        one.channel = RemoteChannel(counted, one.account)
        with pytest.raises(ChannelError, match="cannot be reached"):
            await asyncio.wait_for(one.call(), 30)
    assert counted.tries > 3


async def test_a_server_that_asks_to_come_back_is_asked_again(far: Protected, tmp_path: Path) -> None:
    far.faults.busy = 2
    async with bridge(far, tmp_path) as one:
        assert (await one.call())["held"] in far.tokens


class _Counted:
    def __init__(self, connections: Channel) -> None:
        self._connections = connections
        self.tries = 0

    async def open(self, *arguments: Any, **options: Any) -> Any:
        self.tries += 1
        return await self._connections.open(*arguments, **options)


class Ring:
    """A keyring in memory, with the interface of the optional package."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


async def test_with_a_keyring_no_secret_is_in_a_file(tmp_path: Path) -> None:
    ring = Ring()
    keeper = Keeper(tmp_path / "kept", "https://a.example/mcp", ring)
    kept = Kept(url="https://a.example/mcp", access_token="secret")
    async with keeper.locked():
        await keeper.write(kept)
    assert await keeper.read() == kept
    assert b"secret" not in b"".join(path.read_bytes() for path in (tmp_path / "kept").iterdir())
    await keeper.forget()
    await keeper.forget()
    assert not ring.kept


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", ("", "", "")),
        ("Bearer", ("", "", "")),
        ('Bearer scope="a b", error=invalid_token', ("", "a b", "invalid_token")),
        ('Basic realm="x", Bearer resource_metadata="https://a/b", scope="s"', ("https://a/b", "s", "")),
        ('bearer  error="insufficient_scope" ,scope="x \\"y\\""', ("", 'x "y"', "insufficient_scope")),
    ],
)
def test_challenges(header: str, wanted: tuple[str, str, str]) -> None:
    found = challenge_of(header)
    assert (found.resource_metadata, found.scope, found.error) == wanted
