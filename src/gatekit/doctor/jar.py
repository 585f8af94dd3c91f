"""As much of a browser as a sign-in needs: cookies by a browser's rules, redirects, forms. No scripts."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.doctor.ailments import Ailment
from gatekit.doctor.line import REDIRECTS, Line, ailing, joined, origin_of, path_of
from gatekit.platform.outbound import Answer

MAX_PAGES = 8
_BROWSER = {
    "user-agent": "Mozilla/5.0 (compatible; gatekit doctor)",
    "accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
}


class Form(Struct):
    """One HTML form: where it goes, its fields as they stand, its buttons (name, value)."""

    action: str
    method: str
    fields: dict[str, str] = {}
    buttons: list[tuple[str, str]] = []
    password: str = ""
    """Name of its password field."""
    text: str = ""
    """Name of its first text field."""


class Jar:
    """Cookies, each for the origin that set it and for no other, and walking with them."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._cookies: dict[str, dict[str, str]] = {}
        """By origin: whoever signs in at two servers in turn tells neither about the other."""
        self.trouble: Mapping[str, str] = {}
        """The first cookie that a browser would not have taken, and why."""

    def __bool__(self) -> bool:
        return any(self._cookies.values()) or bool(self.trouble)

    async def follow(self, url: str, stop: str = "") -> tuple[str, Answer]:
        """GET ``url`` and follow redirects inside its origin; (URL, answer) of the last one, or of the one
        that leads elsewhere: to another origin, or to ``stop`` whatever its query."""
        return await self._settle(url, await self._get(url), stop)

    async def submit(
        self, where: str, form: Form, values: Mapping[str, str], press: str, stop: str
    ) -> tuple[str, Answer]:
        """Fill in a form with ``values`` on top and press the button with the value ``press``."""
        sent = {**form.fields, **values}
        sent |= {name: value for name, value in form.buttons if name and value == press}
        target = joined(where, form.action or where)
        if origin_of(target) != origin_of(where):
            raise ailing(
                Ailment("authorize-no-page", {"url": where, "status": "200", "kind": f"form to {target}"})
            )
        headers = {**_BROWSER, "origin": origin_of(where), "cookie": self._header(target)}
        answer = await self._line.send("POST", target, headers, form=sent)
        self._take(target, answer)
        return await self._settle(target, answer, stop)

    async def _get(self, url: str) -> Answer:
        answer = await self._line.send("GET", url, {**_BROWSER, "cookie": self._header(url)})
        self._take(url, answer)
        return answer

    async def _settle(self, where: str, answer: Answer, stop: str) -> tuple[str, Answer]:
        for _ in range(MAX_PAGES):
            location = answer.headers.get("location", "")
            if answer.status not in REDIRECTS or not location:
                return where, answer
            target = joined(where, location)
            arrived = stop and target.partition("?")[0] == stop.partition("?")[0]
            if arrived or origin_of(target) != origin_of(where):
                return target, answer
            where, answer = target, await self._get(target)
        facts = {
            "method": "GET",
            "path": path_of(where),
            "status": "3xx",
            "location": "itself, again and again",
        }
        raise ailing(Ailment("redirected", facts))

    def _header(self, url: str) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.get(origin_of(url), {}).items())

    def _take(self, url: str, answer: Answer) -> None:
        cookies = self._cookies.setdefault(origin_of(url), {})
        # Outbound joins repeated headers with a comma, and an Expires date has one of its own.
        for part in _split(answer.headers.get("set-cookie", "")):
            try:
                parsed = SimpleCookie(part)
            except CookieError:
                continue
            for name, morsel in parsed.items():
                reason = _refusal(url, name, {key: str(value) for key, value in morsel.items()})
                if reason:
                    self.trouble = self.trouble or {"cookie": name, "reason": reason}
                elif morsel["max-age"] == "0":
                    cookies.pop(name, None)
                else:
                    cookies[name] = morsel.value


def _split(header: str) -> list[str]:
    parts: list[str] = []
    for piece in header.split(", ") if header else []:
        begins = "=" in piece.partition(";")[0]
        if parts and not begins:
            parts[-1] += ", " + piece
        else:
            parts.append(piece)
    return parts


def _refusal(url: str, name: str, attributes: Mapping[str, str]) -> str:
    """Why a browser drops the cookie (RFC 6265bis §5.7); empty if it does not."""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    secure = attributes.get("secure", "") == "True"
    if secure and parts.scheme != "https" and not local:
        return (
            "it is Secure, and the page came over plain http: public_url says https, the URL in use does not"
        )
    if name.startswith("__Host-") and (
        attributes.get("domain") or attributes.get("path") != "/" or not secure
    ):
        return "its name begins with __Host-, so it must be Secure, have Path=/ and no Domain"
    domain = attributes.get("domain", "").lstrip(".").lower()
    if domain and not f".{parts.hostname}".endswith(f".{domain}"):
        return f"it is for {domain}, and the page is on {parts.hostname}"
    return ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(have.get("action", ""), have.get("method", "get").lower()))
            self._open = True
        elif self._open and tag == "input":
            self._input(self.forms[-1], have)
        elif self._open and tag == "button" and have.get("type", "submit") == "submit":
            self.forms[-1].buttons.append((have.get("name", ""), have.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "form"

    @staticmethod
    def _input(form: Form, have: Mapping[str, str]) -> None:
        kind, name = have.get("type", "text").lower(), have.get("name", "")
        if kind == "submit":
            form.buttons.append((name, have.get("value", "")))
        elif name and (kind not in ("checkbox", "radio") or "checked" in have):
            form.fields[name] = have.get("value", "")
            if kind == "password":
                form.password = form.password or name
            elif kind in ("text", "email"):
                form.text = form.text or name


def forms_of(answer: Answer) -> list[Form]:
    """The forms of a page."""
    reader = _Reader()
    reader.feed(answer.body.decode("utf-8", "replace"))
    return reader.forms
