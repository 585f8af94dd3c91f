"""What can be done to rules that were made here. Before one counts, the page says what it would change."""

from __future__ import annotations

from urllib.parse import urlencode

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gatekit.admin.foresight import Foreseen, Shift
from gatekit.errors import AdminError, ConfigError, Conflict, Forbidden
from gatekit.model.rules import StoredRule
from gatekit.policy.written import Written, kept, written_of
from gatekit.web.console.deeds import After, Asked, Deed, named
from gatekit.web.console.door import Desks, Visit, minute, sentence
from gatekit.web.console.route import RULE, RULES
from gatekit.web.console.rule_form import KEEP, NAME, fields_of, lifetime, text_of, typed_in

MOST = 20
"""Changes that are told one by one."""
NAMES = 5
"""People who are named in one of them."""
_PREVIEW = "Show what it would change"


def told(seen: Foreseen, *, trial: bool = False) -> tuple[str, ...]:
    """Sentences for the page that asks."""
    lines = [
        f"{_thing(shift)}: {shift.was} → {shift.becomes}, {_people(shift.who)}." for shift in seen.shifts
    ]
    more = [f"And {len(lines) - MOST} more changes like these."] if len(lines) > MOST else []
    looked = f"Looked at: {seen.people} people and {seen.things} servers and tools"
    rest = "" if seen.all_people and seen.all_things else "; there are more, who are not looked at"
    quiet = ["Nobody who is looked at could do anything more or less than now."] if not lines else []
    first = ["A trial: nothing of this happens. Calls that it would change are recorded."] if trial else []
    return (*first, *lines[:MOST], *more, *quiet, f"{looked}{rest}.")


def _thing(shift: Shift) -> str:
    server, kind, name = shift.thing
    return f"{server}, {kind} {name}" if name else f"{server}, as a whole"


def _people(who: tuple[str, ...]) -> str:
    rest = len(who) - NAMES
    return f"for {', '.join(who[:NAMES])}{f' and {rest} others' if rest > 0 else ''}"


async def _row(desks: Desks, visit: Visit) -> StoredRule:
    return await desks.rules.show(visit.actor, named(visit, "name"))


def _url(name: str) -> str:
    return f"{RULE}?{urlencode({'name': name})}"


def _readable(row: StoredRule) -> Written | None:
    try:
        return written_of(row.body)
    except AdminError:
        return None


def _state(row: StoredRule) -> tuple[str, ...]:
    return row.body, str(row.enabled), str(row.expires_at), str(row.updated_at)


async def _form(desks: Desks, visit: Visit, asked: Asked, row: StoredRule | None) -> Asked:
    """``asked`` with the form; once something was typed, with what it would change."""
    if not visit.sent.fields:
        return _with(asked, fields=fields_of(desks, row), button=_PREVIEW)
    fields = typed_in(visit, fields_of(desks, row))
    name = row.name if row else visit.sent.get(NAME) or ""
    try:
        written = desks.rule(text_of(visit))
        end = lifetime(visit)
        if row is None and any(each.name == name for each in await desks.rules.list(visit.actor)):
            raise Conflict(f"there is a rule called {name} already")
        await desks.rules.check(visit.actor, name, written)
        seen = await desks.foresight.foresee(visit.actor, name, written)
    except Forbidden:
        raise
    except AdminError as wrong:
        return _with(asked, fields=fields, button=_PREVIEW, faults=(sentence(str(wrong)),))
    except ConfigError as wrong:
        return _with(asked, fields=fields, button=_PREVIEW, faults=tuple(wrong.faults))
    lines = told(seen, trial=written.shadow)
    if row and not row.enabled:
        lines = ("It is off: nothing of this happens until it is on.", *lines)
    state = (*asked.state, name, kept(written), str(end), *lines)
    return _with(asked, fields=fields, changes=lines, state=state, preview=True)


def _with(asked: Asked, **changes: object) -> Asked:
    return replace(asked, **changes)


def _end(desks: Desks, visit: Visit) -> int | UnsetType | None:
    chosen = lifetime(visit)
    if chosen == KEEP:
        return UNSET
    return int(desks.clock.now()) + int(chosen) if chosen else None


async def _ask_add(desks: Desks, visit: Visit) -> Asked:
    asked = Asked(
        title="Make a rule",
        back=RULES,
        changes=("It counts within a second, beside those of the file.",),
    )
    return await _form(desks, visit, asked, None)


async def _add(desks: Desks, visit: Visit, _: Asked) -> After:
    end = _end(desks, visit)
    row = await desks.rules.add(
        visit.actor,
        visit.sent.get(NAME) or "",
        desks.rule(text_of(visit)),
        expires_at=None if end is UNSET else end,
    )
    return After(where=_url(row.name))


async def _ask_change(desks: Desks, visit: Visit) -> Asked:
    row = await _row(desks, visit)
    asked = Asked(
        title=f"Change the rule: {row.name}",
        back=_url(row.name),
        about=(row.name, str(row.created_at)),
        state=_state(row),
        changes=("What stands here takes the place of the whole rule.",),
    )
    return await _form(desks, visit, asked, row)


async def _change(desks: Desks, visit: Visit, asked: Asked) -> After:
    await desks.rules.change(
        visit.actor, asked.about[0], desks.rule(text_of(visit)), expires_at=_end(desks, visit)
    )
    return After()


async def _ask_off(desks: Desks, visit: Visit) -> Asked:
    row = await _row(desks, visit)
    return Asked(
        title=f"Switch off: {row.name}",
        back=_url(row.name),
        about=(row.name, str(row.created_at)),
        state=_state(row),
        changes=await _without(desks, visit, row),
    )


async def _without(desks: Desks, visit: Visit, row: StoredRule) -> tuple[str, ...]:
    if not row.enabled:
        return ("It is off: nothing changes.",)
    return told(await desks.foresight.foresee(visit.actor, row.name, None))


async def _off(desks: Desks, visit: Visit, asked: Asked) -> After:
    await desks.rules.change(visit.actor, asked.about[0], enabled=False)
    return After()


async def _ask_on(desks: Desks, visit: Visit) -> Asked:
    row = await _row(desks, visit)
    written = _readable(row)
    if written is None:
        changes: tuple[str, ...] = ("This version cannot read it: it lets nobody in, or denies everything.",)
    else:
        seen = await desks.foresight.foresee(visit.actor, row.name, written)
        changes = told(seen, trial=written.shadow)
    if row.expires_at is not None and row.expires_at <= desks.clock.now():
        changes = (f"It ended on {minute(row.expires_at)}: change it as well, or nothing happens.", *changes)
    return Asked(
        title=f"Switch on: {row.name}",
        back=_url(row.name),
        about=(row.name, str(row.created_at)),
        state=_state(row),
        changes=changes,
    )


async def _on(desks: Desks, visit: Visit, asked: Asked) -> After:
    await desks.rules.change(visit.actor, asked.about[0], enabled=True)
    return After()


async def _ask_remove(desks: Desks, visit: Visit) -> Asked:
    row = await _row(desks, visit)
    return Asked(
        title=f"Remove the rule: {row.name}",
        back=_url(row.name),
        about=(row.name, str(row.created_at)),
        state=_state(row),
        changes=(*await _without(desks, visit, row), "It is gone then; the audit keeps what it said."),
    )


async def _remove(desks: Desks, visit: Visit, asked: Asked) -> After:
    await desks.rules.remove(visit.actor, asked.about[0])
    return After(where=RULES)


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="rule-add",
        words="Make the rule",
        here=RULES,
        permission="rules:write",
        done="The rule counts.",
        ask=_ask_add,
        run=_add,
        recent=True,
    ),
    Deed(
        name="rule-change",
        words="Change the rule",
        here=RULES,
        permission="rules:write",
        done="The rule is changed.",
        ask=_ask_change,
        run=_change,
        recent=True,
    ),
    Deed(
        name="rule-off",
        words="Switch off",
        here=RULES,
        permission="rules:write",
        done="It is off. “Switch on” takes it back.",
        ask=_ask_off,
        run=_off,
        recent=True,
    ),
    Deed(
        name="rule-on",
        words="Switch on",
        here=RULES,
        permission="rules:write",
        done="It is on. “Switch off” takes it back.",
        ask=_ask_on,
        run=_on,
        recent=True,
    ),
    Deed(
        name="rule-remove",
        words="Remove",
        here=RULES,
        permission="rules:write",
        done="The rule is removed.",
        ask=_ask_remove,
        run=_remove,
        recent=True,
    ),
)
