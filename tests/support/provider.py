"""A certified authorization server of somebody else, and a person who signs in there."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatekit.demo.browser import Page, Person, StoryError
from gatekit.demo.gateway import free_port
from tests.support.peers import CLIENTS, NODE, PEERS


class Provider:
    """``oidc-provider`` in a process of its own. Started and stopped by the test; keeps nothing."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port(0)
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.settings: dict[str, Any] = {"port": self.port, "resources": {}, **settings}
        self._file = folder / "provider.json"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return when it answers."""
        self._file.write_text(json.dumps(self.settings), encoding="utf-8")
        environment = {"GATEKIT_PEERS_DIR": str(PEERS), "PATH": os.environ["PATH"], "NODE_NO_WARNINGS": "1"}
        self._process = subprocess.Popen(
            [str(NODE), str(CLIENTS / "identity_provider.mjs"), str(self._file)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said.startswith("ready"), said + self._process.stdout.read()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


@dataclass(frozen=True)
class Stranger(Person):
    """Somebody with an account there: any password is right, and consent is a button without a value."""

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        if not page.forms:
            raise StoryError(page.summary())
        self.browser.visited.append("sign in" if page.forms[0].has("password") else "consent")
        filled = {"login": self.name, "password": self.password}
        return self.browser.submit(page, page.forms[0], filled, "", redirect_uri)
