"""Rules that were made at run time. Those of the file are not here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.errors import InvalidInput
from gatekit.model.rules import StoredRule
from gatekit.policy.written import Written, written_of
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, paged
from gatekit.web.api.times import maybe, moment

RuleName = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-z0-9][a-z0-9_.-]*$")]
End = Annotated[datetime, Meta(tz=True, description="From then on the rule counts no more.")]


class RuleWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule shall be; all of it is replaced."""

    rule: Written
    enabled: bool = True
    expires_at: End | None = None


class NewRule(RuleWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name stays; in the audit trail the rule is called `stored.NAME`."""

    name: RuleName


class RuleView(Struct, frozen=True, kw_only=True):
    """A rule as it is now."""

    name: str
    rule: Annotated[
        Written | None,
        Meta(description="Null if this version cannot read it; then it lets nobody in, or keeps all out."),
    ]
    enabled: bool
    expires_at: datetime | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class RulePage(Page[RuleView], frozen=True):
    """One page."""


def _out(row: StoredRule) -> RuleView:
    return RuleView(
        name=row.name,
        rule=_readable(row.body),
        enabled=row.enabled,
        expires_at=maybe(row.expires_at),
        created_at=moment(row.created_at),
        created_by=row.created_by,
        updated_at=moment(row.updated_at),
        updated_by=row.updated_by,
    )


def _readable(body: str) -> Written | None:
    try:
        return written_of(body)
    except InvalidInput:
        return None


def _end(wish: RuleWish) -> int | None:
    return None if wish.expires_at is None else int(wish.expires_at.timestamp())


async def _list(desks: Desks, wanted: Wanted) -> Page[RuleView]:
    return paged(await desks.rules.list(wanted.actor), wanted.query, lambda row: row.name, _out)


async def _show(desks: Desks, wanted: Wanted) -> RuleView:
    return _out(await desks.rules.show(wanted.actor, wanted["name"]))


async def _create(desks: Desks, wanted: Wanted) -> RuleView:
    new: NewRule = wanted.body
    row = await desks.rules.add(wanted.actor, new.name, new.rule, enabled=new.enabled, expires_at=_end(new))
    return _out(row)


async def _replace(desks: Desks, wanted: Wanted) -> RuleView:
    wish: RuleWish = wanted.body
    row = await desks.rules.change(
        wanted.actor, wanted["name"], wish.rule, enabled=wish.enabled, expires_at=_end(wish)
    )
    return _out(row)


async def _delete(desks: Desks, wanted: Wanted) -> None:
    await desks.rules.remove(wanted.actor, wanted["name"])


RULE = "/rules/{name}"

OPERATIONS = (
    Operation(
        name="rules.list",
        method="GET",
        path="/rules",
        permission="rules:read",
        summary="Rules that were made at run time, by name",
        query=Paged,
        answer=RulePage,
        run=_list,
    ),
    Operation(
        name="rules.create",
        method="POST",
        path="/rules",
        permission="rules:write",
        summary="Make a rule; it counts at once",
        body=NewRule,
        answer=RuleView,
        status=201,
        run=_create,
    ),
    Operation(
        name="rules.get",
        method="GET",
        path=RULE,
        permission="rules:read",
        summary="One rule",
        answer=RuleView,
        tagged=True,
        run=_show,
    ),
    Operation(
        name="rules.replace",
        method="PUT",
        path=RULE,
        permission="rules:write",
        summary="Change a rule, switch it on or off, let it end",
        body=RuleWish,
        answer=RuleView,
        current=_show,
        run=_replace,
    ),
    Operation(
        name="rules.delete",
        method="DELETE",
        path=RULE,
        permission="rules:write",
        summary="Remove a rule",
        current=_show,
        run=_delete,
    ),
)
