"""``gatekit rules``: rules that are made while the gateway runs, beside those of the file."""

from __future__ import annotations

from functools import partial
from typing import IO, TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import Duration, as_json, minute, moment, plain, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.rules import Rules
    from gatekit.model.rules import Rule, StoredRule
    from gatekit.policy.written import Written

MAX_TEXT = 64 * 1024
from_option = click.option(
    "--from",
    "source",
    type=click.File("r"),
    help="The rule as it would stand under `rules:` in the file, YAML or JSON; - reads standard input.",
)
expires_option = click.option(
    "--expires", type=Duration(), default=None, help="Such as 8h or 30d, from now. None: it stays."
)


def _desk(workspace: Workspace, office: Office) -> Rules:
    from gatekit.admin.rules import Rules
    from gatekit.config.rule_text import known_of
    from gatekit.policy.written import Known

    config = workspace.config
    return office.of(partial(Rules, known=(lambda: known_of(config)) if config is not None else Known))


@click.group()
@placed
def rules() -> None:
    """Rules that are made while the gateway runs, beside those of the file.

    \b
    Example:
      gatekit rules add no-drops --effect deny --server db --tool 'drop_*'
    """


@rules.command("list")
@as_json
@located
def list_(workspace: Workspace, /, as_json: bool) -> None:
    """List rules: those of the file, and those that were made at run time.

    \b
    Example:
      gatekit rules list
    """

    async def work(office: Office) -> list[StoredRule]:
        return list(await _desk(workspace, office).list(office.actor))

    stored = workspace.read(work)
    written = workspace.config.rules.rules if workspace.config is not None else ()
    if as_json:
        print_json([_of_file(rule) for rule in written] + [_facts(row) for row in stored])
        return
    rows: list[tuple[str, ...]] = [
        (rule.name, "file", rule.effect, _state_of(rule), "never", rule.reason) for rule in written
    ]
    rows.extend(map(_row, stored))
    columns = ("NAME", "FROM", "EFFECT", "STATE", "EXPIRES (UTC)", "REASON")
    print_table(columns, rows, "there are no rules: gatekit rules add NAME --effect deny …")


@rules.command()
@click.argument("name")
@as_json
@located
def show(workspace: Workspace, /, name: str, as_json: bool) -> None:
    """Show a rule that was made at run time, as it would stand in the file.

    \b
    Example:
      gatekit rules show no-drops > rule.yaml
    """
    row = workspace.read(lambda office: _desk(workspace, office).show(office.actor, name))
    if as_json:
        print_json(_facts(row))
        return
    click.echo(f"# {row.name}: {_state(row)}, expires {minute(row.expires_at)} (UTC)")
    click.echo(f"# made {minute(row.created_at)} by {plain(row.created_by)}")
    click.echo(f"# changed {minute(row.updated_at)} by {plain(row.updated_by)}")
    click.echo(_yaml(row.body), nl=False)


@rules.command()
@click.argument("name")
@from_option
@click.option(
    "--effect",
    type=click.Choice(("allow", "deny", "ask", "step_up")),
    default=None,
    help="What the rule does.",
)
@click.option("--who", multiple=True, metavar="SELECTOR", help="Such as local:bob or group:sre; repeat it.")
@click.option("--server", "servers", multiple=True, metavar="GLOB", help="Repeat it for several.")
@click.option("--tool", "tools", multiple=True, metavar="GLOB", help="Repeat it for several.")
@click.option("--reason", default="", help="What people hear, and what the audit says.")
@click.option("--shadow", is_flag=True, help="Record what it would change, and change nothing.")
@click.option("--off", is_flag=True, help="Not in force yet.")
@expires_option
@located
def add(
    workspace: Workspace,
    /,
    name: str,
    source: IO[str] | None,
    off: bool,
    expires: int | None,
    **said: Any,
) -> None:
    """Make a rule; it counts at once, in the running gateway too.

    \b
    Example:
      gatekit rules add bob-reads --effect allow --who local:bob --server db --tool query --expires 8h
    """
    written = _written(source, said)

    async def work(office: Office) -> StoredRule:
        end = _end(expires)
        desk = _desk(workspace, office)
        return await desk.add(office.actor, name, written, enabled=not off, expires_at=end)

    row = workspace.change(work)
    click.echo(f"the rule {row.name} is {_state(row)}, expires {minute(row.expires_at)} (UTC)")


@rules.command()
@click.argument("name")
@from_option
@click.option("--on/--off", "enabled", default=None, help="Let it count, or not.")
@expires_option
@click.option("--keep", is_flag=True, help="It expires no more.")
@located
def edit(
    workspace: Workspace,
    /,
    name: str,
    source: IO[str] | None,
    enabled: bool | None,
    expires: int | None,
    keep: bool,
) -> None:
    """Change a rule; what is not said stays as it is.

    \b
    Example:
      gatekit rules edit no-drops --off
      gatekit rules edit no-drops --from rule.yaml
    """
    if expires is not None and keep:
        raise click.UsageError("--expires and --keep contradict each other")
    if source is None and enabled is None and expires is None and not keep:
        raise click.UsageError("nothing to change: say --from, --on, --off, --expires or --keep")

    async def work(office: Office) -> StoredRule:
        from msgspec import UNSET

        written = None if source is None else _read(source)
        end = None if keep else UNSET if expires is None else _end(expires)
        desk = _desk(workspace, office)
        return await desk.change(office.actor, name, written, enabled=enabled, expires_at=end)

    row = workspace.change(work)
    click.echo(f"the rule {row.name} is {_state(row)}, expires {minute(row.expires_at)} (UTC)")


@rules.command()
@click.argument("name")
@yes
@located
def remove(workspace: Workspace, /, name: str, yes: bool) -> None:
    """Remove a rule that was made at run time.

    \b
    Example:
      gatekit rules remove no-drops
    """
    if not yes:
        click.confirm(f"Remove the rule {name}?", abort=True, err=True)
    row = workspace.change(lambda office: _desk(workspace, office).remove(office.actor, name))
    click.echo(f"the rule {row.name} is removed")


def _written(source: IO[str] | None, said: dict[str, Any]) -> Written:
    from gatekit.policy.written import written_from

    options = {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}
    options = {key: value for key, value in options.items() if value}
    if source is not None:
        if options:
            raise click.UsageError("--from holds the whole rule; leave the other options out")
        return _read(source)
    if "effect" not in options:
        raise click.UsageError("say --effect, or --from FILE for the whole rule")
    return written_from(options)


def _read(source: IO[str]) -> Written:
    from gatekit.config.rule_text import read_rule
    from gatekit.errors import InvalidInput

    text = source.read(MAX_TEXT + 1)
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"a rule is no text of more than {MAX_TEXT // 1024} kB")
    return read_rule(text, source.name)


def _end(expires: int | None) -> int | None:
    from gatekit.platform.clock import SystemClock

    return None if expires is None else int(SystemClock().now()) + expires


def _yaml(body: str) -> str:
    """As people write it, or as it was kept if this version cannot read it."""
    from io import StringIO

    from ruamel.yaml import YAML

    from gatekit.config.rule_text import rule_as_text
    from gatekit.errors import InvalidInput
    from gatekit.policy.written import written_of

    text = StringIO()
    try:
        YAML(typ="safe", pure=True).dump(rule_as_text(written_of(body)), text)
    except InvalidInput as error:
        return f"# {plain(str(error))}\n# {plain(body)}\n"
    return text.getvalue()


def _plainly(body: str) -> dict[str, Any] | None:
    from gatekit.config.rule_text import rule_as_text
    from gatekit.errors import InvalidInput
    from gatekit.policy.written import written_of

    try:
        return rule_as_text(written_of(body))
    except InvalidInput:
        return None


def _row(row: StoredRule) -> tuple[str, ...]:
    rule = _plainly(row.body) or {"effect": "unreadable"}
    effect, reason = rule["effect"], rule.get("reason", "")
    return row.name, "store", effect, _state(row, rule), minute(row.expires_at), reason


def _state(row: StoredRule, rule: dict[str, Any] | None = None) -> str:
    from gatekit.platform.clock import SystemClock

    if not row.enabled:
        return "off"
    if row.expires_at is not None and row.expires_at <= SystemClock().now():
        return "expired"
    return "shadow" if rule and rule.get("shadow") else "on"


def _state_of(rule: Rule) -> str:
    return "shadow" if rule.shadow else "on"


def _of_file(rule: Rule) -> dict[str, Any]:
    return {"name": rule.name, "from": "file", "effect": rule.effect, "shadow": rule.shadow}


def _facts(row: StoredRule) -> dict[str, Any]:
    return {
        "name": row.name,
        "from": "store",
        "rule": _plainly(row.body),
        "enabled": row.enabled,
        "state": _state(row),
        "expires_at": moment(row.expires_at),
        "created_at": moment(row.created_at),
        "created_by": row.created_by,
        "updated_at": moment(row.updated_at),
        "updated_by": row.updated_by,
    }
