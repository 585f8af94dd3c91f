"""From what is stored to what the page of one's own account shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from gatekit.admin.browser_sessions import BrowserSessionView
from gatekit.admin.grants import GrantView
from gatekit.admin.keys import KeyView
from gatekit.model.scopes import ALL, WHOLE, may_call, may_read
from gatekit.oauth.relying import IDENTITY_SCOPES, OPENID
from gatekit.web.agents import browser_name
from gatekit.web.views import AppRow, BrowserRow, KeyRow

_IN_WORDS = frozenset((*ALL, WHOLE, *IDENTITY_SCOPES))


def app_rows(grants: Iterable[GrantView]) -> tuple[AppRow, ...]:
    """One for each application, the one used last first: many sign in anew at each start."""
    of: dict[str, list[GrantView]] = {}
    for view in grants:
        of.setdefault(view.grant.client_id, []).append(view)
    rows = [(_used(views), _app(client, views)) for client, views in of.items()]
    return tuple(row for _, row in sorted(rows, key=lambda one: (-one[0], one[1].name, one[1].client)))


def _app(client: str, views: Sequence[GrantView]) -> AppRow:
    grants = [view.grant for view in views]
    return AppRow(
        client=client,
        name=views[0].client_name,
        host=views[0].client_host,
        resources=tuple(sorted({url for grant in grants for url in grant.resources})),
        may=_words({scope for grant in grants for scope in grant.scopes}),
        since=day(min(grant.created_at for grant in grants)),
        used=day(_used(views)),
        until=day(max(grant.expires_at for grant in grants)),
    )


def _words(scopes: Collection[str]) -> tuple[str, ...]:
    """What scopes allow; those of resource servers elsewhere under their own names: nobody knows more."""
    words = ["read and call tools"] if may_call(scopes) else ["only read"] if may_read(scopes) else []
    if OPENID in scopes:
        words.append("know who you are")
    return (*words, *sorted(set(scopes) - _IN_WORDS))


def _used(views: Iterable[GrantView]) -> int:
    return max(view.used_at for view in views)


def key_rows(keys: Iterable[KeyView]) -> tuple[KeyRow, ...]:
    """Those that are good."""
    return tuple(
        KeyRow(
            id=view.key.id,
            name=view.key.name,
            hint=view.key.hint,
            servers=view.key.servers,
            read_only=view.key.read_only,
            until=day(view.key.expires_at),
            used=day(view.key.last_used_at) if view.key.last_used_at else "",
        )
        for view in keys
        if view.state == "active"
    )


def browser_rows(sessions: Iterable[BrowserSessionView], here: str) -> tuple[BrowserRow, ...]:
    """``here``: token hash of the session that asks; it comes first."""
    rows = [
        BrowserRow(
            id=view.id,
            name=browser_name(view.session.agent),
            address=view.session.address,
            since=_minute(view.session.auth_time),
            until=_minute(view.session.expires_at),
            here=view.session.token_hash == here,
        )
        for view in sessions
    ]
    return tuple(sorted(rows, key=lambda row: not row.here))


def day(seconds: int) -> str:
    """``2026-11-23``, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _minute(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
