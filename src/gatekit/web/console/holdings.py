"""What hangs on one person: groups, ways of signing in, browsers, applications, keys; and the end of each."""

from __future__ import annotations

from urllib.parse import urlencode

from gatekit.admin.people import PersonView
from gatekit.admin.permissions import Permission
from gatekit.model.people import LOCAL
from gatekit.web.agents import browser_name
from gatekit.web.console.deeds import deed_url
from gatekit.web.console.door import Desks, Visit, day, minute
from gatekit.web.console.route import GROUP
from gatekit.web.console.views import Link, Row, Section

ON_A_PAGE = 50


class Holdings:
    """The sections of a person's page."""

    def __init__(self, desks: Desks, visit: Visit, view: PersonView, *, reach: bool) -> None:
        """``reach``: whether the visitor's role is high enough to do anything to this person."""
        self._desks = desks
        self._visit = visit
        self._username = view.user.username
        self._view = view
        self._reach = reach

    async def sections(self) -> tuple[Section, ...]:
        return (
            Section(title="Groups", rows=self._groups(), empty="In no group."),
            Section(
                title="Ways of signing in",
                rows=await self._identities(),
                empty="None: only keys open anything.",
            ),
            *await self._factors(),
            Section(title="Browsers", rows=await self._browsers(), empty="Signed in nowhere."),
            Section(title="Connected applications", rows=await self._apps(), empty="None."),
            Section(title="API keys", rows=await self._keys(), empty="None that is good."),
        )

    def _link(self, permission: Permission, words: str, deed: str, **about: str) -> tuple[Link, ...]:
        may = self._reach and self._visit.may(permission)
        return (Link(words, deed_url(deed, **about)),) if may else ()

    def _groups(self) -> tuple[Row, ...]:
        return tuple(
            Row(
                title=member.group,
                href=f"{GROUP}?{urlencode({'name': member.group, 'source': member.source})}",
                facts=(("Said by", member.source),),
            )
            for member in self._view.groups[:ON_A_PAGE]
        )

    async def _identities(self) -> tuple[Row, ...]:
        found = await self._desks.identities.list(self._visit.actor, self._username)
        several = len({row.connection for row in found}) > 1  # the last way in stays
        return tuple(
            Row(
                title=f"{row.connection}: {row.login or row.subject}",
                facts=(
                    ("Address", f"{row.email} ({'verified' if row.email_verified else 'not verified'})")
                    if row.email
                    else ("Address", "none"),
                    ("Last sign-in", minute(row.last_seen_at)),
                ),
                links=self._link(
                    "people:write",
                    "Unlink",
                    "identity-unlink",
                    name=self._username,
                    connection=row.connection,
                )
                if several
                else (),
            )
            for row in found
        )

    async def _factors(self) -> tuple[Section, ...]:
        """Of accounts of the gateway; others have theirs where they sign in."""
        if self._view.user.connection != LOCAL:
            return ()
        found = await self._desks.factors.show(self._visit.actor, self._username)
        rows = [
            Row(
                title=each.name,
                facts=(("Passkey since", day(each.created_at)), ("Last used", day(each.last_used_at))),
            )
            for each in found.passkeys
        ]
        if found.totp is not None:
            left = ("Recovery codes left", str(found.codes_left))
            rows.insert(0, Row(title="An authenticator with codes", facts=(left,)))
        away = self._link("keys:write", "Take away second factors", "person-factors", name=self._username)
        oneself = self._visit.actor.id == self._view.user.id
        section = Section(
            title="Second factors and passkeys",
            rows=tuple(rows),
            empty="None: the password alone.",
            more=away[0] if away and rows and not oneself else None,
        )
        return (section,)

    async def _browsers(self) -> tuple[Row, ...]:
        views = await self._desks.sessions.list(self._visit.actor, self._username)
        return tuple(
            Row(
                title=browser_name(each.session.agent),
                facts=(
                    ("From", each.session.address or "unknown"),
                    ("Signed in", minute(each.session.auth_time)),
                    ("Ends", minute(each.session.expires_at)),
                ),
                links=self._link(
                    "sessions:write", "Sign out", "browser-end", name=self._username, id=each.id
                ),
            )
            for each in views[:ON_A_PAGE]
        )

    async def _apps(self) -> tuple[Row, ...]:
        found = await self._desks.grants.page(self._visit.actor, self._username, limit=ON_A_PAGE)
        return tuple(
            Row(
                title=each.client_name or "Unnamed application",
                facts=(
                    ("Reaches", ", ".join(each.grant.resources[:5]) or "nothing"),
                    ("Connected", day(each.grant.created_at)),
                    ("Ends", day(each.grant.expires_at)),
                ),
                links=self._link("grants:write", "Disconnect", "grant-revoke", id=each.grant.id),
            )
            for each in found
        )

    async def _keys(self) -> tuple[Row, ...]:
        found = await self._desks.keys.page(
            self._visit.actor, self._username, state="active", limit=ON_A_PAGE
        )
        return tuple(
            Row(
                title=each.key.name,
                facts=(
                    ("Ends with", f"…{each.key.hint}"),
                    ("Opens", ", ".join(each.key.servers[:5]) or "every server they may use"),
                    ("Last used", day(each.key.last_used_at)),
                    ("Good until", day(each.key.expires_at)),
                ),
                links=self._link("keys:write", "Revoke", "api-key-revoke", id=each.key.id),
            )
            for each in found
        )
