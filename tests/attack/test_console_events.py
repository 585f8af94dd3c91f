"""What the pages say out of the audit trail, and which ends they warn of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from gatekit.admin.people import People
from gatekit.model.provisioning import ScimToken
from gatekit.platform.clock import SystemClock
from gatekit.web.console.events import EVENTS
from tests.support.administration import OPERATOR, Administration
from tests.support.consoles import browser, do, furnished

DAY = 86_400


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Administration]:
    async with furnished(tmp_path) as found:
        yield found


async def test_the_last_events_of_a_person_are_theirs_alone(gate: Administration) -> None:
    """I12: Records of that id, and of nobody who had the name before; read only when asked for."""
    await browser(gate, "ada", "admin")
    await browser(gate, "olga", "owner")
    auditor = await browser(gate, "audrey", "auditor")
    await retitles(gate, "ada", EVENTS + 5)
    plain = (await auditor.get("/admin/person?name=ada")).text
    assert "Show the last events" in plain
    assert "group.title" not in plain
    page = unescape((await auditor.get("/admin/person?name=ada&events=yes")).text)
    assert page.count("admin: group.title") == EVENTS
    other = unescape((await auditor.get("/admin/person?name=olga&events=yes")).text)
    assert "admin: group.title" not in other
    await People(*gate.parts).delete(OPERATOR, "ada")
    await People(*gate.parts).create(OPERATOR, "ada")
    heir = await auditor.get("/admin/person?name=ada&events=yes")
    assert heir.status_code == 200
    assert "group.title" not in heir.text


async def retitles(gate: Administration, name: str, times: int) -> None:
    """Changes the title of a group this often."""
    who = await browser(gate, name, "admin", known=True, signed_in=1)
    for number in range(times):
        answer = await do(who, "group-title", {"name": "dev"}, title=f"Title {number}")
        assert answer.status == 200


async def test_the_overview_warns_of_the_last_token_of_a_directory(gate: Administration) -> None:
    auditor, now = await browser(gate, "audrey", "auditor"), int(SystemClock().now())

    async def token(ident: str, connection: str, ends: int) -> None:
        await gate.store.scim_tokens.add(
            ScimToken(
                id=ident,
                connection=connection,
                token_hash=ident,
                hint="wxyz",
                created_at=now,
                expires_at=ends,
            )
        )

    await token("sct_a", "acme", now + 5 * DAY)  # another one of acme never ends
    await token("sct_b", "okta", now + 5 * DAY)
    await token("sct_c", "entra", now + 5 * DAY)
    await token("sct_d", "entra", now + 90 * DAY)
    await token("sct_e", "gone", now - DAY)
    page = (await auditor.get("/admin")).text
    assert "The last SCIM token of okta ends on" in page
    assert not any(f"The last SCIM token of {name}" in page for name in ("acme", "entra", "gone"))
