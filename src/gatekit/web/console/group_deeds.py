"""What can be done to groups of our own."""

from __future__ import annotations

from urllib.parse import urlencode

from gatekit.admin.groups import MAX_SELECTORS, GroupView
from gatekit.errors import InvalidInput, NotFound
from gatekit.model.people import LOCAL, PeopleQuery
from gatekit.web.console.deeds import After, Asked, Deed, listed, named, ticked
from gatekit.web.console.door import Desks, Visit
from gatekit.web.console.route import GROUP, GROUPS
from gatekit.web.console.views import Choice

CANDIDATES = 50
"""People who are offered at once."""
_NAMED = 20
"""Members whom the question names before a group is deleted."""


def group_url(name: str, source: str = LOCAL) -> str:
    """Page of a group."""
    return f"{GROUP}?{urlencode({'name': name} if source == LOCAL else {'name': name, 'source': source})}"


async def _group(desks: Desks, visit: Visit) -> GroupView:
    return await desks.groups.head(visit.actor, named(visit, "name"))


def _more(desks: Desks, view: GroupView) -> tuple[str, ...]:
    """What else a change of who is in a group changes."""
    role = desks.standing.of_group(view.name)
    said = (f"Whoever is in it has the role {role}: the file says so.",) if role != "member" else ()
    above = ", ".join(view.parents)
    return (*said, f"Its members count as members of {above}, too.") if above else said


# -- the group itself --------------------------------------------------------------------------------------


async def _ask_create(_: Desks, __: Visit) -> Asked:
    return Asked(
        title="Add a group",
        back=GROUPS,
        changes=("A group without members is made. Access lists name it as `group:NAME`.",),
        fields=(
            Choice(name="name", label="Name", hint="Letters, digits and . _ - ; it stays.", required=True),
            Choice(name="title", label="Title", hint="For people to read. May be empty."),
        ),
    )


async def _create(desks: Desks, visit: Visit, _: Asked) -> After:
    name = visit.sent.get("name") or ""
    await desks.groups.create(visit.actor, name, visit.sent.get("title") or "")
    return After(where=group_url(name))


async def _ask_title(desks: Desks, visit: Visit) -> Asked:
    view = await _group(desks, visit)
    return Asked(
        title=f"Change the title: {view.name}",
        back=group_url(view.name),
        about=(view.id, view.name),
        state=(view.title,),
        changes=("Only what people read changes; lists mean the group by its name.",),
        fields=(Choice(name="title", label="Title", value=view.title),),
    )


async def _title(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.groups.retitle(visit.actor, named(visit, "name"), visit.sent.get("title") or "")
    return After()


async def _ask_delete(desks: Desks, visit: Visit) -> Asked:
    view = await _group(desks, visit)
    query = PeopleQuery(group=view.name, limit=_NAMED)
    some = [each.user.username for each in await desks.people.list(visit.actor, query)]
    rest = view.size - len(some)
    whom = f"{', '.join(some)}{f' and {rest} more' if rest > 0 else ''}"
    changes = [
        f"In it directly: {whom}. They stay, and are no longer in it."
        if some
        else "Nobody is in it directly.",
        "What lists allow to it, these people can no longer use, unless another line lets them.",
    ]
    if view.children:
        changes.append(f"The groups within it stay: {', '.join(view.children)}.")
    if view.parents:
        changes.append(f"It leaves the groups that it is within: {', '.join(view.parents)}.")
    if view.selectors:
        changes.append(f"Its rule ends, with {len(view.selectors)} entries.")
    return Asked(
        title=f"Delete the group: {view.name}",
        back=group_url(view.name),
        about=(view.id, view.name),
        state=_state(view),
        changes=(*changes, *_more(desks, view), "This cannot be taken back."),
    )


def _state(view: GroupView) -> tuple[str, ...]:
    return str(view.size), ",".join(view.children), ",".join(view.parents), ",".join(view.selectors)


async def _delete(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.groups.delete(visit.actor, named(visit, "name"))
    return After(where=GROUPS)


# -- who is in it ------------------------------------------------------------------------------------------


async def _ask_add(desks: Desks, visit: Visit) -> Asked:
    view = await _group(desks, visit)
    text = visit.asked.get("q") or ""
    found = await desks.people.list(visit.actor, PeopleQuery(text=text[:200], limit=CANDIDATES))
    offered = tuple(
        (each.user.username, f"{each.user.username} · {each.user.display_name or each.user.connection}")
        for each in found
        if not any(row.group == view.name and row.source == LOCAL for row in each.groups)
    )
    more = "The first fifty who fit. Search to see others." if len(found) == CANDIDATES else ""
    return Asked(
        title=f"Add people: {view.name}",
        back=group_url(view.name),
        about=(view.id, view.name),
        changes=("They may use at once what lists allow to the group.", *_more(desks, view)),
        search=(Choice(name="q", label="Search", hint="Part of a name or an address.", value=text),),
        fields=(
            Choice(
                name="who",
                label="Who is not in it yet",
                hint=more if offered else "Nobody who fits is outside of it.",
                options=offered,
                many=True,
            ),
            Choice(name="names", label="Others", hint="Usernames, with blanks or commas between them."),
        ),
    )


async def _add(desks: Desks, visit: Visit, _: Asked) -> After:
    names = (*ticked(visit, "who"), *listed(visit.sent.get("names") or ""))
    if not names:
        raise InvalidInput("choose somebody, or type a username")
    await desks.groups.add(visit.actor, named(visit, "name"), tuple(dict.fromkeys(names)))
    return After()


async def _ask_remove(desks: Desks, visit: Visit) -> Asked:
    view = await _group(desks, visit)
    person = (await desks.people.show(visit.actor, named(visit, "who"))).user
    return Asked(
        title=f"Remove from {view.name}: {person.username}",
        back=group_url(view.name),
        about=(view.id, person.id),
        changes=(
            "What lists allow to the group, they can no longer use, unless another line lets them.",
            "They may still be in it by a rule, or by a group within it.",
            *_more(desks, view),
        ),
    )


async def _remove(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.groups.remove(visit.actor, named(visit, "name"), [named(visit, "who")])
    return After()


async def _ask_nest(desks: Desks, visit: Visit) -> Asked:
    view = await _group(desks, visit)
    return Asked(
        title=f"Put a group into {view.name}",
        back=group_url(view.name),
        about=(view.id, view.name),
        state=(",".join(view.children),),
        changes=(f"The members of that group count as members of {view.name}, too.", *_more(desks, view)),
        fields=(Choice(name="child", label="Name of the other group", required=True),),
    )


async def _nest(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.groups.nest(visit.actor, named(visit, "name"), (visit.sent.get("child") or "").strip())
    return After()


async def _ask_unnest(desks: Desks, visit: Visit) -> Asked:
    view, child = await _group(desks, visit), named(visit, "child")
    if child not in view.children:
        raise NotFound(f"{child} is not within {view.name}")
    return Asked(
        title=f"Take out of {view.name}: {child}",
        back=group_url(view.name),
        about=(view.id, child),
        changes=(f"The members of {child} no longer count as members of {view.name}.", *_more(desks, view)),
    )


async def _unnest(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.groups.unnest(visit.actor, named(visit, "name"), named(visit, "child"))
    return After()


async def _ask_rule(desks: Desks, visit: Visit) -> Asked:
    view = await _group(desks, visit)
    return Asked(
        title=f"Change the rule: {view.name}",
        back=group_url(view.name),
        about=(view.id, view.name),
        state=view.selectors,
        changes=(
            "Whoever one of these entries names is in the group, besides its members, from now on.",
            "Without an entry only its members are.",
            *_more(desks, view),
        ),
        fields=(
            Choice(
                name="selectors",
                label="One entry a line",
                hint=f"Like okta:ada, ada@example.com, group:sre, group:okta/Sales. Up to {MAX_SELECTORS}.",
                value="\n".join(view.selectors),
                lines=10,
            ),
        ),
    )


async def _rule(desks: Desks, visit: Visit, _: Asked) -> After:
    lines = (visit.sent.get("selectors") or "").splitlines()
    await desks.groups.rule(visit.actor, named(visit, "name"), [line for line in lines if line.strip()])
    return After()


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="group-create",
        words="Add the group",
        here=GROUPS,
        permission="groups:write",
        done="The group is there.",
        ask=_ask_create,
        run=_create,
    ),
    Deed(
        name="group-title",
        words="Change the title",
        here=GROUPS,
        permission="groups:write",
        done="The title is changed.",
        ask=_ask_title,
        run=_title,
    ),
    Deed(
        name="group-add",
        words="Add people",
        here=GROUPS,
        permission="groups:write",
        done="They are in the group.",
        ask=_ask_add,
        run=_add,
        recent=True,
    ),
    Deed(
        name="group-remove",
        words="Remove",
        here=GROUPS,
        permission="groups:write",
        done="They are no longer in it directly.",
        ask=_ask_remove,
        run=_remove,
    ),
    Deed(
        name="group-nest",
        words="Put a group into it",
        here=GROUPS,
        permission="groups:write",
        done="The group is within it.",
        ask=_ask_nest,
        run=_nest,
        recent=True,
    ),
    Deed(
        name="group-unnest",
        words="Take out",
        here=GROUPS,
        permission="groups:write",
        done="The group is no longer within it.",
        ask=_ask_unnest,
        run=_unnest,
    ),
    Deed(
        name="group-rule",
        words="Change the rule",
        here=GROUPS,
        permission="groups:write",
        done="The rule is changed.",
        ask=_ask_rule,
        run=_rule,
        recent=True,
    ),
    Deed(
        name="group-delete",
        words="Delete",
        here=GROUPS,
        permission="groups:write",
        done="The group is deleted.",
        ask=_ask_delete,
        run=_delete,
        recent=True,
    ),
)
