"""SCIM tokens, with which directories write people and groups: which are good, one more, the end of one."""

from __future__ import annotations

from starlette.responses import Response

from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.provisioning import ScimToken, is_live
from gatekit.web.console.connection_deeds import connection_url
from gatekit.web.console.deeds import After, Asked, Deed, deed_url, named, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, day
from gatekit.web.console.route import PROVISIONING
from gatekit.web.console.views import Choice, Fact, Link, Row, Section, Sheet

ON_A_PAGE = 100
LIFETIMES = (("365", "A year"), ("90", "90 days"), ("730", "Two years"), ("0", "Until it is revoked"))
"""Days that are offered, and how they are called."""


class ProvisioningPages:
    """``/admin/provisioning``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def show(self, visit: Visit) -> Response:
        now = self._door.now()
        tokens = [each for each in await self._desks.scim_tokens.list(visit.actor) if is_live(each, now)]
        tokens.sort(key=lambda each: (each.connection, each.expires_at or float("inf"), each.id))
        views = sorted(await self._desks.connections().list(visit.actor), key=lambda each: each.name)
        open_ones = [view.name for view in views if _provisions(self._desks, view.name)]
        may = visit.may("connections:write")
        connections = tuple(
            Row(
                title=name,
                href=connection_url(name),
                facts=(("Good tokens", str(sum(each.connection == name for each in tokens))),),
                links=(Link("Make a token", deed_url("scim-token-create", connection=name)),) if may else (),
            )
            for name in open_ones
        )
        idle = sorted({each.connection for each in tokens} - set(open_ones))
        sheet = Sheet(
            frame=self._door.frame(visit, PROVISIONING),
            title="Provisioning",
            lead="Directories that write their people and groups here (SCIM).",
            notice=notice(DEEDS, visit),
            warnings=tuple(
                f"There is a token of {name}, which takes no directory now: it opens nothing."
                for name in idle[:10]
            ),
            facts=(("Base URL for the provider", f"{self._desks.public_url()}/scim/v2"),),
            sections=(
                Section(
                    title="Connections that take a directory",
                    rows=connections,
                    empty="None. A connection with the section `provisioning:` takes one.",
                ),
                Section(
                    title="Good tokens",
                    lead="A token that stands in the configuration file is not here.",
                    rows=tuple(_row(each, may=may) for each in tokens[:ON_A_PAGE]),
                    empty="None.",
                ),
            ),
        )
        return self._door.show(sheet)


def _provisions(desks: Desks, name: str) -> bool:
    found = desks.definition(name)
    return found is not None and found.rules.provisioning is not None


def _token_facts(token: ScimToken) -> tuple[Fact, ...]:
    return (
        ("Made", day(token.created_at)),
        ("Last used", day(token.last_used_at)),
        ("Good until", day(token.expires_at) if token.expires_at else "it is revoked"),
    )


def _row(token: ScimToken, *, may: bool) -> Row:
    return Row(
        title=f"{token.connection} …{token.hint}",
        facts=_token_facts(token),
        links=(Link("Revoke", deed_url("scim-token-revoke", id=token.id)),) if may else (),
    )


async def _ask_create(desks: Desks, visit: Visit) -> Asked:
    view = await desks.connections().show(visit.actor, named(visit, "connection"))
    if not _provisions(desks, view.name):
        raise Conflict(f"{view.name} has no section `provisioning:`, so a token would open nothing")
    return Asked(
        title=f"Make a SCIM token: {view.name}",
        back=PROVISIONING,
        about=(view.name,),
        state=(view.kind, str(view.enabled)),
        changes=(
            f"Whoever has the token says which people of {view.name} there are, who of them may come in, "
            "and which of its groups they are in.",
            "It is shown once. Others that are good stay good.",
        ),
        fields=(Choice(name="days", label="Good for", value="365", options=LIFETIMES),),
    )


async def _create(desks: Desks, visit: Visit, _: Asked) -> After:
    days = visit.sent.get("days") or ""
    if days not in {value for value, _ in LIFETIMES}:
        raise InvalidInput("choose how long it is good for")
    issued = await desks.scim_tokens.create(visit.actor, named(visit, "connection"), int(days) * 86400)
    return After(
        secret=issued.text,
        secret_label="The SCIM token, shown this once",
        facts=(("Base URL for the provider", f"{desks.public_url()}/scim/v2"),),
    )


async def _ask_revoke(desks: Desks, visit: Visit) -> Asked:
    ident = named(visit, "id")
    found = next((each for each in await desks.scim_tokens.list(visit.actor) if each.id == ident), None)
    if found is None:
        raise NotFound("there is no such token")
    if found.revoked_at is not None:
        raise Conflict("this token is revoked already")
    return Asked(
        title=f"Revoke the SCIM token of {found.connection}",
        back=PROVISIONING,
        about=(found.id,),
        changes=(
            f"It ends with …{found.hint} and was last used: {day(found.last_used_at)}.",
            "The directory is refused at once, and whoever leaves there is not told of here any more.",
            "This cannot be taken back; another token can be made.",
        ),
    )


async def _revoke(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.scim_tokens.revoke(visit.actor, named(visit, "id"))
    return After()


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="scim-token-create",
        words="Make the token",
        here=PROVISIONING,
        permission="connections:write",
        done="The token is made.",
        ask=_ask_create,
        run=_create,
        recent=True,
    ),
    Deed(
        name="scim-token-revoke",
        words="Revoke the token",
        here=PROVISIONING,
        permission="connections:write",
        done="The token is revoked.",
        ask=_ask_revoke,
        run=_revoke,
        recent=True,
    ),
)
