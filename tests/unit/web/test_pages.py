"""The pages: forms without JavaScript, and nothing a stranger wrote becomes markup (checklist B5, B6)."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gatekit.oauth.pages import HomeView, ProviderButton, ServerChoice
from gatekit.web.assets import PASSKEYS, STATIC
from gatekit.web.pages import TEMPLATES, HtmlPages
from tests.unit.web.gallery import (
    SERVERS,
    choosing,
    consent,
    device_consent,
    every_page,
    home,
    invite,
    onward,
    sign_in,
    sign_out,
)

PAGES = HtmlPages()

EVIL = [
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "' autofocus onfocus=alert(1) x='",
    "</title></textarea></form><img src=x onerror=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202egnp.exe",
    "A" * 100_000,
    "<!--",
    "&lt;script&gt;",
]

VOID = frozenset({"meta", "link", "input", "img", "br", "hr", "rect", "path", "wbr"})


class Document(HTMLParser):
    """Elements with attributes, text, and whether tags are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]

    def fields(self) -> dict[str, str]:
        return {found["name"]: found.get("value", "") for found in self.all("input")}


@pytest.mark.parametrize("name", sorted(every_page()))
def test_every_page_is_a_clean_accessible_document(name: str) -> None:
    html = every_page()[name]
    page = Document(html)
    assert html.startswith("<!doctype html>")
    assert page.all("html", lang="en")
    assert page.all("meta", name="viewport")
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    # The policy forbids inline scripts and styles; nothing may depend on them (checklist B4, B5). Passkeys
    # need a script, which is a file of ours, and their form is hidden until it runs.
    scripts = page.all("script")
    assert scripts in ([], [{"src": PASSKEYS.url, "defer": ""}])
    assert bool(scripts) == ("data-passkey" in every_page()[name])
    assert all("hidden" in form for form in page.all("form") if "data-passkey" in form)
    assert not page.all("style")
    assert not [found for _, found in page.elements if any(a.startswith("on") or a == "style" for a in found)]
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    labelled = {found["for"] for found in page.all("label") if "for" in found}
    for field in page.all("input"):
        if field.get("type") in ("text", "password") and field.get("aria-hidden") != "true":
            assert field["id"] in labelled
    for described in (found["aria-describedby"] for _, found in page.elements if "aria-describedby" in found):
        assert set(described.split()) <= set(ids)
    # A search changes nothing, and can be kept as a bookmark.
    assert all(found["method"] == "post" or found.get("role") == "search" for found in page.all("form"))
    addresses = [found.get(key, "") for _, found in page.elements for key in ("href", "src", "action")]
    if name.startswith("setup"):  # a picture in the page itself, and a link to a program beside the browser
        addresses = [
            url for url in addresses if not url.startswith(("data:image/svg+xml;", "otpauth://totp/"))
        ]
    away = [
        url for url in addresses if url not in ("", "#main", "#content") and not re.match(r"/[^/]", url + "x")
    ]
    # All on our own origin, but for the one form that leads to a provider whose metadata the operator named.
    assert away == (["https://idp.example.com/sso"] if name == "onward" else [])


def test_sign_in_form() -> None:
    page = Document(PAGES.sign_in(sign_in()))
    assert page.all("form", action="/login", method="post")
    assert page.fields() == {
        "csrf": "csrf-value",
        "txn": "gk_tx_sample",
        "connection": "local",
        "username": "",
        "password": "",
    }
    assert page.all("input", name="username", autocomplete="username")
    assert page.all("input", name="password", autocomplete="current-password", type="password")
    assert page.all("a", href="/go/github?txn=gk_tx_sample")
    assert "Claude Code (gatekit)" in page.text


def test_sign_in_again_keeps_the_name_and_says_why() -> None:
    page = Document(PAGES.sign_in(sign_in(username="alice", error="No luck.")))
    assert page.fields()["username"] == "alice"
    assert page.fields()["password"] == ""
    assert page.all("p", role="alert")
    assert "No luck." in page.text


def test_sign_in_without_passwords_or_without_anything() -> None:
    provider_only = Document(PAGES.sign_in(sign_in(password_form=False)))
    assert not provider_only.all("form")
    assert "Continue with GitHub" in provider_only.text
    nothing = Document(PAGES.sign_in(sign_in(password_form=False, providers=())))
    assert "No way to sign in" in nothing.text


def test_consent_says_who_asks_for_whom_and_where_it_goes() -> None:
    page = Document(PAGES.consent(consent()))
    assert page.all("form", action="/consent", method="post")
    assert page.fields() == {"csrf": "csrf-value", "txn": "gk_tx_sample", "read_only": "yes"}
    assert all("checked" not in box for box in page.all("input", type="checkbox"))
    buttons = page.all("button", name="decision")
    assert [button["value"] for button in buttons] == ["deny", "approve"]  # Enter presses the first
    for told in ("Claude Code (gatekit)", "alice", "localhost:51763", "Shared files", "your own computer"):
        assert told in page.text
    assert page.all("a", href="/switch?txn=gk_tx_sample")


def test_consent_lets_the_person_choose() -> None:
    views = [
        choosing(),
        choosing(resources=(ServerChoice(resource="r", name="n", title="t", checked=False),)),
    ]
    page, unchecked = (Document(PAGES.consent(view)) for view in views)
    boxes = page.all("input", type="checkbox", name="resource")
    assert [box["value"] for box in boxes] == [url for _, url in SERVERS]
    assert all("checked" in box for box in boxes)
    assert "checked" not in unchecked.all("input", type="checkbox")[0]
    assert "your own computer" not in page.text
    assert "assistant.example.net" in page.text


def test_consent_says_what_it_may_do() -> None:
    for page in (PAGES.consent(consent()), PAGES.device_consent(device_consent())):
        assert "Call the tools that you may call" in Document(page).text
        assert Document(page).all("input", type="checkbox", name="read_only")
    for page in (
        PAGES.consent(consent(may_call=False, scopes=("mcp:read",))),
        PAGES.device_consent(device_consent(may_call=False)),
    ):
        assert "Call the tools" not in Document(page).text
        assert "did not ask to call tools" in Document(page).text
        assert not Document(page).all("input", type="checkbox")


def test_consent_without_a_name() -> None:
    assert "an unnamed application" in Document(PAGES.consent(consent(client_name="\u200b"))).text


def test_invite_form() -> None:
    page = Document(PAGES.invite(invite(error="Too short.")))
    assert page.all("form", action="/invite/gk_inv_sample", method="post")
    assert {"csrf", "password", "password_again"} <= set(page.fields())
    assert all(
        field["autocomplete"] == "new-password" and field["minlength"] == "8"
        for field in page.all("input", type="password")
    )
    assert "Too short." in page.text


def test_home_shows_each_address_and_each_client() -> None:
    page = Document(PAGES.home(home()))
    for title, url in SERVERS:
        assert title in page.text
        assert url in page.text
    for client in ("Claude Code", "Cursor", "VS Code", "Codex", "mcp-remote"):
        assert client in page.text
    assert f"claude mcp add --transport http gatekit {SERVERS[0][1]}" in page.text
    assert page.all("form", action="/logout", method="post")
    assert page.fields() == {"csrf": "csrf-value"}


def test_home_for_a_stranger_names_no_server() -> None:
    html = PAGES.home(HomeView(username="", servers=SERVERS, sign_in_url="/login"))
    assert "mcp.example.com" not in html
    assert Document(html).all("a", href="/login")


def test_a_problem_tells_what_to_do() -> None:
    page = Document(PAGES.problem(title="T", message="M", remedy="R", reference="req_1"))
    for told in ("T", "M", "R", "req_1"):
        assert told in page.text
    bare = PAGES.problem(title="T", message="M")
    assert "What to do" not in bare
    assert "Reference" not in bare


@pytest.mark.parametrize("evil", EVIL)
def test_B5_nothing_a_stranger_wrote_becomes_markup(evil: str) -> None:
    """B5: Nothing a stranger wrote becomes markup."""
    calm, hostile = [
        [
            PAGES.sign_in(
                sign_in(
                    client_name=text, username=text, error=text, providers=(ProviderButton(text, "/go/x"),)
                )
            ),
            PAGES.consent(
                choosing(
                    client_name=text,
                    client_id=text,
                    client_uri_host=text,
                    redirect_host=text,
                    username=text,
                    scopes=(text,),
                    resources=(ServerChoice(resource=text, name=text, title=text),),
                )
            ),
            PAGES.invite(invite(username=text, error=text)),
            PAGES.onward(onward(title=text, action=text, fields=((text, text),))),
            PAGES.sign_out(sign_out(username=text, client_name=text, client_id=text, uri=text, state=text)),
            PAGES.home(home(username=text, servers=((text, "https://a.example/mcp"),))),
            PAGES.problem(title=text, message=text, remedy=text, reference=text),
        ]
        for text in ("calm", evil)
    ]
    for one, other in zip(calm, hostile, strict=True):
        expected, found = Document(one), Document(other)
        # The very same elements with the very same attribute names: only texts and values differ.
        skeleton = [(tag, sorted(attributes)) for tag, attributes in expected.elements if tag != "wbr"]
        assert [(tag, sorted(attributes)) for tag, attributes in found.elements if tag != "wbr"] == skeleton
        assert "\u202e" not in found.text
        assert "49" not in found.text
    assert len(hostile[1]) < 110_000 + 10_000  # the one raw value is the form field of the resource


def test_B5_names_are_isolated_from_the_text_around_them() -> None:
    html = PAGES.consent(consent(client_name="עברית"))
    assert '<bdi class="name">עברית</bdi>' in html


def test_templates_and_stylesheet_ask_for_nothing_from_elsewhere() -> None:
    files = [*TEMPLATES.glob("*.html"), *STATIC.iterdir()]
    assert len(files) >= 8
    for file in files:
        text = file.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://|url\(|@import|\bsafe\b(?! center)", text), file.name


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_in_both_schemes(scheme: str) -> None:
    """WCAG 2.2 §1.4.3 (text 4.5:1) and §1.4.11 (borders of fields and focus rings 3:1)."""
    css = Path(STATIC / "gatekit.css").read_text(encoding="utf-8")
    blocks = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in css.split(":root {")[1:3]]
    colours = blocks[0] if scheme == "light" else {**blocks[0], **blocks[1]}
    link = "accent" if scheme == "light" else "accent-strong"
    for ink, ground in (
        ("ink", "ground"), ("ink", "surface"), ("ink", "sunken"), ("ink-soft", "ground"),
        ("ink-soft", "surface"), ("ink-soft", "sunken"), ("on-accent", "accent"),
        ("on-accent", "accent-strong"),
        ("warn-ink", "warn-ground"), ("bad-ink", "bad-ground"), (link, "surface"), (link, "ground"),
    ):  # fmt: skip
        assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for line, ground in (("line-strong", "surface"), ("focus", "surface"), ("focus", "ground")):
        assert _contrast(colours[line], colours[ground]) >= 3.0, (line, ground)
