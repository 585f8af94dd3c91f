"""What the page of one's own account makes of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.admin.browser_sessions import BrowserSessionView
from gatekit.admin.grants import GrantView
from gatekit.model.oauth import Grant
from gatekit.model.people import BrowserSession
from gatekit.web.agents import browser_name
from gatekit.web.own_rows import app_rows, browser_rows

DAY = 86_400


def view(client: str, day: int, **fields: Any) -> GrantView:
    given = {
        "id": f"gkg_{client}_{day}",
        "user_id": "usr_1",
        "client_id": client,
        "resources": ("https://g.example/mcp",),
        "scopes": ("mcp:read",),
        "auth_time": 0,
        "created_at": day * DAY,
        "expires_at": (day + 90) * DAY,
    }
    grant = Grant(**{**given, **fields})
    return GrantView(grant, "alice", f"Client {client}", "active", "", grant.created_at)


def test_one_row_for_each_application_the_last_used_first() -> None:
    """Clients that sign in anew at each start have many grants; a person knows one application."""
    rows = app_rows(
        [
            view("a", 1, scopes=("mcp:read", "mcp:call")),
            view("b", 2),
            view("a", 3, resources=("https://g.example/s/x/mcp",)),
        ]
    )
    assert [row.client for row in rows] == ["a", "b"]
    assert rows[0].resources == ("https://g.example/mcp", "https://g.example/s/x/mcp")
    assert (rows[0].since, rows[0].used, rows[0].until) == ("1970-01-02", "1970-01-04", "1970-04-04")
    assert [row.may for row in rows] == [("read and call tools",), ("only read",)], "the most of its grants"


def test_what_it_may_in_words() -> None:
    scopes = (("openid", "email"), ("mcp",), ("mcp:read", "openid"), ("invoices",), ())
    words = [app_rows([view("a", 1, scopes=given)])[0].may for given in scopes]
    assert words == [
        ("know who you are",),
        ("read and call tools",),
        ("only read", "know who you are"),
        ("invoices",),
        (),
    ]


def test_the_browser_that_looks_comes_first() -> None:
    sessions = [
        BrowserSessionView(
            name, BrowserSession(token_hash=name, user_id="u", auth_time=0, created_at=0, expires_at=60)
        )
        for name in ("one", "two")
    ]
    rows = browser_rows(sessions, "two")
    assert [(row.id, row.here) for row in rows] == [("two", True), ("one", False)]
    assert rows[0].until == "1970-01-01 00:01 UTC"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18 "
            "Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8", "A browser"),
        ("", "A browser"),
        ("Something (Macintosh; Mac OS X)", "A browser on macOS"),
    ],
)
def test_browsers_are_called_what_people_call_them(agent: str, name: str) -> None:
    assert browser_name(agent) == name
