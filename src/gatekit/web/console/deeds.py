"""Changes to things: each is asked about on a page of its own, and done by the form on it.

A deed is one row of a table; ``pages`` puts the tables together. Its address is ``/admin/do/NAME``, and what
it is about stands in the query. The form holds two tokens: one says that it is ours, for this browser
session, this deed and this thing; the other says how the thing was when the page was shown. If it has changed
meanwhile, the page is shown again with what is true now, and nothing is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from gatekit.admin.permissions import Permission
from gatekit.errors import AdminError, ConfigError, Forbidden, InvalidInput, NotFound, PageProblem
from gatekit.model.pin_diff import Line
from gatekit.oauth.http import redirect
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, sentence, status_of
from gatekit.web.console.route import DEED
from gatekit.web.console.views import Choice, Fact, Link, Question, Section, Sheet

_NOTHING = "Nothing was changed."
KEY_DAYS = (7, 30, 90, 365)
"""How long a key may be good for, to choose from."""
_CHANGED = "It changed after this page was shown. Below is how it is now: look again."


class Asked(Struct, frozen=True, kw_only=True):
    """What the page says before the deed is done."""

    title: str
    back: str
    """Address of where the thing is shown."""
    about: tuple[str, ...] = ()
    """Which thing: ids, so that nothing else that gets its name later is meant."""
    state: tuple[str, ...] = ()
    """How the thing is, as far as the decision depends on it."""
    changes: tuple[str, ...] = ()
    """What will happen."""
    search: tuple[Choice, ...] = ()
    """Fields of a form that asks for the same page."""
    fields: tuple[Choice, ...] = ()
    lines: tuple[Line, ...] = ()
    """What is agreed to."""
    button: str = ""
    """Instead of the deed's words: pressing it shows what would happen."""
    preview: bool = False
    """It says what would happen with what was typed; done when that very page is sent."""
    faults: tuple[str, ...] = ()
    """Why it cannot be done with what was typed."""


class After(Struct, frozen=True, kw_only=True):
    """What came of it. Without anything to show the browser goes back to where the thing is."""

    where: str = ""
    """Another address to go to."""
    secret: str = ""
    """Shown this once."""
    secret_label: str = ""
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()


class Deed(Struct, frozen=True, kw_only=True):
    """One row of a table."""

    name: str
    """As in the address."""
    words: str
    """On the link and on the button."""
    here: str
    """The part of the console that it belongs to."""
    permission: Permission
    done: str
    """Said afterwards."""
    ask: Callable[[Desks, Visit], Awaitable[Asked]]
    run: Callable[[Desks, Visit, Asked], Awaitable[After]]
    recent: bool = False
    """Whether it wants a recent sign-in: it makes somebody more powerful, or cannot be taken back."""
    members: bool = False
    """Whether somebody without any role may come to it; the use case judges."""
    own: bool = False
    """Whether somebody without the permission may do it to what is theirs; the use case judges."""


def deed_url(name: str, /, **about: str) -> str:
    """Where the question of a deed is, about the thing that ``about`` names."""
    path = DEED.replace("{deed}", name)
    return f"{path}?{urlencode(about)}" if about else path


def named(visit: Visit, parameter: str) -> str:
    """A parameter that says what the deed is about. Raises ``NotFound``."""
    value = visit.asked.get(parameter)
    if not value:
        raise NotFound("the address names nothing")
    return value


def listed(text: str) -> tuple[str, ...]:
    """Names that were typed with commas, blanks or lines between them."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def ticked(visit: Visit, field: str) -> tuple[str, ...]:
    """Which options of a field were ticked. Each is a field of its own, because repeated ones are refused."""
    prefix = f"{field}:"
    return tuple(name.removeprefix(prefix) for name in visit.sent.fields if name.startswith(prefix))


def good_for(days: int) -> Choice:
    """How long a new key is good for: ``days``, or what is chosen instead. ``good_for_sent`` reads it."""
    options = tuple((str(each), f"{each} days") for each in KEY_DAYS)
    return Choice(name="days", label="Good for", value=str(days), options=options)


def good_for_sent(visit: Visit) -> int:
    """What was chosen, in seconds. Raises ``InvalidInput``: there is no key that ends by guessing."""
    days = visit.sent.get("days") or ""
    if days not in map(str, KEY_DAYS):
        raise InvalidInput("choose how long it is good for")
    return int(days) * 86400


class DeedPages:
    """``/admin/do/{deed}``."""

    def __init__(self, door: ConsoleDoor, desks: Desks, deeds: Sequence[Deed]) -> None:
        self._door = door
        self._desks = desks
        self._deeds = {deed.name: deed for deed in deeds}

    async def ask(self, visit: Visit) -> Response:
        deed = self._deed(visit)
        # No form is shown that could only be refused.
        if deed.recent and (page := await self._door.again(visit, _here(visit))):
            return page
        return self._door.show(self._question(visit, deed, await deed.ask(self._desks, visit)))

    async def do(self, visit: Visit) -> Response:
        deed = self._deed(visit)
        asked = await deed.ask(self._desks, visit)
        self._door.check(visit, "deed", deed.name, *asked.about)
        if deed.recent and (page := await self._door.again(visit, _here(visit))):
            return page
        if asked.faults:
            question = self._question(visit, deed, asked, error=_NOTHING, faults=asked.faults)
            return self._door.show(question, 400)
        if not compare_digest(
            self._seen(visit, deed, asked).encode(), (visit.sent.get("seen") or "").encode()
        ):
            error, status = ("", 200) if asked.preview else (_CHANGED, 409)
            return self._door.show(self._question(visit, deed, asked, error=error), status)
        try:
            after = await deed.run(self._desks, visit, asked)
        except Forbidden:
            raise
        except AdminError as refused:
            question = self._question(visit, deed, asked, error=sentence(str(refused)))
            return self._door.show(question, status_of(refused)[0])
        except ConfigError as refused:
            question = self._question(visit, deed, asked, error=_NOTHING, faults=refused.faults)
            return self._door.show(question, 400)
        return self._answer(visit, deed, asked, after)

    def _answer(self, visit: Visit, deed: Deed, asked: Asked, after: After) -> Response:
        back = after.where or asked.back
        if not (after.secret or after.facts or after.sections):
            return redirect(f"{back}{'&' if '?' in back else '?'}done={deed.name}")
        # Never behind a redirect: a secret would stand in an address.
        sheet = Sheet(
            frame=self._door.frame(visit, deed.here),
            title=asked.title,
            notice=deed.done,
            secret=after.secret,
            secret_label=after.secret_label,
            facts=after.facts,
            links=(Link("Go back", back),),
            sections=after.sections,
        )
        return self._door.show(sheet)

    def _deed(self, visit: Visit) -> Deed:
        deed = self._deeds.get(visit.request.path_params["deed"])
        if visit.actor.role == "member" and not (deed is not None and deed.members):
            raise PageProblem(403, "This is for administrators", "You have no part in running this gateway.")
        if deed is None:
            raise PageProblem(404, "There is no such page", "Nothing like this can be done here.")
        if not (deed.own or visit.may(deed.permission)):
            raise PageProblem(
                403,
                "You may not do this",
                f"It needs more than the role {visit.actor.role}.",
                "Ask somebody who has it.",
                detail=f"{deed.name} needs the permission {deed.permission}",
            )
        return deed

    def _seen(self, visit: Visit, deed: Deed, asked: Asked) -> str:
        return self._door.csrf(visit, "seen", deed.name, *asked.about, *asked.state)

    def _question(
        self, visit: Visit, deed: Deed, asked: Asked, *, error: str = "", faults: tuple[str, ...] = ()
    ) -> Question:
        # The search asks for the same page: what the address names besides its own fields is kept.
        searched = {choice.name for choice in asked.search}
        kept = [
            (name, value[0]) for name, value in visit.asked.fields.items() if name not in searched and value
        ]
        return Question(
            frame=self._door.frame(visit, deed.here),
            title=asked.title,
            csrf=self._door.csrf(visit, "deed", deed.name, *asked.about),
            seen=self._seen(visit, deed, asked),
            action=_here(visit),
            changes=asked.changes,
            search=asked.search,
            search_action=visit.request.url.path if asked.search else "",
            kept=tuple(kept) if asked.search else (),
            # What somebody else wrote meanwhile is shown, and not what was typed over it.
            fields=asked.fields
            if error in ("", _CHANGED)
            else tuple(_typed(visit, choice) for choice in asked.fields),
            lines=asked.lines,
            button=asked.button or deed.words,
            back=asked.back,
            error=error,
            faults=faults,
        )


def notice(deeds: Sequence[Deed], visit: Visit) -> str:
    """What the page says that a deed led back to."""
    return next((deed.done for deed in deeds if deed.name == visit.asked.get("done")), "")


def _typed(visit: Visit, choice: Choice) -> Choice:
    """The field as it was sent, so that nobody types it twice."""
    if choice.many:
        return replace(choice, chosen=ticked(visit, choice.name))
    return replace(choice, value=visit.sent.get(choice.name) or "")


def _here(visit: Visit) -> str:
    """The address of the question, from which the form goes to itself."""
    path, asked = visit.request.url.path, visit.request.url.query
    return f"{path}?{asked}" if asked else path
