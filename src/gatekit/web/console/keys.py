"""Admin keys: which are good, one more for oneself, and the end of one."""

from __future__ import annotations

from starlette.responses import Response

from gatekit.admin.admin_keys import SCOPES, AdminKeyView
from gatekit.errors import Conflict, Forbidden
from gatekit.web.console.deeds import (
    After,
    Asked,
    Deed,
    deed_url,
    good_for,
    good_for_sent,
    listed,
    named,
    notice,
    ticked,
)
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, day
from gatekit.web.console.route import KEYS
from gatekit.web.console.views import Choice, Link, Row, Section, Sheet

ON_A_PAGE = 100


class KeyPages:
    """``/admin/keys``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        views = [view for view in await self._desks.admin_keys.list(visit.actor) if view.state == "active"]
        views.sort(key=lambda view: view.key.expires_at)
        rest = len(views) - ON_A_PAGE
        sheet = Sheet(
            frame=self._door.frame(visit, KEYS),
            title="Admin keys",
            lead="What programs of administrators come with, to /api/v1.",
            notice=notice(DEEDS, visit),
            links=(Link("Make an admin key", deed_url("admin-key-create")),)
            if visit.may("admin_keys:write")
            else (),
            sections=(
                Section(
                    title="Good now",
                    lead="Those that end first come first."
                    + (f" {rest} more are not shown." if rest > 0 else ""),
                    rows=tuple(self._row(visit, view) for view in views[:ON_A_PAGE]),
                    empty="None.",
                ),
            ),
        )
        return self._door.show(sheet)

    def _row(self, visit: Visit, view: AdminKeyView) -> Row:
        key = view.key
        return Row(
            title=key.name,
            badges=("yours",) if key.user_id == visit.actor.id else (),
            facts=(
                ("Belongs to", view.owner),
                ("Ends with", f"…{key.hint}"),
                ("Good for", ", ".join(key.scopes)),
                ("From", ", ".join(key.addresses) or "any address"),
                ("Last used", day(key.last_used_at)),
                ("Good until", day(key.expires_at)),
            ),
            links=(Link("Revoke", deed_url("admin-key-revoke", id=key.id)),) if _may_end(visit, view) else (),
        )


def _may_end(visit: Visit, view: AdminKeyView) -> bool:
    return visit.may("admin_keys:write") or view.key.user_id == visit.actor.id


async def _ask_create(_: Desks, visit: Visit) -> Asked:
    owner = visit.asked.get("name") or visit.actor.name
    offered = tuple((scope, scope) for scope in SCOPES if visit.may(scope))
    return Asked(
        title="Make an admin key" if owner == visit.actor.name else f"Make an admin key for {owner}",
        back=KEYS,
        about=(owner, visit.actor.id),
        state=tuple(scope for scope, _ in offered),
        changes=(
            f"Whoever has the key can do at /api/v1 what you tick below, in the name of {owner}.",
            "It is shown once. It never does more than its owner may at that moment.",
        ),
        fields=(
            Choice(name="key", label="Name", hint="What it is for, like “nightly export”.", required=True),
            good_for(30),
            Choice(
                name="addresses",
                label="Only from these networks",
                hint="Like 192.0.2.0/24, with blanks or commas between them. Empty: from any address.",
            ),
            Choice(name="scopes", label="It is good for", options=offered, many=True),
        ),
    )


async def _create(desks: Desks, visit: Visit, _: Asked) -> After:
    issued = await desks.admin_keys.create(
        visit.actor,
        visit.asked.get("name") or visit.actor.name,
        name=visit.sent.get("key") or "",
        scopes=ticked(visit, "scopes"),
        valid_for=good_for_sent(visit),
        addresses=listed(visit.sent.get("addresses") or ""),
    )
    return After(secret=issued.token, secret_label="The admin key, shown this once")


async def _ask_revoke(desks: Desks, visit: Visit) -> Asked:
    view = await desks.admin_keys.show(visit.actor, named(visit, "id"))
    if not _may_end(visit, view):
        raise Forbidden(f"the key “{view.key.name}” is not yours")
    if view.state != "active":
        raise Conflict(f"the key “{view.key.name}” is {view.state} already")
    return Asked(
        title=f"Revoke the admin key “{view.key.name}”",
        back=KEYS,
        about=(view.key.id,),
        changes=(
            f"It belongs to {view.owner} and ends with …{view.key.hint}.",
            "Programs that come with it are refused at once. This cannot be taken back.",
        ),
    )


async def _revoke(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.admin_keys.revoke(visit.actor, named(visit, "id"))
    return After()


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="admin-key-create",
        words="Make the key",
        here=KEYS,
        permission="admin_keys:write",
        done="The key is made.",
        ask=_ask_create,
        run=_create,
        recent=True,
    ),
    Deed(
        name="admin-key-revoke",
        words="Revoke the key",
        here=KEYS,
        permission="admin_keys:write",
        done="The key is revoked.",
        ask=_ask_revoke,
        run=_revoke,
        own=True,
    ),
)
