"""``virtual_servers``: what is shown, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.config.show import describe
from gatekit.model.rules import ByGroup, ToolRule
from gatekit.model.virtual import Exposed, Virtual
from tests.unit.config.write import faults, loaded

SERVERS = """
servers:
  tickets: {command: prog, allowed_users: [alice]}
  notes: {command: prog, allowed_users: [alice]}
"""


def test_everything_that_may_be_written(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        SERVERS
        + """
virtual_servers:
  helpdesk:
    title: Help desk
    instructions: Be kind.
    allowed_users: [alice]
    tools:
      find: {server: tickets, name: search, title: Find, description: Finds., arguments: {n: 3, in: [a]},
             annotations: {readOnlyHint: true}, allowed_groups: [leads]}
    prompts:
      triage: {server: notes, arguments: {tone: kind}}
    resources:
      notes: ["file:///srv/*"]
""",
    )
    (entry,) = config.virtual
    assert entry.line == 6
    assert entry.virtual == Virtual(
        name="helpdesk",
        title="Help desk",
        instructions="Be kind.",
        exposed=(
            Exposed(
                kind="tool",
                name="find",
                server="tickets",
                original="search",
                title="Find",
                description="Finds.",
                annotations=(("readOnlyHint", True),),
                fixed=(("n", 3), ("in", ["a"])),
            ),
            Exposed(
                kind="prompt", name="triage", server="notes", original="triage", fixed=(("tone", "kind"),)
            ),
        ),
        resources=(("notes", ("file:///srv/*",)),),
    )
    assert entry.virtual.sources == ("tickets", "notes")
    rules = config.rules.servers[-1]
    assert (rules.server, rules.place) == ("helpdesk", "virtual_servers")
    assert rules.tools == (ToolRule(glob="find", kind="tool", allowed=(ByGroup("leads"),)),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("v: {tools: {t: {server: tickts}}}",
         "6: virtual_servers.v.tools.t.server: there is no server 'tickts' (did you mean 'tickets'?)"),
        ("v: {resources: {nots: [a]}}",
         "6: virtual_servers.v.resources.nots: there is no server 'nots' (did you mean 'notes'?)"),
        ("v: {tools: {t: {server: v}}}",
         "6: virtual_servers.v.tools.t.server: 'v' is a virtual server itself; name the server behind it"),
        ("v: {tools: {t: {name: x}}}", "6: virtual_servers.v.tools.t.server: is required"),
        ("v: {tools: {t: {server: notes}, T: {server: tickets}}}",
         "6: virtual_servers.v.tools.T: there is 't' already (case does not count)"),
        ("v: {tools: {t: {server: notes}, t: {server: tickets}}}",
         "6: virtual_servers.v.tools.t: the key is written twice (first in line 6)"),
        ("v: {tools: {a b: {server: notes}}}",
         "6: virtual_servers.v.tools.\"a b\": 'a b' cannot be a tool's name: 1 to 128 of letters, digits, "
         "_ . -"),
        ("Notes: {tools: {t: {server: notes}}}",
         "6: virtual_servers.Notes: there is a server 'notes' already (case does not count)"),
        ("a__b: {tools: {t: {server: notes}}}",
         "6: virtual_servers.a__b: must not hold `__` or end with `_`: the aggregate endpoint names tools "
         "`server__tool`"),
        ("v: {title: x}",
         "6: virtual_servers.v: shows nothing; name tools, prompts or resources of your servers"),
        ("v: {prompts: {p: {server: notes, arguments: {n: 1}}}}",
         "6: virtual_servers.v.prompts.p.arguments.n: arguments of prompts are text (put it in quotes)"),
        ("v: {prompts: {p: {server: notes, annotations: {}}}}",
         "6: virtual_servers.v.prompts.p.annotations: unknown key here (it belongs under "
         "virtual_servers.*.tools.*)"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, f"{SERVERS}\nvirtual_servers:\n  {text}\n") == (fault,)


def test_the_values_of_fixed_arguments_are_not_shown(tmp_path: Path) -> None:
    text = "virtual_servers: {v: {tools: {t: {server: notes, arguments: {key: '${env:KEY}'}}}}}"
    config = loaded(tmp_path, f"{SERVERS}\n{text}\n", {"KEY": "hush-hush"})
    assert dict(config.virtual[0].virtual.exposed[0].fixed) == {"key": "hush-hush"}
    shown = describe(config)
    assert shown["virtual_servers"]["v"]["tools"] == {"t": "notes/t (fixed: key)"}
    assert "hush-hush" not in repr(shown)


def test_one_that_nobody_may_use_is_worth_a_warning(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{SERVERS}\nvirtual_servers: {{v: {{tools: {{t: {{server: notes}}}}}}}}\n")
    (said,) = [text for text in warnings(config) if "virtual_servers" in text]
    assert said.startswith("gatekit.yaml:5: virtual_servers.v: has no list")
