"""Pages of approvers: calls that wait for somebody's yes."""

from __future__ import annotations

from gatekit.web.console.views import Choice, Frame, Link, Question, Row, Section, Sheet
from gatekit.web.pages import HtmlPages


def _frame(role: str = "member") -> Frame:
    return Frame(username="carol", role=role, logout_csrf="csrf-value", here="/admin/approvals")


def approvals() -> Sheet:
    def row(person: str, what: str, state: str, *more: tuple[str, str]) -> Row:
        facts = (("Client", "Claude"), ("Rule", "rules.careful"), ("Asked", "2026-11-23 22:40 UTC"), *more)
        return Row(title=f"{person}: {what}", href="/admin/approvals?id=x", badges=(state,), facts=facts)

    until = ("Allowed until", "2026-11-23 23:40 UTC")
    return Sheet(
        frame=_frame("admin"),
        title="Approvals",
        lead="Calls that a rule holds back until somebody agrees.",
        notice="It is allowed.",
        sections=(
            Section(title="Waiting", rows=(row("alice", "delete_note at notes", "waiting"),)),
            Section(title="Allowed for a while", rows=(row("bob", "query at db", "allowed", until),)),
            Section(title="Over", lead="The newest first.", empty="None."),
        ),
    )


def approval() -> Sheet:
    return Sheet(
        frame=_frame(),
        title="alice wants delete_note at notes",
        badges=("waiting",),
        facts=(
            ("Person", "alice"),
            ("Client", "Claude"),
            ("Server", "notes"),
            ("Wants", "tools/call delete_note"),
            ("Argument id", '"n\\u{200b}17"'),
            ("Rule", "rules.careful"),
            ("Reason", "a note is gone for good"),
            ("Waits until", "2026-11-23 22:45 UTC"),
        ),
        links=(
            Link("Allow", "/admin/do/approval-allow?id=x"),
            Link("Refuse", "/admin/do/approval-deny?id=x"),
        ),
    )


def allowing() -> Question:
    return Question(
        frame=_frame(),
        title="Allow delete_note at notes for alice",
        csrf="csrf-value",
        seen="seen-value",
        action="/admin/do/approval-allow?id=x",
        changes=("alice calls it with Claude, and the call goes on at once.", 'Argument id: "17"'),
        fields=(
            Choice(
                name="seconds",
                label="Allow",
                value="0",
                options=(("0", "this call only"), ("3600", "such calls for an hour")),
            ),
            Choice(
                name="with",
                label="Such calls are of the same person, client, server and tool",
                options=(("whatever", "whatever their arguments are"),),
                many=True,
                hint="Not ticked: only with the same arguments.",
            ),
        ),
        button="Allow",
        back="/admin/approvals?id=x",
    )


def pages_of_approvals(pages: HtmlPages) -> dict[str, str]:
    """Name → document."""
    return {
        "admin-approvals": pages.console(approvals()),
        "admin-approval": pages.console(approval()),
        "admin-approval-allow": pages.console(allowing()),
    }
