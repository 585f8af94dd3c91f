"""One ``gatekit serve`` with several tenants in it, each of them used like a gateway of its own."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gatekit.demo.gateway import DemoGateway, free_port
from tests.support.running import ECHO, RunningGateway

DOMAIN = ".localhost"
"""RFC 6761 §6.3: this machine, and nothing else; so plain http is allowed."""


class OneTenant(RunningGateway):
    """What is behind one host name. Its process is that of the house."""

    def __init__(self, house: House, name: str) -> None:
        super().__init__(house.folder / name, {"echo": {"command": list(ECHO), "users": ["*"]}}, house.port)
        self.name = name
        self.host = f"{name}{DOMAIN}"
        self.url = f"http://{self.host}:{house.port}"
        self.providers: dict[str, Any] = {}
        """Besides the local one."""

    def write(self) -> None:
        auth = {
            "enabled": True,
            "providers": {"local": {}, **self.providers},
            "allowed_users": ["*"],
            "roles": {"owner": ["local:alice"]},
        }
        document = {
            "data_dir": "data",
            "proxy": {"public_url": self.url, "auth": auth, **self.proxy},
            "groups": {"developers": ["alice"]},
            "servers": self.servers,
            **self.extra,
        }
        draft = self.config.with_suffix(".new")
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(self.config)


class House(DemoGateway):
    """The process. ``entries`` are the lines of its file."""

    def __init__(self, folder: Path, *names: str) -> None:
        super().__init__(folder, free_port(0))
        self.tenants = {name: OneTenant(self, name) for name in names}
        self.entries: dict[str, dict[str, Any]] = {
            name: {"host": one.host, "config": f"{name}/gatekit.yaml", "allow_commands": True}
            for name, one in self.tenants.items()
        }

    def write(self) -> None:
        draft = self.config.with_suffix(".new")
        text = f"proxy: {json.dumps({'port': self.port})}\ntenants: {json.dumps(self.entries)}\n"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.config)


@contextmanager
def house(
    folder: Path, *names: str, servers: Mapping[str, Any] | None = None, **providers: Any
) -> Iterator[House]:
    """Running, with every tenant reachable from this process by its name, and all of them with the same
    ``servers`` (default: an echo) and ``providers``."""
    built = House(folder, *names)
    for one in built.tenants.values():
        one.servers = dict(servers or one.servers)
        one.providers = providers
        one.write()
    built.write()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _resolving(socket.getaddrinfo))
        try:
            built.start()
            yield built
        finally:
            built.stop()


def _resolving(real: Any) -> Any:
    """Not every system resolves names below localhost, as RFC 6761 wants it."""

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        return real("127.0.0.1" if text and text.endswith(DOMAIN) else host, *args, **kwargs)

    return getaddrinfo
