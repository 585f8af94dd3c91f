"""Many people or groups at once: taken out as a file, or brought in after a look at what would happen.

The form that brings in is one page twice: sent the first time it shows what would happen, sent again it does
it. The second form carries a token over the text and over what was shown; if either is another one by then,
what would happen now is shown instead, and nothing is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import urlencode

from msgspec import Struct, json
from starlette.responses import Response

from gatekit.admin.permissions import Permission
from gatekit.admin.sheets import FORMATS, Format, GroupRow, PersonRow, read, write
from gatekit.errors import AdminError, Forbidden, InvalidInput, NotFound, PageProblem
from gatekit.oauth.http import PAGE_HEADERS
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, sentence, status_of
from gatekit.web.console.route import EXPORT, GROUPS, IMPORT, PEOPLE
from gatekit.web.console.views import Choice, Fact, Link, Question, Sheet

MAX_BYTES = 512 * 1024
"""Of the form that is sent: every comma and line end takes three."""
MAX_ROWS = 1000
"""Whoever confirms a change sees all of it; more at once is for the command line."""
_PREVIEW = "Show what would happen"


class Line(Struct, frozen=True):
    """What would become of one row."""

    words: str
    """For people; empty: it is so already."""
    facts: tuple[object, ...]
    """What the decision rests on."""


class Planned(Struct, frozen=True):
    lines: tuple[Line, ...]
    carry_out: Callable[[], Awaitable[None]]

    def changes(self) -> tuple[str, ...]:
        return tuple(line.words for line in self.lines if line.words)


class Kind(Struct, frozen=True, kw_only=True):
    """People, or groups."""

    name: str
    here: str
    writes: Permission
    hint: str
    export: Callable[[Desks, Visit, Format], Awaitable[str]]
    plan: Callable[[Desks, Visit, str, Format], Awaitable[Planned]]


def transfer_links(visit: Visit, name: str) -> tuple[Link, ...]:
    """What the list of people, or of groups, offers."""
    kind = KINDS[name]
    links = [
        Link(f"Export as {form.upper()}", f"{EXPORT}?{urlencode({'of': name, 'form': form})}")
        for form in FORMATS
    ]
    if visit.may(kind.writes):
        links.insert(0, Link("Import", f"{IMPORT}?of={name}"))
    return tuple(links)


class TransferPages:
    """``/admin/export`` and ``/admin/import``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks
        self._busy = asyncio.Lock()
        """One at a time: it reads or writes many rows, and sign-ins need the store as well."""

    async def export(self, visit: Visit) -> Response:
        """A file to keep."""
        kind, form = _kind(visit), _form(visit.asked.get("form"))
        async with self._busy:
            text = await kind.export(self._desks, visit, form)
        # Never shown in the page's place: a browser keeps it as a file, whatever stands in it.
        headers = {**PAGE_HEADERS, "Content-Disposition": f'attachment; filename="{kind.name}.{form}"'}
        return Response(text, 200, headers, _MEDIA[form])

    async def ask(self, visit: Visit) -> Response:
        kind = _writable(visit)
        # No form is shown that could only be refused.
        if page := await self._door.again(visit, _here(kind)):
            return page
        return self._door.show(self._question(visit, kind, "", "csv"))

    async def do(self, visit: Visit) -> Response:
        kind = _writable(visit)
        self._door.check(visit, "import", kind.name)
        if page := await self._door.again(visit, _here(kind)):
            return page
        text, form = (visit.sent.get("text") or "").replace("\r\n", "\n"), _form(visit.sent.get("form"))
        try:
            async with self._busy:
                return await self._judged(visit, kind, text, form)
        except Forbidden:
            raise
        except AdminError as refused:
            first, *faults = str(refused).splitlines()
            question = self._question(visit, kind, text, form, error=sentence(first), faults=tuple(faults))
            return self._door.show(question, status_of(refused)[0])

    async def _judged(self, visit: Visit, kind: Kind, text: str, form: Format) -> Response:
        """Done, if that is what the last page showed; otherwise shown."""
        planned = await kind.plan(self._desks, visit, text, form)
        if not planned.changes():
            raise InvalidInput("nothing would change: all of it is so already")
        seen, sent = self._seen(visit, kind, text, form, planned), visit.sent.get("seen") or ""
        if not compare_digest(seen.encode(), sent.encode()):
            error = "This is not what was shown before. Below is what would happen now." if sent else ""
            question = self._question(visit, kind, text, form, planned=planned, error=error)
            return self._door.show(question, 409 if sent else 200)
        await planned.carry_out()
        sheet = Sheet(
            frame=self._door.frame(visit, kind.here),
            title=f"Import {kind.name}",
            notice="All of it is done.",
            facts=(*_counted(planned),),
            links=(Link("Go back", kind.here),),
        )
        return self._door.show(sheet)

    def _seen(self, visit: Visit, kind: Kind, text: str, form: Format, planned: Planned) -> str:
        shown = sha256(json.encode([(line.words, line.facts) for line in planned.lines])).hexdigest()
        return self._door.csrf(visit, "imported", kind.name, form, sha256(text.encode()).hexdigest(), shown)

    def _question(
        self,
        visit: Visit,
        kind: Kind,
        text: str,
        form: Format,
        *,
        planned: Planned | None = None,
        error: str = "",
        faults: tuple[str, ...] = (),
    ) -> Question:
        lead = "All of it happens, or nothing. Whoever is not in the text stays as they are."
        before = (lead, f"At most {MAX_ROWS} rows; more of them at the command line.")
        counted = ", ".join(f"{name.lower()}: {number}" for name, number in _counted(planned))
        return Question(
            frame=self._door.frame(visit, kind.here),
            title=f"Import {kind.name}",
            csrf=self._door.csrf(visit, "import", kind.name),
            seen=self._seen(visit, kind, text, form, planned) if planned else "",
            action=_here(kind),
            changes=(lead, sentence(counted), *planned.changes()) if planned else before,
            fields=(
                Choice(name="form", label="Written as", value=form, options=_FORMATS),
                Choice(name="text", label="Text", hint=kind.hint, value=text, lines=14, required=True),
            ),
            button="Do all of this" if planned else _PREVIEW,
            back=kind.here,
            error=error,
            faults=faults,
        )


def _kind(visit: Visit) -> Kind:
    kind = KINDS.get(visit.asked.get("of") or "")
    if kind is None:
        raise NotFound("the address names nothing that could be taken out or brought in")
    return kind


def _writable(visit: Visit) -> Kind:
    kind = _kind(visit)
    if not visit.may(kind.writes):
        raise PageProblem(
            403, "You may not do this", f"It needs more than the role {visit.actor.role}.", "Ask an admin."
        )
    return kind


def _form(asked: str | None) -> Format:
    form: Format | None = next((each for each in FORMATS if each == asked), None)
    if form is None:
        raise InvalidInput("choose CSV or JSON")
    return form


def _here(kind: Kind) -> str:
    return f"{IMPORT}?of={kind.name}"


def _counted(planned: Planned | None) -> tuple[Fact, ...]:
    changed = len(planned.changes()) if planned else 0
    return (
        ("Changed", str(changed)),
        ("Left as they are", str(len(planned.lines) - changed if planned else 0)),
    )


def _bounded(rows: Sequence[object]) -> None:
    if len(rows) > MAX_ROWS:
        raise InvalidInput(f"these are {len(rows)} rows, and here at most {MAX_ROWS} are taken at once")


def _line(line: int, action: str, name: str, before: str, after: str, *facts: object) -> Line:
    """``before`` and ``after`` in the words of the audit."""
    if action == "nothing":
        return Line("", (line, name, before, *facts))
    change = f"Now: {before or 'empty'}. Then: {after or 'empty'}" if action != "create" else after or "empty"
    return Line(f"Line {line}: {action} {name}. {change}", (line, name, before, after, *facts))


# -- people ------------------------------------------------------------------------------------------------


async def _export_people(desks: Desks, visit: Visit, form: Format) -> str:
    return write(await desks.transfer.export(visit.actor), form, PersonRow)


async def _plan_people(desks: Desks, visit: Visit, text: str, form: Format) -> Planned:
    rows = read(text, form, PersonRow)
    _bounded(rows)
    plan = await desks.transfer.plan(visit.actor, rows)
    lines = tuple(
        _line(
            one.line,
            one.action,
            one.write.user.username,
            one.words_before,
            one.words_after,
            one.before.id if one.before else "",  # nobody else who has the name later
        )
        for one in plan.people
    )

    async def carry_out() -> None:
        await desks.transfer.carry_out(visit.actor, plan)

    return Planned(lines, carry_out)


# -- groups ------------------------------------------------------------------------------------------------


async def _export_groups(desks: Desks, visit: Visit, form: Format) -> str:
    return write(await desks.group_transfer.export(visit.actor), form, GroupRow)


async def _plan_groups(desks: Desks, visit: Visit, text: str, form: Format) -> Planned:
    rows = read(text, form, GroupRow)
    _bounded(rows)
    plan = await desks.group_transfer.plan(visit.actor, rows)
    lines = []
    for one in plan:
        members = one.write.members if one.write else ()
        ident = one.write.group.id if one.write and not one.write.new else ""
        lines.append(_line(one.line, one.action, one.name, one.words_before, one.words_after, ident, members))

    async def carry_out() -> None:
        await desks.group_transfer.carry_out(visit.actor, plan)

    return Planned(tuple(lines), carry_out)


_FORMATS = (("csv", "CSV with a first line of names"), ("json", "JSON, a list of objects"))
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="people",
            here=PEOPLE,
            writes="people:write",
            hint="Columns: username, email, display_name, role, disabled, groups (with ; between them). "
            "A column that is not there changes nothing.",
            export=_export_people,
            plan=_plan_people,
        ),
        Kind(
            name="groups",
            here=GROUPS,
            writes="groups:write",
            hint="Columns: name, title, members, children, rule (the last three with ; between values). "
            "A column that is not there changes nothing.",
            export=_export_groups,
            plan=_plan_groups,
        ),
    )
}
