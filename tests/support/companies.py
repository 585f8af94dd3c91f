"""Identity providers of companies: npm ``emulate``, and people who sign in to Gatekit with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from gatekit.demo.browser import Page, Person, StoryError
from gatekit.demo.gateway import free_port
from gatekit.demo.wire import fetch
from tests.support.peers import NODE, NODE_MODULES
from tests.support.running import RunningGateway, eventually

CLIENT = {
    "client_id": "11111111-1111-1111-1111-111111111111",
    "client_secret": "secret-of-the-provider-0123456789",
}
TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The one that ``emulate`` has for Entra ID."""


@contextmanager
def emulated(folder: Path, service: str, seed: Mapping[str, Any], port: int = 0) -> Iterator[str]:
    """One service of ``emulate``; its origin, which is its issuer, too."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed.yaml").write_text(json.dumps({service: seed}), encoding="utf-8")  # JSON is YAML
    port = port or free_port(0)
    script = NODE_MODULES / "emulate" / "dist" / "index.js"
    assert script.is_file(), "run scripts/install-peers"
    command = [str(NODE), str(script), "start", "--seed", "seed.yaml", "-s", service, "-p", str(port)]
    with (folder / "emulate.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, stdout=log, stderr=log
        )
    origin = f"http://localhost:{port}"
    try:
        eventually(lambda: _answers(origin, process), 30.0, "emulate did not start")
        yield origin
    finally:
        process.terminate()
        process.wait(10)


def _answers(origin: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "emulate ended at once"
    try:
        return fetch(f"{origin}/.well-known/openid-configuration").status == 200
    except StoryError:
        return False


@dataclass(frozen=True)
class Employee(Person):
    """Presses the button of ``connection`` and is ``name`` there: picks the account, or types a name."""

    connection: str = ""

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        link = re.search(rf'href="(/go/{self.connection}\?[^"]+)"', page.text)
        if link is not None:
            if self.connection in self.browser.visited:
                note = re.search(r'role="alert"[^>]*>([^<]+)<', page.text)
                raise StoryError(f"{page.status} {note[1] if note else page.summary()}")
            self.browser.visited.append(self.connection)
            return self.browser.follow(urljoin(page.url, link[1].replace("&amp;", "&")), redirect_uri)
        pieces = page.text.split("<form")[1:]
        for form, piece in zip(page.forms, pieces, strict=False):
            if "user-form" in piece and self.name in piece:  # emulate: one form per seeded person
                return self.browser.submit(page, form, {}, "", redirect_uri)
        if page.forms and any(field.name == "login" for field in page.forms[0].fields):  # oidc-provider
            filled = {"login": self.name, "password": "any is right"}
            return self.browser.submit(page, page.forms[0], filled, "", redirect_uri)
        if "/interaction/" in page.url and page.forms:
            return self.browser.submit(page, page.forms[0], {}, "", redirect_uri)
        return super()._next(page, redirect_uri, decision)


class CompanyGateway(RunningGateway):
    """Signs people in with ``providers``; ``echo`` is for whom ``users`` names."""

    def __init__(self, folder: Path, providers: Mapping[str, Any], users: list[str], port: int = 0) -> None:
        super().__init__(folder, {}, port)
        self.providers = dict(providers)
        self.users = users
        self.more: dict[str, Any] = {}

    def write(self) -> None:
        from tests.support.running import ECHO

        self.servers = {"echo": {"command": list(ECHO), "allowed_users": self.users}}
        self.proxy = {"auth": {"providers": self.providers, **self.more}}
        self.groups = {}
        super().write()
