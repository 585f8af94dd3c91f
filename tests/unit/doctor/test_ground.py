"""Clocks that differ, and documents that mislead."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from gatekit.doctor import ground
from gatekit.doctor.line import Line
from gatekit.errors import ClientWouldFail
from gatekit.platform.clock import SystemClock
from gatekit.platform.outbound import Answer, Outbound

NOW = 1_790_000_000.0
URL = "https://gate.example/s/files/mcp"


class Still(SystemClock):
    def now(self) -> float:
        return NOW


class Server(Line):
    """Answers 401 like a gateway whose clock is ``ahead`` seconds off, and ``root`` at the bare origin."""

    def __init__(self, ahead: float, root: bytes = b"", challenge: str = "Bearer") -> None:
        super().__init__(Outbound(Still()), Still())
        headers = {"date": formatdate(NOW + ahead, usegmt=True)}
        headers |= {"www-authenticate": challenge} if challenge else {}
        self.first = Answer(401, headers, b"{}")
        self.second = Answer(200 if root else 404, {}, root)

    async def send(self, method: str, url: str, headers=None, **content):  # type: ignore[no-untyped-def]
        return self.first if url == URL else self.second


async def codes(server: Server) -> list[str]:
    return [each.code for each in await ground.look(server, URL)]


@pytest.mark.parametrize(
    ("ahead", "found"), [(0, []), (29, []), (-29, []), (31, ["clock"]), (-4000, ["clock"])]
)
async def test_clocks(ahead: float, found: list[str]) -> None:
    assert await codes(Server(ahead)) == found


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/token", "http://as.example/token", "https://169.254.169.254/"]
)
async def test_what_a_server_names_is_not_asked_for_on_private_networks(url: str) -> None:
    line = Line(Outbound(SystemClock(), ["gate.internal"]), SystemClock())
    with pytest.raises(ClientWouldFail, match="private"):
        await line.send("GET", url)


async def test_the_words_say_which_clock_is_ahead() -> None:
    (behind,) = await ground.look(Server(-90), URL)
    assert behind.title == "The clocks differ by 90 s"
    assert "behind" in behind.why


async def test_a_challenge_that_is_missing_and_a_document_that_misleads() -> None:
    misleading = b'{"resource": "https://gate.example/mcp"}'
    assert await codes(Server(0, misleading, challenge="")) == ["challenge-missing", "root-misleads"]
    same = b'{"resource": "https://gate.example/s/files/mcp"}'
    assert await codes(Server(0, same)) == []
