"""Asking for access in the browser: what is shown, and whose forms do something."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.administration import Administration, administration
from tests.support.consoles import browser, do


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with administration(tmp_path) as found:
        config = found.application.config
        hidden = [replace(each, server=replace(each.server, name="vault7")) for each in config.servers]
        shown = [replace(each, requestable=True) for each in config.servers]
        found.application.config = replace(config, servers=(*shown, *hidden))
        yield found


async def test_a_person_asks_an_administrator_grants_and_the_person_sees_it(gate: Administration) -> None:
    mel = await browser(gate, "mel", "member")
    page = await mel.get("/account/access")
    assert "echo" in page.text
    assert "vault7" not in page.text
    found = re.search(r'action="/account/access/ask".*?name="csrf" value="([^"]+)"', page.text, re.DOTALL)
    assert found is not None
    wish = {"csrf": found[1], "server": "echo", "tool": "", "reason": "a <fire>", "seconds": "3600"}
    asked = await mel.post("/account/access/ask", data=wish)
    assert "waiting" in asked.text
    assert "<fire>" not in asked.text
    (request,) = await gate.store.access_requests.list()
    root = await browser(gate, "root", "admin")
    assert "mel: echo" in (await root.get("/admin/requests")).text
    assert "It is granted." in (await do(root, "request-grant", {"id": request.id}, seconds="0")).text
    (rule,) = await gate.store.rules.list()
    assert rule.expires_at is not None
    assert "granted" in (await mel.get("/account/access")).text


async def test_forms_that_are_not_ours_and_what_is_hidden(gate: Administration) -> None:
    """I12: Without the page's own token nothing is asked for; what is not requestable does not exist."""
    mel = await browser(gate, "mel", "member")
    page = await mel.get("/account/access")
    found = re.search(r'action="/account/access/ask".*?name="csrf" value="([^"]+)"', page.text, re.DOTALL)
    assert found is not None
    wish = {"server": "echo", "reason": "x", "seconds": "3600"}
    assert (await mel.post("/account/access/ask", data={**wish, "csrf": "x"})).status_code == 403
    answers = [
        await mel.post("/account/access/ask", data={**wish, "csrf": found[1], "server": name})
        for name in ("vault7", "nothing")
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].text == answers[1].text
    assert await gate.store.access_requests.list() == []
