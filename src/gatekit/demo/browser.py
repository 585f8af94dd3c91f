"""A person's browser, as far as plain HTML goes: cookies, redirects, forms; no JavaScript."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser

TIMEOUT = 30.0
MAX_STEPS = 20


class StoryError(Exception):
    """A step of the story did not go as told; the message is for the person who watches."""


@dataclass
class Field:
    name: str
    value: str
    kind: str
    checked: bool = False


@dataclass
class Button:
    name: str
    value: str


@dataclass
class Form:
    """One HTML form with its controls."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)

    def has(self, kind: str) -> bool:
        return any(each.kind == kind for each in self.fields)


@dataclass
class Page:
    """An answer: where it came from, its status, headers and text."""

    url: str
    status: int
    headers: dict[str, str]
    text: str
    forms: list[Form]
    title: str = ""

    def summary(self) -> str:
        return f"{self.status} at {self.url.split('?')[0]}: {self.title or ' '.join(self.text.split())[:160]}"


class _Reader(HTMLParser):
    """Collects forms and the title."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.title = ""
        self._form: Form | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title"
        if tag == "form":
            self._form = Form(have.get("action", ""), have.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None and tag == "input":
            kind = have.get("type", "text").lower()
            control = Field(have.get("name", ""), have.get("value", ""), kind, "checked" in have)
            if kind == "submit":
                self._form.buttons.append(Button(control.name, control.value))
            elif control.name:
                self._form.fields.append(control)
        elif self._form is not None and tag == "button" and have.get("type", "submit").lower() == "submit":
            self._form.buttons.append(Button(have.get("name", ""), have.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data.strip()


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Redirects are followed by hand, because one of them leads to the client and not to a page."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


class Browser:
    """One browser with its own cookies."""

    def __init__(self) -> None:
        self.visited: list[str] = []
        """What was shown on the way: titles of pages that asked for something."""
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            _StayHere(),
            urllib.request.HTTPCookieProcessor(self.jar),
        )

    def open(self, url: str, data: dict[str, str] | list[tuple[str, str]] | None = None) -> Page:
        """One request, no redirect followed."""
        body = None if data is None else urllib.parse.urlencode(data).encode()
        if not url.startswith(("http://", "https://")):
            raise StoryError(f"a browser does not open {url[:60]}")
        request = urllib.request.Request(url, body, {"Accept": "text/html"})  # noqa: S310 - checked above
        if body is not None:
            parts = urllib.parse.urlsplit(url)
            request.add_header("Origin", f"{parts.scheme}://{parts.netloc}")
        try:
            answer = self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            answer = error  # an answer all the same
        except OSError as error:
            raise StoryError(f"no answer from {url.split('?')[0]}: {error}") from error
        with answer:
            text = answer.read().decode("utf-8", "replace")
            headers = {name.lower(): value for name, value in answer.headers.items()}
            reader = _Reader()
            reader.feed(text)
            return Page(url, answer.status, headers, text, reader.forms, reader.title)

    def follow(self, url: str, stop_at: str = "") -> Page | str:
        """Follow redirects from ``url``; the last page, or the URL that begins with ``stop_at``."""
        return self._settle(self.open(url), stop_at)

    def submit(self, page: Page, form: Form, values: dict[str, str], press: str, stop_at: str) -> Page | str:
        """Fill in a form as it stands, with ``values`` on top, and press the button with that value."""
        sent: list[tuple[str, str]] = []
        for control in form.fields:
            if control.kind in {"checkbox", "radio"} and not control.checked:
                continue
            sent.append((control.name, values.get(control.name, control.value)))
        button = next((each for each in form.buttons if each.value == press), None)
        if button is not None and button.name:
            sent.append((button.name, button.value))
        action = urllib.parse.urljoin(page.url, form.action)
        return self._settle(self.open(action, sent), stop_at)

    def _settle(self, page: Page, stop_at: str) -> Page | str:
        for _ in range(MAX_STEPS):
            location = page.headers.get("location")
            if page.status not in {301, 302, 303, 307, 308} or not location:
                return page
            target = urllib.parse.urljoin(page.url, location)
            if stop_at and target.split("?")[0] == stop_at:
                return target
            page = self.open(target)
        raise StoryError(f"redirected in circles at {page.url.split('?')[0]}")


@dataclass(frozen=True)
class Person:
    """Somebody with a name, a password and a browser."""

    name: str
    password: str
    browser: Browser = field(default_factory=Browser, compare=False)

    def accept_invitation(self, link: str) -> None:
        """Open a one-time link and choose a password."""
        page = _shown(self.browser.follow(link))
        if not page.forms:
            raise StoryError(f"the invitation shows no form ({page.summary()})")
        chosen = {"password": self.password, "password_again": self.password}
        done = _shown(self.browser.submit(page, page.forms[0], chosen, "", ""))
        if done.status != 200 or any(each.has("password") for each in done.forms):
            raise StoryError(f"the password was not taken ({done.summary()})")

    def authorize(self, url: str, redirect_uri: str, decision: str = "approve") -> dict[str, str]:
        """Walk from the authorization request to the redirect; return the parameters of the redirect."""
        self.browser.visited.clear()
        page = self.browser.follow(url, redirect_uri)
        for _ in range(MAX_STEPS):
            if isinstance(page, str):
                return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page).query))
            page = self._next(page, redirect_uri, decision)
        raise StoryError(f"{self.name} was asked the same again and again")

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        sign_in = next((each for each in page.forms if each.has("password")), None)
        if sign_in is not None:
            if "sign in" in self.browser.visited:
                raise StoryError(f"{self.name} could not sign in ({page.summary()})")
            self.browser.visited.append("sign in")
            filled = {"username": self.name, "password": self.password}
            return self.browser.submit(page, sign_in, filled, "", redirect_uri)
        for each in page.forms:
            if any(button.value == decision for button in each.buttons):
                self.browser.visited.append("consent")
                return self.browser.submit(page, each, {}, decision, redirect_uri)
        raise StoryError(page.summary())


def _shown(page: Page | str) -> Page:
    if isinstance(page, str):
        raise StoryError(f"a page was expected, but the browser was sent to {page.split('?')[0]}")
    return page
