"""Browsers of people who administrate, and the questions that the pages ask them."""

from __future__ import annotations

import re
from html import unescape

import httpx2

from gatekit.model.people import BrowserSession, Role
from gatekit.platform.clock import SystemClock
from gatekit.platform.vault import token_hash
from tests.attack.world import form_of
from tests.support.administration import URL, Administration


async def browser(
    gate: Administration, name: str, role: Role, *, signed_in: int = 0, known: bool = False
) -> httpx2.AsyncClient:
    """The browser of somebody who signed in ``signed_in`` seconds ago."""
    if not known:
        await gate.person(name, role)
    now, cookie = int(SystemClock().now()), f"gk_bs_{name}{signed_in}"
    await gate.store.browser_sessions.add(
        BrowserSession(
            token_hash=token_hash(cookie),
            user_id=f"usr_{name}",
            auth_time=now - signed_in,
            created_at=now - signed_in,
            expires_at=now + 3600,
        )
    )
    transport = httpx2.ASGITransport(gate.application, client=("192.0.2.7", 1))
    return httpx2.AsyncClient(
        transport=transport, base_url=URL, cookies={"gk_session": cookie}, follow_redirects=True
    )


class Answer:
    """What came of a question that was answered with its button."""

    def __init__(self, asked: httpx2.Response, done: httpx2.Response | None) -> None:
        self.asked = asked
        self.done = done
        self.last = asked if done is None else done
        self.status = self.last.status_code
        self.text = unescape(self.last.text)


async def do(
    who: httpx2.AsyncClient, deed: str, about: dict[str, str], /, **typed: str | list[str]
) -> Answer:
    """Open the page that asks, and press its button. A list: the boxes to tick."""
    page = await who.get(f"/admin/do/{deed}", params=about)
    if page.status_code != 200 or "Go back" not in page.text:
        return Answer(page, None)
    target, hidden = question(page, deed)
    data = dict(hidden)
    for name, value in typed.items():
        data |= {name: value} if isinstance(value, str) else {f"{name}:{each}": "yes" for each in value}
    return Answer(page, await who.post(target, data=data))


def question(page: httpx2.Response, deed: str) -> tuple[str, dict[str, str]]:
    """Where the form of the page goes, and what it sends by itself."""
    action = re.search(f'action="(/admin/do/{deed}[^"]*)" class="card', page.text)
    assert action is not None, page.text
    _, hidden = form_of(page.text, unescape(action[1]))
    return unescape(action[1]), {name: hidden[name] for name in ("csrf", "seen")}
