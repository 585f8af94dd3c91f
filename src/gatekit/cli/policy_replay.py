"""``gatekit policy replay``: recorded calls under the rules of a file."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located
from gatekit.cli.output import as_json, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekit.policy.engine import Policy, Rights

Row = tuple[str, str, str, str, str, str, str]
CHANGED = 2
"""Exit code: something would have changed."""


@click.command()
@click.option("--since", default="7d", show_default=True, help="From then on, such as 12h or 2026-11-01.")
@click.option("--until", help="Only what was before.")
@click.option("--user", help="Only the calls of this person.")
@click.option("--server", help="Only the calls of this server.")
@as_json
@located
def replay(
    workspace: Workspace,
    /,
    since: str,
    until: str | None,
    user: str | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Judge recorded calls again, by the rules of the file and the store as they are now.

    --config may name a file that is not in force yet; say --data-dir if it stands elsewhere. People are
    judged as they are now. The trail holds no arguments and not how somebody signed in: a call for which
    that matters is counted apart. Exit code 0: nothing would have changed, 2: something would.

    \b
    Example:
      gatekit policy replay --since 7d --config new.yaml --data-dir /var/lib/gatekit
    """
    from gatekit.audit.query import Filter, parse_when, search
    from gatekit.cli.policy_people import policy_now
    from gatekit.platform.clock import SystemClock

    now = SystemClock().now()
    wanted = Filter(
        event="call",
        user=user,
        server=server,
        since=parse_when(since, now),
        until=parse_when(until, now) if until else None,
    )

    async def work(office: Office) -> _Replay:
        found = _Replay(await policy_now(office, workspace), office, workspace)
        for record in search(workspace.data_dir / "audit", wanted):
            await found.judge(record.fields)
        return found

    found = workspace.read(work)
    if as_json:
        print_json(found.facts())
    else:
        _print(found)
    sys.exit(CHANGED if found.changed else 0)


class _Replay:
    """Counts; keeps no record."""

    def __init__(self, policy: Policy, office: Office, workspace: Workspace) -> None:
        from gatekit.cli.policy_people import directory

        self._policy = policy
        self._people = directory(office, workspace)
        self._rights: dict[str, Rights | None] = {}
        self.changed: Counter[Row] = Counter()
        self.same = self.unknown = self.gone = self.others = 0

    async def judge(self, record: Mapping[str, Any]) -> None:
        from gatekit.policy.explain import word
        from gatekit.policy.hindsight import again, use_of

        use = use_of(record)
        if use is None:
            self.others += 1
            return
        rights = await self._of(use.principal_id)
        if rights is None:
            self.gone += 1
            return
        decision = again(rights, use)
        if decision is None:
            self.unknown += 1
        elif word(decision) == use.was:
            self.same += 1
        else:
            server, kind, name = use.what
            row = (use.principal, server, kind, name, use.was, word(decision), decision.rule)
            self.changed[row] += 1

    async def _of(self, principal_id: str) -> Rights | None:
        if principal_id not in self._rights:
            principal = await self._people.principal(principal_id)
            self._rights[principal_id] = self._policy.rights(principal) if principal is not None else None
        return self._rights[principal_id]

    def facts(self) -> dict[str, Any]:
        names = ("principal", "server", "kind", "name", "was", "is", "rule")
        rows = [{**dict(zip(names, row, strict=True)), "calls": n} for row, n in self.changed.most_common()]
        return {
            "same": self.same,
            "changed": sum(self.changed.values()),
            "cannot_be_known": self.unknown,
            "people_gone": self.gone,
            "not_about_rules": self.others,
            "changes": rows,
        }


def _print(found: _Replay) -> None:
    rows = [
        (str(count), row[0], row[1], f"{row[2]} {row[3]}", f"{row[4]} → {row[5]}", row[6])
        for row, count in found.changed.most_common()
    ]
    if rows:
        print_table(("CALLS", "WHO", "SERVER", "WHAT", "CHANGE", "RULE"), rows, "")
        click.echo()
    click.echo(f"{found.same} calls as they were, {sum(found.changed.values())} otherwise")
    click.echo(f"{found.unknown} cannot be known: it depends on arguments or on the sign-in, not recorded")
    click.echo(f"{found.gone} of people who are gone, {found.others} not decided by rules over names")
