"""The only HTTP client, against real servers on loopback (checklist M2, F6)."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import ssl
import traceback
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from gatekit.errors import OutboundRefused
from gatekit.platform.addresses import Address
from gatekit.platform.clock import SystemClock
from gatekit.platform.outbound import Outbound
from gatekit.platform.targets import parse
from tests.emulators.serving import serving
from tests.support.tls import certificate_for

LOOPBACK = ipaddress.ip_address("127.0.0.1")


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": {**request.headers},
            "body": body.decode(),
        },
        headers={"X-Twice": "1"},
    )


async def large(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    return StreamingResponse(chunks())


async def declared(request: Request) -> Response:
    return Response(b"x" * 2000)


async def slow(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        while True:  # each byte in time, the whole never
            yield b"x"
            await asyncio.sleep(0.05)

    return StreamingResponse(chunks())


async def squeezed(request: Request) -> Response:
    return Response(gzip.compress(b"\0" * 10_000_000), headers={"Content-Encoding": "gzip"})


async def hop(request: Request) -> Response:
    left = int(request.query_params.get("n", "1"))
    return RedirectResponse(f"/hop?n={left - 1}" if left > 1 else "/echo", 302)


async def away(request: Request) -> Response:
    return RedirectResponse(request.query_params["to"], 307)


APP = Starlette(
    routes=[
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/large", large),
        Route("/declared", declared),
        Route("/slow", slow),
        Route("/squeezed", squeezed),
        Route("/hop", hop),
        Route("/away", away, methods=["GET", "POST"]),
    ]
)


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    async with serving(APP) as url:
        yield url


@pytest.fixture
def outbound() -> Outbound:
    return Outbound(SystemClock(), ["127.0.0.1"])


class Names:
    """A name server that the test controls, and a record of what was asked."""

    def __init__(self, **answers: str) -> None:
        self.answers = {name.replace("_", "."): text.split() for name, text in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        if host not in self.answers:
            raise OSError("Name or service not known")
        return [ipaddress.ip_address(text) for text in self.answers[host]]


async def test_a_form_a_json_body_and_raw_bytes(origin: str, outbound: Outbound) -> None:
    form = await outbound.fetch("POST", f"{origin}/echo", form={"a": "1 &=", "b": "é"})
    assert form.status == 200
    assert form.headers["x-twice"] == "1"
    assert b'"body":"a=1+%26%3D&b=%C3%A9"' in form.body
    assert b"application/x-www-form-urlencoded" in form.body
    sent = await outbound.fetch("POST", f"{origin}/echo", json={"a": [1]})
    assert b'"body":"{\\"a\\":[1]}"' in sent.body
    raw = await outbound.fetch("POST", f"{origin}/echo?q=1", body=b"raw", headers={"X-Mine": "yes"})
    assert b'"body":"raw"' in raw.body
    assert b'"x-mine":"yes"' in raw.body
    assert b'"query":"q=1"' in raw.body


async def test_host_header_names_the_host_and_no_encoding_is_asked_for(origin: str) -> None:
    names = Names(ghe_example="127.0.0.1")
    port = origin.rpartition(":")[2]
    answer = await Outbound(SystemClock(), ["ghe.example"], resolve=names).fetch(
        "GET", f"http://ghe.example:{port}/echo"
    )
    assert f'"host":"ghe.example:{port}"'.encode() in answer.body
    assert b'"accept-encoding":"identity"' in answer.body


async def test_M2_loopback_is_refused_unless_allowed(origin: str) -> None:
    for url in (origin, origin.replace("127.0.0.1", "localhost")):
        with pytest.raises(OutboundRefused, match="https"):
            await Outbound(SystemClock()).fetch("GET", f"{url}/echo")
        with pytest.raises(OutboundRefused, match="not a public address"):
            await Outbound(SystemClock()).fetch("GET", f"{url}/echo".replace("http:", "https:"))


@pytest.mark.parametrize(
    "addresses",
    [
        "127.0.0.1",
        "10.0.0.8",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "8.8.8.8 127.0.0.1",
        "8.8.8.8 ::1",
    ],
)
async def test_M2_a_name_with_any_bad_address_is_refused(addresses: str) -> None:
    outbound = Outbound(SystemClock(), resolve=Names(rebind_example=addresses))
    with pytest.raises(OutboundRefused, match=r"rebind\.example: resolves to"):
        await outbound.fetch("GET", "https://rebind.example/")


async def test_M2_metadata_is_refused_even_for_an_allowed_name() -> None:
    outbound = Outbound(SystemClock(), ["ghe.example"], resolve=Names(ghe_example="169.254.169.254"))
    with pytest.raises(OutboundRefused, match="metadata"):
        await outbound.fetch("GET", "http://ghe.example/latest/meta-data/")


async def test_M2_the_name_is_asked_once_and_the_checked_address_is_dialled(origin: str) -> None:
    """I2: The name is asked once and the checked address is dialled."""
    names = Names(ghe_example="127.0.0.1")
    port = origin.rpartition(":")[2]
    await Outbound(SystemClock(), ["ghe.example"], resolve=names).fetch(
        "GET", f"http://ghe.example:{port}/echo"
    )
    assert names.asked == ["ghe.example"]  # nothing else knows that name, so nothing else resolved it


@pytest.mark.parametrize(
    "url",
    [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://user@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com:0/",
        "https://example.com:/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com\\@evil.example/",
        "https://example.com/#fragment",
        "https://ex%61mple.com/",
        "https://exämple.com/",
        "https://[::1%25eth0]/",
        "https://[::g]/",
        "https:///path",
        "https://-example.com/",
        "https://" + "a" * 300 + ".example/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://127.0.0.1:6379/_INFO",
        "//example.com/",
        "",
    ],
)
async def test_M2_urls_that_parsers_read_differently(url: str) -> None:
    names = Names()
    with pytest.raises(OutboundRefused):
        await Outbound(SystemClock(), resolve=names).fetch("GET", url)
    assert names.asked == []


def test_urls_that_are_fine() -> None:
    target = parse("HTTPS://Example.COM:8443/a%20b?x=1")
    assert (target.host, target.port, target.path, target.authority) == (
        "example.com",
        8443,
        "/a%20b?x=1",
        "example.com:8443",
    )
    assert parse("https://[2001:db8::1]").authority == "[2001:db8::1]"
    assert parse("http://192.0.2.1:80/").authority == "192.0.2.1"
    assert parse("https://example.com").path == "/"


async def test_an_environment_proxy_is_not_used(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert (await Outbound(SystemClock(), ["127.0.0.1"]).fetch("GET", f"{origin}/echo")).status == 200


@pytest.mark.parametrize("path", ["/large", "/declared"])
async def test_size_is_capped_as_it_streams(origin: str, outbound: Outbound, path: str) -> None:
    with pytest.raises(OutboundRefused, match="larger than 1500"):
        await outbound.fetch("GET", f"{origin}{path}", max_bytes=1500)
    assert len((await outbound.fetch("GET", f"{origin}/declared", max_bytes=2000)).body) == 2000


async def test_time_covers_the_body(origin: str, outbound: Outbound) -> None:
    with pytest.raises(OutboundRefused, match=r"within 0\.3 s"):
        await outbound.fetch("GET", f"{origin}/slow", timeout=0.3)


async def test_a_compressed_answer_is_refused(origin: str, outbound: Outbound) -> None:
    with pytest.raises(OutboundRefused, match="compressed"):
        await outbound.fetch("GET", f"{origin}/squeezed")


async def test_a_redirect_is_an_answer_unless_asked_for(origin: str, outbound: Outbound) -> None:
    answer = await outbound.fetch("GET", f"{origin}/hop?n=2")
    assert (answer.status, answer.headers["location"]) == (302, "/hop?n=1")
    followed = await outbound.fetch("GET", f"{origin}/hop?n=2", redirects=2)
    assert b'"path":"/echo"' in followed.body
    with pytest.raises(OutboundRefused, match="more than 2 redirects"):
        await outbound.fetch("GET", f"{origin}/hop?n=3", redirects=2)
    with pytest.raises(OutboundRefused, match="redirects a POST"):
        await outbound.fetch("POST", f"{origin}/away?to=/echo", redirects=2)


async def test_M2_each_hop_is_checked(origin: str, outbound: Outbound) -> None:
    """I2: Each hop is checked."""
    for to in ("http://169.254.169.254/", "https://10.0.0.1/", "file:///etc/passwd", "http://localhost/"):
        with pytest.raises(OutboundRefused):
            await outbound.fetch("GET", f"{origin}/away?to={to}", redirects=3)


async def test_credentials_do_not_follow_to_another_origin(origin: str) -> None:
    names = Names(other_example="127.0.0.1", ghe_example="127.0.0.1")
    outbound = Outbound(SystemClock(), ["other.example", "ghe.example"], resolve=names)
    port = origin.rpartition(":")[2]
    answer = await outbound.fetch(
        "GET",
        f"http://ghe.example:{port}/away?to=http://other.example:{port}/echo",
        headers={"Authorization": "Bearer secret", "Cookie": "a=b", "Accept": "x/y"},
        redirects=1,
    )
    assert b"secret" not in answer.body
    assert b"cookie" not in answer.body
    assert b'"accept":"x/y"' in answer.body
    here = await outbound.fetch(
        "GET",
        f"http://ghe.example:{port}/away?to=/echo",
        headers={"Authorization": "Bearer secret"},
        redirects=1,
    )
    assert b"Bearer secret" in here.body


async def test_a_dead_address_is_passed_over(origin: str) -> None:
    names = Names(ghe_example="127.0.0.9 127.0.0.1")  # nothing listens on .9
    port = origin.rpartition(":")[2]
    outbound = Outbound(SystemClock(), ["ghe.example"], resolve=names)
    assert (await outbound.fetch("GET", f"http://ghe.example:{port}/echo")).status == 200


async def test_no_server_no_name_no_http() -> None:
    names = Names(ghe_example="127.0.0.1", empty_example="")
    outbound = Outbound(SystemClock(), ["ghe.example", "127.0.0.1"], resolve=names)
    for url, words in (
        ("http://ghe.example:1/", "cannot connect"),
        ("https://unknown.example/", "cannot be resolved"),
        ("https://empty.example/", "no address"),
    ):
        with pytest.raises(OutboundRefused, match=words):
            await outbound.fetch("GET", url)

    async def nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(OutboundRefused):
            await outbound.fetch("GET", f"http://ghe.example:{port}/")


# -- TLS ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for ghe.example: (chain, key)."""
    return certificate_for("ghe.example", tmp_path_factory.mktemp("tls"))


async def test_the_certificate_is_checked_against_the_name_not_the_address(
    authority: tuple[Path, Path],
) -> None:
    names = Names(ghe_example="127.0.0.1", other_example="127.0.0.1")
    trusting = ssl.create_default_context(cafile=str(authority[0]))
    allow = ["ghe.example", "other.example"]
    async with serving(APP, certificate=authority) as origin:
        port = origin.rpartition(":")[2]
        outbound = Outbound(SystemClock(), allow, resolve=names, tls=trusting)
        answer = await outbound.fetch("GET", f"https://ghe.example:{port}/echo")
        assert f'"host":"ghe.example:{port}"'.encode() in answer.body
        with pytest.raises(OutboundRefused, match="certificate"):
            await outbound.fetch("GET", f"https://other.example:{port}/echo")
        with pytest.raises(OutboundRefused, match="certificate"):  # the system does not know this authority
            await Outbound(SystemClock(), allow, resolve=names).fetch(
                "GET", f"https://ghe.example:{port}/echo"
            )


@pytest.mark.parametrize("value", ["Bearer gk_secret\n", "Bearer gk_secret\0", "Bearer gk_secret\xe9"])
async def test_a_header_that_cannot_be_sent_is_not_quoted(
    origin: str, outbound: Outbound, value: str
) -> None:
    with pytest.raises(OutboundRefused, match="a header that HTTP does not allow") as refused:
        await outbound.fetch("GET", f"{origin}/echo", headers={"authorization": value})
    assert "secret" not in "".join(traceback.format_exception(refused.value))
