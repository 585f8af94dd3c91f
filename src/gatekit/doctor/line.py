"""The line to the gateway: requests as a client makes them, and a word for every way in which they fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from gatekit.doctor.ailments import Ailment
from gatekit.errors import ClientWouldFail, OutboundRefused
from gatekit.model.ports import Clock
from gatekit.platform.channel import Channel, Stream
from gatekit.platform.outbound import Answer, Outbound

PATIENCE = 15.0
"""Seconds for one answer. Real clients wait for 30 to 60."""
REDIRECTS = (301, 302, 303, 307, 308)
_PROXY_STATUSES = (502, 503, 504)


class Line:
    """Sends. ``detour`` leads requests for one origin to another address: past the proxy."""

    def __init__(
        self,
        outbound: Outbound,
        clock: Clock,
        detour: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._outbound = outbound
        self.clock = clock
        self._detour = dict(detour or {})
        self.patience = patience

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange; a redirect is an answer. Raises ``ClientWouldFail`` if there is none."""
        try:
            answer = await self._outbound.fetch(
                method, self._dialled(url), headers=headers, json=json, form=form, timeout=self.patience
            )
        except OutboundRefused as error:
            raise ailing(self._cause(method, url, str(error))) from error
        if answer.status in _PROXY_STATUSES and not answer.headers.get("x-request-id"):
            raise ailing(
                Ailment(
                    "gateway-down", {"method": method, "path": path_of(url), "status": str(answer.status)}
                )
            )
        return answer

    async def open(self, url: str, headers: Mapping[str, str]) -> tuple[Channel, Stream]:
        """GET ``url`` and read the head of the answer. Close both. Raises ``OutboundRefused``."""
        channel = Channel(self._outbound, self.clock, self._dialled(url))
        try:
            return channel, await channel.open("GET", headers)
        except OutboundRefused:
            await channel.close()
            raise

    def _dialled(self, url: str) -> str:
        origin = origin_of(url)
        return self._detour.get(origin, origin) + url[len(origin) :]

    def _cause(self, method: str, url: str, said: str) -> Ailment:
        facts = {"host": parts_of(url).netloc, "method": method, "path": path_of(url)}
        facts |= {"seconds": f"{self.patience:g}", "reason": said}
        low = said.lower()
        for code, signs in _SIGNS:
            if any(sign in low for sign in signs):
                return Ailment(code, facts)
        return Ailment("broken", facts)


_SIGNS = (
    ("private", ("not a public address", "only https is spoken", "metadata service")),
    ("dns", ("cannot be resolved", "has no address")),
    ("tls", ("certificate", "ssl", "tls")),
    ("refused", ("cannot connect",)),
    ("silent", ("no complete answer",)),
    ("compressed", ("compressed",)),
)


def ailing(ailment: Ailment) -> ClientWouldFail:
    """The exception that carries ``ailment``."""
    return ClientWouldFail(ailment.code, ailment.facts)


def parts_of(url: str) -> SplitResult:
    """A URL that somebody else wrote, taken apart. Raises ``ClientWouldFail``."""
    try:
        return urlsplit(url)
    except ValueError:
        raise ailing(garbled(url, "a URL that cannot be read")) from None


def joined(url: str, reference: str) -> str:
    """What ``reference`` means at ``url``. Raises ``ClientWouldFail``."""
    try:
        return urljoin(url, reference)
    except ValueError:
        raise ailing(garbled(url, f"a reference that cannot be read: {reference}")) from None


def listed(document: Mapping[str, Any], member: str, url: str) -> list[str]:
    """The texts in a list of metadata; none if it is not there. Raises ``ClientWouldFail`` for no list."""
    given = document.get(member)
    if given is not None and not isinstance(given, list):
        raise ailing(garbled(url, f"with a {member} that is no list"))
    return [each for each in given or () if isinstance(each, str)]


def garbled(url: str, kind: str, status: int = 200) -> Ailment:
    """Metadata that no client can read."""
    return Ailment("metadata-garbled", {"url": url, "status": str(status), "kind": kind})


def origin_of(url: str) -> str:
    parts = parts_of(url)
    return f"{parts.scheme}://{parts.netloc}"


def path_of(url: str) -> str:
    return parts_of(url).path or "/"


def decoded(answer: Answer) -> dict[str, Any] | None:
    """The JSON object of an answer; None if it is none."""
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def kind_of(answer: Answer) -> str:
    """The media type of an answer."""
    return answer.headers.get("content-type", "no type").partition(";")[0] or "no type"


def said(answer: Answer, limit: int = 160) -> str:
    """The first words of a body, on one line."""
    text = " ".join(answer.body[: limit * 4].decode("utf-8", "replace").split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
