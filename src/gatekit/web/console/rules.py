"""Rules: those of the file to look at, and those that were made here to look at and change."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.errors import InvalidInput
from gatekit.model.rules import ArgumentTest, Rule, StoredRule, Window
from gatekit.policy.selectors import spelled
from gatekit.policy.written import DAYS, OPERATORS, rule_of, written_of
from gatekit.web.console.deeds import deed_url, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, minute
from gatekit.web.console.route import RULE, RULES
from gatekit.web.console.rule_deeds import DEEDS
from gatekit.web.console.views import Fact, Link, Row, Section, Sheet

EFFECTS = {
    "allow": "lets in",
    "deny": "denies",
    "ask": "asks for an approval",
    "step_up": "asks for a fresher sign-in",
}
_WRITTEN = {inside: key for key, inside in OPERATORS}
_UNREADABLE = "This version cannot read it: it lets nobody in, or denies everything. Replace or remove it."


def rule_url(name: str) -> str:
    """Page of a stored rule."""
    return f"{RULE}?{urlencode({'name': name})}"


class RulePages:
    """``/admin/rules`` and ``/admin/rule``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        stored = await self._desks.rules.list(visit.actor)
        file = self._desks.file_rules()
        now = self._door.now()
        sheet = Sheet(
            frame=self._door.frame(visit, RULES),
            title="Rules",
            lead="Who may do what, with which arguments. Deny wins over everything.",
            notice=notice(DEEDS, visit),
            links=(Link("Make a rule", deed_url("rule-add")),) if visit.may("rules:write") else (),
            sections=(
                Section(
                    title="Made here",
                    rows=tuple(_stored(row, now) for row in stored),
                    empty="None.",
                ),
                Section(
                    title="In the configuration file",
                    lead="They are changed there.",
                    rows=tuple(
                        Row(title=rule.name, badges=_badges(rule), facts=tuple(facts_of(rule)))
                        for rule in sorted(file, key=lambda rule: rule.name)
                    ),
                    empty="None.",
                ),
            ),
        )
        return self._door.show(sheet)

    async def rule(self, visit: Visit) -> Response:
        row = await self._desks.rules.show(visit.actor, visit.asked.get("name") or "")
        read = _read(row)
        sheet = Sheet(
            frame=self._door.frame(visit, RULES),
            title=row.name,
            badges=_state(row, read, self._door.now()),
            notice=notice(DEEDS, visit),
            warnings=() if read else (_UNREADABLE,),
            facts=(
                *(facts_of(read) if read else (("Written", row.body),)),
                ("Counts until", minute(row.expires_at) if row.expires_at else "somebody ends it"),
                ("In the audit", f"stored.{row.name}"),
                ("Made", f"{minute(row.created_at)} by {row.created_by}"),
                ("Changed", f"{minute(row.updated_at)} by {row.updated_by}"),
            ),
            links=tuple(
                Link(deed.words, deed_url(deed.name, name=row.name))
                for deed in DEEDS
                if visit.may(deed.permission) and _fits(deed.name, row)
            ),
        )
        return self._door.show(sheet)


def facts_of(rule: Rule) -> Iterator[Fact]:
    """What a rule says, in words; what it does not say is left out."""
    yield "Effect", EFFECTS[rule.effect]
    for label, texts in (
        ("Who", [spelled(who) for who in rule.who or ()]),
        ("But not", [spelled(who) for who in rule.unless]),
        ("Roles", rule.roles),
        ("Applications", rule.clients),
        ("Servers", rule.servers),
        ("About", [f"{kind} {glob}" for kind, glob in rule.names]),
        ("Arguments", [_test(test) for test in rule.arguments]),
        ("When", [_window(rule.when)] if rule.when else ()),
        ("From", rule.networks),
        ("Signed in", _strength(rule)),
        ("Approved by", [spelled(who) for who in rule.approvers]),
        ("Reason", [rule.reason] if rule.reason else ()),
    ):
        if texts:
            yield label, ", ".join(texts)


def _strength(rule: Rule) -> list[str]:
    if rule.strength is None:
        return []
    age = [f"at most {rule.strength.max_age:g} s ago"] if rule.strength.max_age else []
    return [*age, *(f"by {way}" for way in sorted(rule.strength.amr))]


def _test(test: ArgumentTest) -> str:
    value = " or ".join(map(str, test.value)) if isinstance(test.value, tuple) else str(test.value)
    optional = " (or left out)" if test.optional else ""
    return f"{test.pointer} {_WRITTEN[test.operator].replace('_', ' ')} {value}{optional}"


def _window(window: Window) -> str:
    days = " ".join(DAYS[day] for day in sorted(window.days)) if len(window.days) < len(DAYS) else "every day"
    if window.start == window.end:
        return f"{days} ({window.zone})"
    start, end = (f"{at // 60:02}:{at % 60:02}" for at in (window.start, window.end))
    return f"{days} {start}–{end} ({window.zone})"


def _stored(row: StoredRule, now: float) -> Row:
    read = _read(row)
    ends = (("Counts until", minute(row.expires_at)),) if row.expires_at else ()
    facts = (*facts_of(read), *ends) if read else (("Written", _UNREADABLE),)
    return Row(title=row.name, href=rule_url(row.name), badges=_state(row, read, now), facts=facts)


def _read(row: StoredRule) -> Rule | None:
    try:
        return rule_of(row.name, written_of(row.body))
    except InvalidInput:
        return None


def _badges(rule: Rule) -> tuple[str, ...]:
    return (rule.effect, *(("shadow",) if rule.shadow else ()))


def _state(row: StoredRule, read: Rule | None, now: float) -> tuple[str, ...]:
    ended = row.expires_at is not None and row.expires_at <= now
    said = (*(("off",) if not row.enabled else ()), *(("expired",) if ended else ()))
    return (*(_badges(read) if read else ("unreadable",)), *said)


def _fits(deed: str, row: StoredRule) -> bool:
    return {"rule-add": False, "rule-off": row.enabled, "rule-on": not row.enabled}.get(deed, True)
