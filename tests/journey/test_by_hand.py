"""The pages in a real Chromium as hands meet them: by keyboard alone, on a phone, and with axe-core."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.accessibility import AXE, RULES
from tests.support.chromium import Page, chromium
from tests.support.running import ECHO, RunningGateway, started
from tests.unit.web import gallery

FOCUSED = """(() => {
  const el = document.activeElement, style = getComputedStyle(el), box = el.getBoundingClientRect();
  const ring = (one) => one.outlineStyle !== "none" && parseFloat(one.outlineWidth) >= 2;
  const label = el.closest("label.choice");
  return {
    tag: el.tagName,
    text: (el.innerText || el.name || "").replace(/\\s+/g, " ").trim(),
    href: el.getAttribute("href") || "",
    ringed: ring(style) || (label !== null && getComputedStyle(label).boxShadow !== "none"),
    inside: box.width > 1 && box.height > 1 && box.top >= 0 && box.bottom <= innerHeight + 1,
    late: window.before ? !!(window.before.compareDocumentPosition(el) & 4) : true,
    marked: (window.before = el) !== null,
  };
})()"""
"""Where the focus is: what, whether it is seen, and whether it stands after the place before."""

TOO_SMALL = """[...document.querySelectorAll("a, button, input, select, textarea, summary")].filter((el) => {
  if (!el.checkVisibility() || el.type === "hidden" || el.matches(".skip, .away")) return false;
  const inText = el.tagName === "A" && getComputedStyle(el).display === "inline";
  if (inText && el.parentElement.innerText.trim() !== el.innerText.trim()) return false;
  const box = (el.closest("label") || el).getBoundingClientRect();
  return box.width < 24 || box.height < 24;
}).map((el) => `${el.tagName} ${el.innerText || el.name}`)"""
"""WCAG 2.2, 2.5.8: 24 by 24 CSS pixels, but for links in a line of text."""
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("hands"), {"echo": {"command": list(ECHO)}})
    running.groups["developers"] = ["alice", "bob"]
    with started(running):
        for name in ("alice", "bob"):
            running.person(name)
        running.gatekit("users", "role", "alice", "owner")
        yield running


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path) as found:
        found.send("Emulation.setFocusEmulationEnabled", enabled=True)
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every page there is, filled with examples."""
    folder = tmp_path_factory.mktemp("gallery")
    gallery.main(folder)
    return sorted(folder.glob("*.html"))


def key(page: Page, name: str) -> None:
    code, text = KEYS[name]
    more: dict[str, Any] = {
        "key": name,
        "code": "Space" if name == " " else name,
        "windowsVirtualKeyCode": code,
    }
    page.send("Input.dispatchKeyEvent", type="keyDown", text=text, **more)
    page.send("Input.dispatchKeyEvent", type="keyUp", **more)


def focused(page: Page) -> dict[str, Any]:
    found = page.run(FOCUSED)
    assert isinstance(found, dict)
    return found


def tab_to(page: Page, words: str) -> list[str]:
    """Press Tab until the focus is on something with these words; → what was passed. Every place on the way
    is seen, has a ring, and stands after the one before."""
    passed: list[str] = []
    for _ in range(60):
        key(page, "Tab")
        here = focused(page)
        assert here["tag"] != "BODY", f"no {words!r} after {passed}"
        assert here["ringed"], f"no ring on {here}"
        assert here["inside"], f"not seen: {here}"
        assert here["late"], f"out of order: {here} after {passed}"
        if here["text"] == words:
            return passed
        passed.append(here["text"])
    raise AssertionError(f"no {words!r} in {passed}")


def typed(page: Page, name: str) -> None:
    """Sign in: the first field has the focus already."""
    page.until("#username")
    page.run("window.before = undefined")
    if focused(page)["text"] != "username":
        tab_to(page, "username")
    page.send("Input.insertText", text=name)
    tab_to(page, "password")
    page.send("Input.insertText", text=f"a long password of {name}")
    key(page, "Enter")


def test_an_administrator_needs_no_mouse(gateway: RunningGateway, page: Page) -> None:
    page.visit(f"{gateway.url}/admin", "#username")
    typed(page, "alice")
    page.until("nav.parts")
    assert tab_to(page, "Skip to the content") == []
    key(page, "Enter")
    assert page.run("document.activeElement.id") == "content"
    tab_to(page, "All")
    key(page, "Enter")
    page.until("form.finder")
    passed = tab_to(page, "bob")
    assert (
        passed.index("People") < passed.index("Add a person") < passed.index("Show") < passed.index("alice")
    )
    key(page, "Enter")
    page.until('a[href^="/admin/person/disable"]')
    tab_to(page, "Disable")
    key(page, "Enter")
    page.until("form.asked")
    assert "running calls end" in page.text
    assert tab_to(page, "Disable")[-1] == "Go back", "the way back comes first"
    key(page, " ")
    page.until("[role=status]")
    assert "Disabled." in page.text
    assert not page.complaints
    assert '"disabled": true' in gateway.gatekit("users", "show", "bob", "--json")


def test_a_person_makes_and_revokes_a_key_without_a_mouse(gateway: RunningGateway, page: Page) -> None:
    page.visit(f"{gateway.url}/account", "#username")
    typed(page, "alice")
    page.until("summary")
    passed = tab_to(page, "Make a key")
    assert passed[0] == "Skip to the content"
    key(page, "Enter")
    tab_to(page, "name")
    page.send("Input.insertText", text="my build")
    tab_to(page, "reach")
    tab_to(page, "opens:echo")
    key(page, " ")
    tab_to(page, "Make the key")
    key(page, "Enter")
    page.until("code.copy")
    assert "my build" in page.text
    tab_to(page, "Revoke my build")
    key(page, " ")
    page.until('main:not(:has(form[action="/account/keys/revoke"]))')
    assert "my build" not in page.text
    assert not page.complaints


def test_no_page_is_wider_than_a_phone_and_every_target_can_be_hit(page: Page, pages: list[Path]) -> None:
    page.send("Emulation.setDeviceMetricsOverride", **PHONE)
    wrong = []
    for each in pages:
        page.visit(each.as_uri(), 'html:has(link[href="gatekit.css"]):has(title)')
        page.until("main")
        wide, small = page.run("document.documentElement.scrollWidth"), page.run(TOO_SMALL)
        if wide != PHONE["width"] or small:
            wrong.append(f"{each.stem}: {wide} px wide; too small: {small}")
    assert len(pages) > 30
    assert not wrong, "\n".join(wrong)


def test_an_administrator_on_a_phone(gateway: RunningGateway, page: Page) -> None:
    page.send("Emulation.setDeviceMetricsOverride", **PHONE)
    page.visit(f"{gateway.url}/admin", "#username")
    typed(page, "alice")
    page.until("nav.parts")
    paths = ("", "/people", "/person?name=alice", "/groups", "/clients", "/service-accounts", "/connections")
    for path in (*paths, "/connection?name=local", "/provisioning", "/keys", "/do/service-create"):
        page.visit(f"{gateway.url}/admin{path}", "nav.parts")
        assert page.run("document.documentElement.scrollWidth") == PHONE["width"], path
        assert page.run(TOO_SMALL) == [], path
    for path in ("/", "/account", "/account/passkeys"):
        page.visit(f"{gateway.url}{path}", "main")
        assert page.run("document.documentElement.scrollWidth") == PHONE["width"], path
        assert page.run(TOO_SMALL) == [], path
    assert not page.complaints


def test_axe_finds_nothing_on_pages_of_administrators_and_of_accounts(page: Page, pages: list[Path]) -> None:
    script, wrong = AXE.read_text(encoding="utf-8"), []
    run = f"axe.run(document, {{runOnly: {json.dumps(RULES)}}}).then((found) => found.violations)"
    ours = [each for each in pages if each.stem.startswith(("admin", "account", "home"))]
    assert len(ours) > 15
    for each in ours:
        page.visit(each.as_uri(), 'html:has(link[href="gatekit.css"])')
        page.until("main")
        page.run(f"{script}; true")
        answer = page.send("Runtime.evaluate", expression=run, awaitPromise=True, returnByValue=True)
        for rule in answer["result"]["value"]:
            nodes = "; ".join(node["html"][:120] for node in rule["nodes"][:4])
            wrong.append(f"{each.stem}: {rule['id']}: {nodes}")
    assert not wrong, "\n".join(wrong)
