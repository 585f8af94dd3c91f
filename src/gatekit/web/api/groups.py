"""Groups: who is in them, what is nested in them, which rules fill them. Groups in the file are not here."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from gatekit.admin.groups import MAX_SELECTORS, GroupView
from gatekit.model.people import LOCAL
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, cursor, uncursor

SourceName = Annotated[str, Meta(max_length=64, description="`local`, or a connection.")]


class GroupQuery(Paged, frozen=True, forbid_unknown_fields=True):
    source: SourceName = ""


class NewGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """Letters, digits and `. _ -`."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_.-]+$")]
    title: Annotated[str, Meta(max_length=200)] = ""


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever one of these names is in the group, besides its members."""

    selectors: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=512)], ...],
        Meta(max_length=MAX_SELECTORS, description="As in the file; empty: only its members are in it."),
    ]


class GroupLine(Struct, frozen=True):
    """A group in a list. `size` counts direct members."""

    name: str
    source: str
    title: str
    size: int
    groups: Annotated[tuple[str, ...], Meta(description="Nested in it, directly.")]
    within: Annotated[tuple[str, ...], Meta(description="Groups that it is nested in, directly.")]
    selectors: tuple[str, ...]


class GroupLinePage(Page[GroupLine], frozen=True):
    """One page."""


class Group(Struct, frozen=True):
    """A group and its direct members."""

    name: str
    source: str
    title: str
    members: Annotated[tuple[str, ...], Meta(description="Usernames, sorted.")]
    groups: Annotated[tuple[str, ...], Meta(description="Nested in it, directly.")]
    within: Annotated[tuple[str, ...], Meta(description="Groups that it is nested in, directly.")]
    selectors: tuple[str, ...]


def _out(view: GroupView) -> Group:
    return Group(
        view.name, view.source, view.title, view.members, view.children, view.parents, view.selectors
    )


def _line(view: GroupView) -> GroupLine:
    return GroupLine(
        view.name, view.source, view.title, view.size, view.children, view.parents, view.selectors
    )


def _key(view: GroupView) -> tuple[bool, str, str]:
    """Our own first, as the use case sorts them."""
    return (view.source != LOCAL, view.source, view.name)


async def _list(desks: Desks, wanted: Wanted) -> Page[GroupLine]:
    query: GroupQuery = wanted.query
    views = [view for view in await desks.groups.list(wanted.actor) if query.source in ("", view.source)]
    if query.cursor:
        source, _, name = uncursor(query.cursor).partition("\n")
        views = [view for view in views if _key(view) > (source != LOCAL, source, name)]
    shown = views[: query.limit]
    more = len(views) > query.limit
    after = cursor(f"{shown[-1].source}\n{shown[-1].name}") if more else None
    return Page(tuple(_line(view) for view in shown), after)


async def _show(desks: Desks, wanted: Wanted) -> Group:
    return _out(await desks.groups.show(wanted.actor, wanted["name"]))


async def _show_foreign(desks: Desks, wanted: Wanted) -> Group:
    return _out(await desks.groups.show(wanted.actor, wanted["name"], wanted["connection"]))


async def _create(desks: Desks, wanted: Wanted) -> GroupLine:
    new: NewGroup = wanted.body
    await desks.groups.create(wanted.actor, new.name, new.title)
    return GroupLine(new.name, LOCAL, new.title, 0, (), (), ())


async def _delete(desks: Desks, wanted: Wanted) -> None:
    await desks.groups.delete(wanted.actor, wanted["name"])


async def _add(desks: Desks, wanted: Wanted) -> None:
    await desks.groups.add(wanted.actor, wanted["name"], [wanted["username"]])


async def _remove(desks: Desks, wanted: Wanted) -> None:
    await desks.groups.remove(wanted.actor, wanted["name"], [wanted["username"]])


async def _nest(desks: Desks, wanted: Wanted) -> None:
    await desks.groups.nest(wanted.actor, wanted["name"], wanted["child"])


async def _unnest(desks: Desks, wanted: Wanted) -> None:
    await desks.groups.unnest(wanted.actor, wanted["name"], wanted["child"])


async def _rule(desks: Desks, wanted: Wanted) -> Rule:
    wish: Rule = wanted.body
    rule = await desks.groups.rule(wanted.actor, wanted["name"], wish.selectors)
    return Rule(rule.selectors)


GROUP = "/groups/{name}"
MEMBER = f"{GROUP}/members/{{username}}"
CHILD = f"{GROUP}/groups/{{child}}"

OPERATIONS = (
    Operation(
        name="groups.list",
        method="GET",
        path="/groups",
        permission="groups:read",
        summary="Groups, our own first, then by connection and name",
        query=GroupQuery,
        answer=GroupLinePage,
        run=_list,
    ),
    Operation(
        name="groups.create",
        method="POST",
        path="/groups",
        permission="groups:write",
        summary="Make an empty group",
        body=NewGroup,
        answer=GroupLine,
        status=201,
        run=_create,
    ),
    Operation(
        name="groups.get",
        method="GET",
        path=GROUP,
        permission="groups:read",
        summary="One group of our own",
        answer=Group,
        tagged=True,
        run=_show,
    ),
    Operation(
        name="groups.delete",
        method="DELETE",
        path=GROUP,
        permission="groups:write",
        summary="Remove a group; its members stay, but are no longer in it",
        current=_show,
        run=_delete,
    ),
    Operation(
        name="groups.add_member",
        method="PUT",
        path=MEMBER,
        permission="groups:write",
        summary="Put somebody into a group; nothing happens if they are in it",
        current=_show,
        run=_add,
    ),
    Operation(
        name="groups.remove_member",
        method="DELETE",
        path=MEMBER,
        permission="groups:write",
        summary="Take somebody out of a group",
        current=_show,
        run=_remove,
    ),
    Operation(
        name="groups.nest",
        method="PUT",
        path=CHILD,
        permission="groups:write",
        summary="Members of the other group count as members of this one",
        current=_show,
        run=_nest,
    ),
    Operation(
        name="groups.unnest",
        method="DELETE",
        path=CHILD,
        permission="groups:write",
        summary="Take that back",
        current=_show,
        run=_unnest,
    ),
    Operation(
        name="groups.rule",
        method="PUT",
        path=f"{GROUP}/rule",
        permission="groups:write",
        summary="Fill a group by rule",
        body=Rule,
        answer=Rule,
        current=_show,
        run=_rule,
    ),
    Operation(
        name="groups.get_foreign",
        method="GET",
        path="/connections/{connection}/groups/{name:path}",
        permission="groups:read",
        summary="One group of a connection, as it was named at sign-in or provisioned",
        answer=Group,
        run=_show_foreign,
    ),
)
