"""The official Python SDK as a program that is started again: registration and tokens in a file.

usage: python_client.py URL STORE legacy|auto TOOL ARGUMENTS      prints the text of the tool's result
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from gatekit.demo.browser import Person
from tests.support.sdk import Application, text


class Hooked(Person):
    """A person behind the hook, so in whichever browser it uses."""

    def authorize(self, url: str, redirect_uri: str, decision: str = "approve") -> dict[str, str]:
        hook = [sys.executable, os.environ["GATEKIT_HOOK"], url]
        done = subprocess.run(hook, stdout=subprocess.PIPE, text=True, timeout=100, check=True)
        return dict(parse_qsl(urlsplit(done.stdout.strip()).query))


class Stored(Application):
    """Keeps what it was given in a file."""

    def __init__(self, person: Person, store: Path) -> None:
        super().__init__(person)
        self._store = store
        if store.is_file():
            kept = json.loads(store.read_text(encoding="utf-8"))
            self._client = OAuthClientInformationFull.model_validate(kept["client"])
            self._tokens = OAuthToken.model_validate(kept["tokens"])

    async def set_tokens(self, tokens: OAuthToken) -> None:
        await super().set_tokens(tokens)
        assert self._client is not None
        kept = {"client": self._client.model_dump(mode="json"), "tokens": tokens.model_dump(mode="json")}
        self._store.write_text(json.dumps(kept), encoding="utf-8")


async def main(url: str, store: str, mode: str, tool: str, arguments: str) -> None:
    application = Stored(Hooked(os.environ["GATEKIT_USER"], os.environ["GATEKIT_PASSWORD"]), Path(store))
    async with application.connect(url, mode) as client:
        print(text(await client.call_tool(tool, json.loads(arguments))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
