"""``gatekit policy``: what the rules say, why, and what they would have said."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import Duration, as_json, plain, print_json, print_table
from gatekit.cli.policy_replay import replay

if TYPE_CHECKING:
    from gatekit.model.people import Principal
    from gatekit.policy.engine import Kind, Policy
    from gatekit.policy.explain import Explanation

MAX_ARGUMENTS = 1024 * 1024


@click.group(short_help="What the rules say and why; cases; what they would have said.")
@placed
def policy() -> None:
    """What the rules say, why, and what they would have said.

    \b
    Example:
      gatekit policy explain --user bob --server db --tool query --args '{"sql": "drop table users"}'
    """


policy.add_command(replay)


@policy.command()
@click.option("--user", required=True, help="A username, or CONNECTION:LOGIN of somebody who never came.")
@click.option("--server", required=True, help="The server, also a virtual one.")
@click.option("--tool", help="The tool. With none of these three: the server as such.")
@click.option("--prompt", help="The prompt.")
@click.option("--resource", help="The URI of the resource.")
@click.option("--args", "arguments", default="{}", help="The arguments as JSON.", show_default=True)
@click.option("--client", help="The id of the client.")
@click.option("--client-name", default="", help="What the client calls itself.")
@click.option("--address", help="Where the caller is, such as 192.0.2.7.")
@click.option("--at", help="When, such as 2026-11-01T22:30:00+01:00; now if not said.")
@click.option("--signed-in", type=Duration(), default=None, help="How long ago, such as 5m.")
@click.option("--amr", multiple=True, help="How they signed in (RFC 8176), such as hwk. Repeat it.")
@as_json
@located
def explain(workspace: Workspace, /, as_json: bool, **asked: Any) -> None:
    """Show which rule decides about one use, and why the others do not.

    Nothing is called. What is not said counts as unknown, and what is unknown counts against the caller.
    Exit code 0, whatever the answer is.

    \b
    Example:
      gatekit policy explain --user bob --server db --tool drop_table
    """
    from gatekit.cli.policy_people import policy_now, somebody
    from gatekit.policy.explain import explain as explained

    kind, thing = _thing(asked)
    about = _about(asked, kind, _folder(workspace, asked["server"]))

    async def work(office: Office) -> tuple[Principal, Policy, str]:
        found = await policy_now(office, workspace)
        who, note = await somebody(office, workspace, str(asked["user"]))
        return who, found, note

    who, found, note = workspace.read(work)
    if asked["server"] not in found.names:
        raise click.UsageError(f"there is no server {asked['server']} (there are: {', '.join(found.names)})")
    why = explained(found, who, asked["server"], kind, thing, about)
    if as_json:
        print_json(_facts(why))
        return
    if note:
        click.echo(note, err=True)
    _print(why, found, who)


@policy.command("test")
@as_json
@located
def test_(workspace: Workspace, /, as_json: bool) -> None:
    """Try the cases that stand under `policy_tests` in the file.

    Rules of the store do not count here, so that the answer is the same everywhere. Exit code 1: a case
    comes out otherwise.

    \b
    Example:
      gatekit policy test --config gatekit.yaml
    """
    from gatekit.policy.cases import failures
    from gatekit.policy.engine import Policy

    config = workspace.config
    if config is None:
        raise click.UsageError("the cases stand in the file; say --config")
    failed = failures(Policy.compile(config.rules), config.policy_tests)
    if as_json:
        faults = [{"case": failure.case.name, "why": failure.why} for failure in failed]
        print_json({"cases": len(config.policy_tests), "failed": faults})
    else:
        for failure in failed:
            click.echo(f"{failure.case.name}: {failure.why}", err=True)
        click.echo(f"{len(config.policy_tests)} cases, {len(failed)} otherwise")
    sys.exit(1 if failed else 0)


def _thing(asked: dict[str, Any]) -> tuple[Kind, str]:
    said: list[tuple[Kind, str]] = []
    kinds: tuple[Kind, ...] = ("tool", "prompt", "resource")
    said = [(kind, asked[kind]) for kind in kinds if asked[kind] is not None]
    if len(said) > 1:
        raise click.UsageError("--tool, --prompt and --resource exclude each other")
    return said[0] if said else ("server", "")


def _folder(workspace: Workspace, name: str) -> str:
    """Where relative paths begin and links are followed, as for a call: of a server that runs here."""
    from gatekit.cli.policy_people import file_of

    servers = (entry.server for entry in file_of(workspace).servers)
    return next((server.cwd or "" for server in servers if server.name == name and server.command), "")


def _about(asked: dict[str, Any], kind: Kind, folder: str) -> Any:
    import msgspec

    from gatekit.audit.query import parse_when
    from gatekit.model.circumstances import Circumstances
    from gatekit.platform.clock import SystemClock

    now = SystemClock().now()
    at = parse_when(asked["at"], now) if asked["at"] else now
    try:
        if len(asked["arguments"]) > MAX_ARGUMENTS:
            raise click.UsageError("--args is longer than 1 MB")
        arguments = msgspec.json.decode(asked["arguments"])
    except msgspec.DecodeError as error:
        raise click.UsageError(f"--args is not JSON: {error}") from None
    return Circumstances(
        client_id=asked["client"] if asked["client"] is not None or not asked["client_name"] else "",
        client_name=asked["client_name"],
        address=asked["address"],
        auth_time=None if asked["signed_in"] is None else int(at - asked["signed_in"]),
        amr=frozenset(asked["amr"]),
        at=at,
        arguments=arguments if kind in ("tool", "prompt") else msgspec.UNSET,
        folder=folder,
    )


def _print(why: Explanation, found: Policy, who: Principal) -> None:
    from gatekit.policy.explain import reason_of, word

    said = reason_of(why.decision)
    click.echo(f"{word(why.decision)}: {plain(why.decision.rule)}{f' ({plain(said)})' if said else ''}")
    click.echo(f"{plain(who.username)} is {'' if why.admitted else 'not '}let in at the gateway")
    groups = ", ".join(sorted(found.groups(who)))
    click.echo(f"groups: {plain(groups) or '-'}")
    click.echo(f"the lists alone say {word(why.lists)} ({plain(why.lists.rule)})")
    if why.decision.shadow:
        click.echo(f"otherwise, if this were no trial: {plain(why.decision.shadow)}")
    rows = [
        (
            look.rule,
            f"{look.effect}{' (shadow)' if look.shadow else ''}",
            "holds" if look.holds else "does not hold",
            look.why,
        )
        for look in why.looks
    ]
    if rows:
        click.echo()
        print_table(("RULE", "EFFECT", "HERE", "WHY"), rows, "")


def _facts(why: Explanation) -> dict[str, Any]:
    from gatekit.policy.explain import reason_of, word

    return {
        "decision": word(why.decision),
        "rule": why.decision.rule,
        "reason": reason_of(why.decision) or None,
        "shadow": why.decision.shadow or None,
        "admitted": why.admitted,
        "lists": {"decision": word(why.lists), "rule": why.lists.rule},
        "rules": [
            {
                "rule": look.rule,
                "effect": look.effect,
                "shadow": look.shadow,
                "holds": look.holds,
                "why": look.why or None,
            }
            for look in why.looks
        ],
    }
