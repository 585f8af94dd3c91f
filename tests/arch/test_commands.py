"""Every command explains itself with an example, and the documents name only commands that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from gatekit.cli import cli
from tests.arch.tree import ROOT

DOCUMENTED = (
    "README.md",
    "docs/clients.md",
    "docs/doctor.md",
    "docs/local.md",
    "docs/audit.md",
    "docs/keys.md",
    "docs/configuration.md",
    "CHANGELOG.md",
)


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


def test_issue_two_commands_exist() -> None:
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
        ("bridge", "connect"),
        ("bridge", "login"),
        ("bridge", "logout"),
    ):
        assert ("gatekit", *path) in COMMANDS


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documents_name_commands_that_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    roots = {path[1] for path in COMMANDS if len(path) > 1}
    used = re.findall(r"(?:^|[`\s/])gatekit ((?:[a-z][a-z-]*(?![a-z:-]) ?){1,2})", text, re.MULTILINE)
    for each in used:
        words = each.split()
        if words[0] not in roots:
            continue  # prose: "gatekit is …"
        found = COMMANDS[("gatekit", words[0])]
        if isinstance(found, click.Group) and len(words) > 1:
            assert ("gatekit", *words) in COMMANDS, f"{name}: gatekit {each}"
