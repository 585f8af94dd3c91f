"""A configuration without a file: one command, wrapped (``gatekit stdio -- COMMAND``)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gatekit.config.model import AuthConfig, Config, ServerConfig
from gatekit.errors import ConfigError
from gatekit.model.rules import Rules, ServerRules
from gatekit.model.server import Server

PLACE = "(command line)"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_RUNNERS = frozenset(
    {"npx", "uvx", "pipx", "bunx", "npm", "uv", "node", "python", "python3", "docker", "env"}
)


def wrapped(
    command: Sequence[str], data_dir: Path, name: str = "", env: Mapping[str, str] | None = None
) -> Config:
    """One server that runs ``command`` (words, never a shell), usable by whoever starts it.

    ``name``: of the server in the audit; made from the command if empty. Raises ``ConfigError``.
    """
    if name and not (_NAME.fullmatch(name) and "__" not in name and not name.endswith("_")):
        raise ConfigError(
            [f"--server: {name!r} cannot be a server's name: 1 to 64 of letters, digits, _ . -"]
        )
    name = name or named_after(command)
    server = Server(name=name, command=tuple(command), env=tuple((env or {}).items()), cwd=os.getcwd())
    return Config(
        path=Path(PLACE),
        public_url="http://127.0.0.1",
        data_dir=data_dir,
        auth=AuthConfig(enabled=False),
        rules=Rules(servers=(ServerRules(server=name),), auth_enabled=False),
        servers=(ServerConfig(server=server, line=0),),
    )


def named_after(command: Sequence[str]) -> str:
    """``npx -y @acme/server-files@1.2 /srv`` → ``server-files``."""
    words = [word for word in command if not word.startswith("-")]
    telling = next((word for word in words if Path(word).name not in _RUNNERS), command[0])
    last = re.sub(r"(?<=.)@[^@/]*$", "", telling).rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", last).strip("-.")[:64]
    return name or "server"
