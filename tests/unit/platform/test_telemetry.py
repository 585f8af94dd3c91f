"""Logging: one line an event, and no secret comes out (checklist B9)."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping

import pytest

from gatekit.platform.telemetry import about, redact, start_logging

SECRETS = {
    "bearer": "opaque-Bearer.value~123",
    "jwt": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl",
    "refresh": "gk_rt_Zm9vYmFyYmF6cXV4-_x",
    "code": "gk_ac_Zm9vYmFyYmF6cXV4",
    "key": "gk_key_Zm9vYmFyYmF6cXV4",
    "invite": "gk_inv_Zm9vYmFyYmF6cXV4",
    "session": "gk_bs_Zm9vYmFyYmF6cXV4",
    "github": "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "password": "hunter2hunter2",
    "verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "foreign-code": "SplxlOBeZQQYbYS6WxSbIA",
    "client-secret": "7Fjfp0ZBr1KtDRbnfVdmIw",
}

LINES: list[str] = [
    "Authorization: Bearer {bearer}",
    "authorization=Basic {bearer}",
    "headers=[(b'authorization', b'Bearer {bearer}'), (b'accept', b'*/*')]",
    "headers={{'Authorization': 'DPoP {bearer}', 'x': 'y'}}",
    "Proxy-Authorization: {bearer}",
    "sent bearer {bearer} upstream",
    "Cookie: gk_session={bearer}; theme=dark",
    "(b'cookie', b'__Host-gk_session={session}')",
    "Set-Cookie: gk_session={foreign-code}; HttpOnly",
    "X-Api-Key: {client-secret}",
    "token {jwt} refused",
    "rotated {refresh} from {code} by {key} at /invite/{invite}",
    "GET /callback/github?code={foreign-code}&state={verifier} 302",
    'GET /cb?code={foreign-code}#x "-"',
    "form: grant_type=refresh_token&refresh_token={foreign-code}&client_secret={client-secret}",
    "code_verifier={verifier}",
    '{{"access_token": "{github}", "token_type": "bearer"}}',
    '{{"access_token":"{foreign-code}","refresh_token":"{verifier}"}}',
    "{{'client_secret': '{client-secret}', 'password': '{password}'}}",
    "username=alice&password={password}",
    "password_again={password}",
    "github answered {github}",
    "-----BEGIN EC PRIVATE KEY-----\n{verifier}\n-----END EC PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n{verifier}",
    "client_assertion={jwt}",
    "csrf={foreign-code}",
]

Log = Callable[[], str]


@pytest.fixture
def started() -> Iterator[Callable[..., io.StringIO]]:
    """``started(environ)`` begins logging into a string; everything is put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def start(environ: Mapping[str, str] | None = None, stream: io.StringIO | None = None) -> io.StringIO:
        stream = stream or io.StringIO()
        start_logging(stream, environ=environ or {})
        return stream

    yield start
    root.handlers[:] = before
    root.setLevel(level)


def fill(line: str) -> str:
    for name, secret in SECRETS.items():
        line = line.replace("{" + name + "}", secret)
    return line.replace("{{", "{").replace("}}", "}")


def assert_clean(text: str) -> None:
    found = [name for name, secret in SECRETS.items() if secret in text]
    assert not found, text


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("style", ["", "json"])
def test_B9_no_secret_comes_out(started: Callable[..., io.StringIO], line: str, style: str) -> None:
    stream = started({"GATEKIT_LOG": style})
    log = logging.getLogger("gatekit.test")
    secret = fill(line)
    log.warning("plain " + secret)
    log.warning("argument %s", secret)
    log.warning("mapping %r", {"kept": secret})
    try:
        try:
            raise ValueError(secret)
        except ValueError as inner:
            raise RuntimeError("outer") from inner
    except RuntimeError:
        log.exception("failed with %s", secret)
    text = stream.getvalue()
    assert "***" in text
    assert_clean(text)
    assert_clean(text.replace("\\n", "\n").replace("\\", ""))


@pytest.mark.parametrize(
    "line",
    [
        "refused /token error=invalid_grant client=client_01KB3Q5T8N6V2W4X7Y9Z0ABCDE",
        "call server=files method=tools/call name=read_file code=-32603 seconds=0.012",
        "user=alice connection=github status=404 path=/user/orgs",
        "not ready part=audit reason=no space left on device",
        "request req_01KB3Q5T8N6V2W4X7Y9Z0ABCDE took 3 s",
        "tokens: 12 issued; token bucket full",
        "the basic idea of a cookie cutter",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert redact(line) == line


def test_a_token_keeps_the_prefix_that_says_what_it_was() -> None:
    assert redact("used gk_rt_Zm9vYmFyYmF6") == "used gk_rt_***"


def test_a_line_break_cannot_forge_a_line(started: Callable[..., io.StringIO]) -> None:
    stream = started()
    logging.getLogger("gatekit.oauth").info("client %s", "x\nERROR forged\r\x1b[2J\u202e\x85\x9b31m")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert not {"\r", "\x1b", "\u202e", "\x85", "\x9b"} & set(text)


def test_lines_for_people(started: Callable[..., io.StringIO]) -> None:
    stream = started({})
    logging.getLogger("gatekit.oauth").warning("refused path=%s", "/token")
    line = stream.getvalue()
    assert line.endswith("warning oauth: refused path=/token\n")
    assert "\x1b" not in line
    assert line[:2] == "20"
    assert "Z " in line


def test_lines_for_machines(started: Callable[..., io.StringIO]) -> None:
    stream = started({"GATEKIT_LOG": "json"})
    log = logging.getLogger("gatekit.oauth")
    log.info("first")
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("second")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == {"at": first["at"], "level": "info", "logger": "gatekit.oauth", "event": "first"}
    assert "ValueError: boom" in second["traceback"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal_that_wants_it(started: Callable[..., io.StringIO]) -> None:
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"GATEKIT_LOG": "json"}, False)):
        stream = started(environ, Terminal())
        logging.getLogger("gatekit").error("x")
        assert ("\x1b[31m" in stream.getvalue()) is coloured


def test_levels(started: Callable[..., io.StringIO]) -> None:
    stream = started({"GATEKIT_LOG_LEVEL": "warning"})
    logging.getLogger("gatekit").info("quiet")
    logging.getLogger("httpx2").info("HTTP Request: GET https://example.com/?code=x")
    assert stream.getvalue() == ""
    stream = started({"GATEKIT_LOG_LEVEL": "nonsense"})
    logging.getLogger("gatekit").info("back to info")
    logging.getLogger("httpx2").info("still quiet")
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("style", ["json", ""])
async def test_a_line_says_which_tenant_it_is_about(style: str, started: Callable[..., io.StringIO]) -> None:
    """Also in tasks that are started meanwhile, and not in those of the other."""
    stream = started({"GATEKIT_LOG": style})
    log = logging.getLogger("gatekit.x")

    async def work(word: str) -> None:
        await asyncio.sleep(0)
        log.info("did %s", word)

    async def of(tenant: str) -> None:
        with about(tenant):
            await asyncio.gather(work("one"), asyncio.create_task(work("two")))

    await asyncio.gather(of("acme"), of("beta"))
    log.info("nobody's")
    lines = stream.getvalue().splitlines()
    told = {"acme": 0, "beta": 0, "": 0}
    for line in lines:
        name = json.loads(line).get("tenant", "") if style else line.partition(" tenant=")[2]
        told[name] += 1
    assert told == {"acme": 2, "beta": 2, "": 1}
