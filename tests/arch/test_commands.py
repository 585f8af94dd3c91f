"""Every command explains itself with an example, and the documents name only commands that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from gatekit.cli import cli
from tests.arch.tree import ROOT

DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))
}


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, (*path, name))


COMMANDS = dict(walk(cli, ("gatekit",)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    text = command.help or ""
    assert "Example:" in text, "say in the docstring how it is used"
    example = text.split("Example:", 1)[1]
    prefix = " ".join(path)
    assert prefix in " ".join(example.split())
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{prefix} {parameter.opts[0]} has no help"


def test_the_commands_that_people_were_told_of() -> None:
    wanted = [
        "init",
        "check",
        "doctor",
        "serve",
        "stdio",
        "bridge",
        "demo",
        "users",
        "groups",
        "keys",
        "clients",
        "signing-keys",
        "grants",
        "audit",
        "version",
    ]
    assert {("gatekit", each) for each in wanted} <= set(COMMANDS)
    for path in (
        ("grants", "list"),
        ("grants", "revoke"),
        ("audit", "tail"),
        ("audit", "search"),
        ("keys", "create"),
        ("clients", "renew-secret"),
        ("signing-keys", "list"),
        ("signing-keys", "rotate"),
        ("signing-keys", "retire"),
        ("bridge", "connect"),
        ("bridge", "login"),
        ("bridge", "logout"),
    ):
        assert ("gatekit", *path) in COMMANDS


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_commands_that_exist(name: str) -> None:
    text = DOCUMENTS[name]
    roots = {path[1] for path in COMMANDS if len(path) > 1}
    typed = re.findall(r"(?:`|^\$ )gatekit ([a-z][a-z-]*)", text, re.MULTILINE)
    assert set(typed) <= roots
    used = re.findall(r"(?:^|[`\s/])gatekit ((?:[a-z][a-z-]*(?![a-z:-]) ?){1,2})", text, re.MULTILINE)
    for each in used:
        words = each.split()
        if words[0] not in roots:
            continue  # prose: "gatekit is …"
        found = COMMANDS[("gatekit", words[0])]
        if isinstance(found, click.Group) and len(words) > 1:
            assert ("gatekit", *words) in COMMANDS, f"{name}: gatekit {each}"


def row(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command)
    values = [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]
    return f"| `{' '.join((*path, *values))}` | {command.get_short_help_str(120)} |"


def test_every_command_is_in_the_table() -> None:
    """Groups are the words that their commands begin with."""
    wanted = [
        row(path, command)
        for path, command in COMMANDS.items()
        if not command.hidden and not isinstance(command, click.Group)
    ]
    listed = [line for line in DOCUMENTS["docs/commands.md"].splitlines() if line.startswith("| `")]
    assert listed == wanted
