"""Commands: split into words, never given to a shell, and refused when they smuggle one in.

Whoever can write the file can run programs anyway; this is about a copied snippet that runs more than it
shows (the class of CVE-2026-30615, oauth.md §4 row 14). ``allow_dangerous: true`` says that it is meant.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=.*", re.DOTALL)
_SHELL_WORD = re.compile(r"[|&;<>]+|\d*>>?&?\d*|<<<?.*|\d?>>?[^=].*|.*;")
_EXPANSION = re.compile(r"\$\(|`|\$[A-Za-z_]")

_HIJACKS = frozenset(
    [
        "BASH_ENV",
        "ENV",
        "SHELLOPTS",
        "BASHOPTS",
        "PROMPT_COMMAND",
        "PS4",
        "IFS",
        "GCONV_PATH",
        "NODE_OPTIONS",
        "NODE_PATH",
        "NODE_REPL_EXTERNAL_MODULE",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONUSERBASE",
        "PYTHONBREAKPOINT",
        "PYTHONPLATLIBDIR",
        "PERL5LIB",
        "PERL5OPT",
        "PERLLIB",
        "RUBYOPT",
        "RUBYLIB",
        "PHP_INI_SCAN_DIR",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "_JAVA_OPTIONS",
        "DOTNET_STARTUP_HOOKS",
        "LUA_INIT",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "GIT_PAGER",
    ]
)
"""Variables with which a program runs code that its command line does not show."""
_HIJACK_PREFIXES = ("LD_", "DYLD_", "BASH_FUNC_", "npm_config_script_shell")

_SHELLS = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "ash",
        "zsh",
        "ksh",
        "mksh",
        "fish",
        "csh",
        "tcsh",
        "pwsh",
        "powershell",
        "cmd",
        "cmd.exe",
    ]
)
_INTERPRETER = re.compile(r"python[\d.]*|pypy[\d.]*|node|nodejs|perl|ruby|php|lua[\d.]*")
_NODE_RUNNERS = frozenset(["npx", "npm", "pnpm", "pnpx", "yarn", "bunx"])
_PYTHON_RUNNERS = frozenset(["uvx", "uv", "pipx"])
_WRAPPERS = frozenset(
    [
        "env",
        "nice",
        "nohup",
        "setsid",
        "stdbuf",
        "time",
        "timeout",
        "ionice",
        "chrt",
        "exec",
        "busybox",
        "sudo",
        "doas",
    ]
)

_TAKES_VALUE = {
    "shell": frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}),
    "node": frozenset({"-p", "--package", "-w", "--workspace", "--prefix", "--registry", "--cache"}),
}
"""Options whose value is the next word, so that the value is not taken for the program to run."""


class Split(Struct, frozen=True):
    words: tuple[str, ...]


class Refused(Struct, frozen=True):
    """Why the command cannot be used."""

    reason: str


def split(command: str) -> Split | Refused:
    """Split like a POSIX shell would, and refuse what only a shell could carry out."""
    try:
        words = shlex.split(command, comments=False, posix=True)
    except ValueError as error:
        return Refused(f"cannot be split into words: {str(error).lower()}")
    if not words:
        return Refused("is empty")
    literal = "no shell is used; write the command as a list if the characters are meant literally"
    for word in words:
        if _SHELL_WORD.fullmatch(word):
            return Refused(f"'{word}' would need a shell, and {literal}")
        if _EXPANSION.search(word):
            return Refused(f"'{word}' would not be expanded: {literal}, or ${{env:NAME}} for a variable")
    if _ASSIGNMENT.fullmatch(words[0]):
        return Refused("begins with a variable; no shell is used: write it under env")
    return Split(tuple(words))


def bad_variable(name: str) -> str | None:
    """Why ``name`` cannot be an environment variable at all."""
    return None if _ENV_NAME.fullmatch(name) else "is not a name for an environment variable"


def hijack(name: str) -> str | None:
    """Why setting this variable is refused unless ``allow_dangerous``."""
    if name.upper() in _HIJACKS or name.startswith(_HIJACK_PREFIXES):
        return "makes programs run code that the command does not show"
    return None


def danger(words: Sequence[str]) -> str | None:
    """Why this command is refused unless ``allow_dangerous``; None if nothing is wrong with it."""
    rest = list(words)
    while rest:
        program, arguments = rest[0].rpartition("/")[2], rest[1:]
        if found := _program(program, arguments):
            return found
        if program not in _WRAPPERS:
            return None
        if found := _wrapper(program, arguments):
            return found
        rest = _wrapped(arguments)
    return None


def _program(program: str, arguments: list[str]) -> str | None:
    if program in _SHELLS:
        return _shell(program, arguments)
    if program in _NODE_RUNNERS:
        options, _ = _leading([word for word in arguments if word not in ("exec", "x", "dlx")], "node")
        if any(word in ("-c", "--call", "--shell-mode") or word.startswith("--call=") for word in options):
            return f"`{program} {options[-1]}` hands text to a shell"
    if program in _PYTHON_RUNNERS:
        until = arguments.index("--") if "--" in arguments else len(arguments)
        if any(re.fullmatch(r"--(from|spec)(=.*)?", word, re.DOTALL) for word in arguments[:until]):
            return f"`{program} --from` runs a package other than the one that the command names"
    if _INTERPRETER.fullmatch(program) and _reads_program_from_input(arguments):
        return f"`{program}` without a script runs what clients send as a program"
    return None


def _shell(program: str, arguments: list[str]) -> str | None:
    options, script = _leading(arguments, "shell")
    if any(re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*|-[Cc]ommand|--command(=.*)?", word) for word in options):
        return f"`{program} -c` hands text to a shell"
    if "/c" in map(str.lower, arguments):
        return f"`{program} /c` hands text to a shell"
    if not script or any(re.fullmatch(r"-[a-zA-Z]*[si][a-zA-Z]*", word) for word in options):
        return f"`{program}` without a script runs what clients send as commands"
    return None


def _leading(arguments: Sequence[str], kind: str) -> tuple[list[str], str]:
    """The options before the first real argument, and that argument; what follows belongs to it."""
    options: list[str] = []
    value_next = False
    for index, word in enumerate(arguments):
        if value_next:
            value_next = False
        elif word == "--":
            return options, next(iter(arguments[index + 1 :]), "")
        elif word.startswith(("-", "+")) and len(word) > 1:
            options.append(word)
            value_next = word in _TAKES_VALUE[kind]
        else:
            return options, "" if word == "-" else word
    return options, ""


def _reads_program_from_input(arguments: Sequence[str]) -> bool:
    """Whether an interpreter gets neither a script nor a module nor a program text."""
    for word in arguments:
        if word == "-":
            return True
        if not word.startswith("-") or re.match(
            r"-[a-zA-Z]*[mcepr]|--(eval|print|run|import|version|help)", word
        ):
            return False
        if word == "-i":
            return True
    return True


def _wrapper(program: str, arguments: Sequence[str]) -> str | None:
    for word in arguments:
        if program == "env" and re.fullmatch(r"-[a-zA-Z0-9]*S.*|--split-string(=.*)?", word, re.DOTALL):
            return "`env -S` splits text into another command"
        assignment = _ASSIGNMENT.fullmatch(word)
        if assignment and (why := hijack(assignment[1])):
            return f"{assignment[1]} {why}"
    return None


def _wrapped(arguments: Sequence[str]) -> list[str]:
    """The command inside ``env A=b nice -n 5 command …``, as far as it can be told."""
    for index, word in enumerate(arguments):
        if not word.startswith("-") and not _ASSIGNMENT.fullmatch(word) and not word[:1].isdigit():
            return list(arguments[index:])
    return []
