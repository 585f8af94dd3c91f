"""``gatekit demo --check``: the whole story over HTTP, one line a step; it stops where one fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatekit.demo.browser import Person, StoryError
from gatekit.demo.gateway import PEOPLE, DemoGateway
from gatekit.demo.guarded import GuardedStory
from gatekit.demo.wire import Login, McpClient

Done = Callable[[str], None]
GREETING = "hello from the demonstration"
SECRET_FILE = "hello.txt"


class Story:
    """The steps in order; each calls ``done`` with what it proved."""

    def __init__(self, gateway: DemoGateway, done: Done) -> None:
        self._gateway = gateway
        self._done = done
        self._alice = Person("alice", "alice has a long password")
        self._bob = Person("bob", "bob has another password")

    def tell(self) -> None:
        self._people()
        login = self._alice_logs_in()
        self._alice_works(login)
        self._alice_uses_the_others()
        self._bob_is_refused()
        GuardedStory(self._gateway, self._opened, self._done).tell()
        self._audit_shows_both()

    def _people(self) -> None:
        for person in (self._alice, self._bob):
            # At another browser, so that the sign-in page itself is walked below.
            Person(person.name, person.password).accept_invitation(self._gateway.invite(person.name))
        told = ", ".join(f"{name} ({', '.join(groups)})" for name, groups in PEOPLE.items())
        self._done(f"people: {told} chose passwords through one-time links")

    def _alice_logs_in(self) -> Login:
        login = Login(self._gateway.endpoint("everything"))
        login.discover()
        self._done(f"discover: 401 → resource metadata → authorization server {login.server['issuer']}")
        login.register("Demonstration client")
        self._done(f"register: client {login.client_id}")
        back = login.authorize(self._alice)
        shown = self._alice.browser.visited
        if shown != ["sign in", "consent"]:
            raise StoryError(f"alice was not asked to sign in and to consent, once each: {shown}")
        self._done("sign in: alice, with her password, on a page without JavaScript")
        self._done("consent: alice approved the client for everything")
        login.redeem(back)
        if login.token.get("token_type", "").lower() != "bearer" or "refresh_token" not in login.token:
            raise StoryError(f"unexpected token answer: {sorted(login.token)}")
        self._done(f"token: for {login.url}, {login.token['expires_in']} s, with a refresh token")
        return login

    def _alice_works(self, login: Login) -> None:
        client = McpClient(login.url, login.token["access_token"])
        hello = client.initialize()
        name = hello["serverInfo"]["name"]
        self._done(f"initialize: {name}, protocol {hello['protocolVersion']}")
        tools = [tool["name"] for tool in client.request("tools/list")["tools"]]
        if "echo" not in tools:
            raise StoryError(f"echo is not among the tools: {tools}")
        self._done(f"list tools: {len(tools)} ({', '.join(tools[:4])} …)")
        said = _text(client.request("tools/call", {"name": "echo", "arguments": {"message": GREETING}}))
        if GREETING not in said:
            raise StoryError(f"echo answered {said!r}")
        self._done(f"call a tool: echo → {_short(said)}")
        again = {"name": "echo", "arguments": {"message": GREETING}}
        if GREETING not in _text(client.stateless("tools/call", again, name="echo")):
            raise StoryError("echo did not answer in the stateless era")
        self._done("call a tool: the same without a session (protocol 2026-07-28)")

    def _alice_uses_the_others(self) -> None:
        scratch = Path(self._gateway.folder, "files").resolve()
        for server, tool, arguments, expected in (
            ("filesystem", "read_text_file", {"path": str(scratch / SECRET_FILE)}, "Gatekit"),
            ("time", "get_current_time", {"timezone": "UTC"}, "UTC"),
        ):
            client = self._opened(server)
            said = _text(client.request("tools/call", {"name": tool, "arguments": arguments}))
            if expected not in said:
                raise StoryError(f"{server}: {tool} answered {said[:120]!r}")
            self._done(f"call a tool: {server}: {tool} → {_short(said)}")

    def _opened(self, server: str) -> McpClient:
        return opened(self._alice, self._gateway, server)

    def _bob_is_refused(self) -> None:
        login = Login(self._gateway.endpoint("filesystem"))
        login.discover()
        login.register("Demonstration client of bob")
        back = login.authorize(self._bob)
        if back.get("error") != "access_denied":
            raise StoryError(f"bob got further than he may at filesystem: {sorted(back)}")
        url, token = _token(self._bob, self._gateway.endpoint())
        client = McpClient(url, token)
        client.initialize()
        tools = [tool["name"] for tool in client.request("tools/list")["tools"]]
        if "everything__echo" not in tools or any(tool.startswith("filesystem__") for tool in tools):
            raise StoryError(f"bob sees the wrong tools: {tools}")
        call = {"name": "filesystem__list_allowed_directories", "arguments": {}}
        status, message = client.attempt("tools/call", call)
        if "error" not in message and not message.get("result", {}).get("isError"):
            raise StoryError(f"bob called a tool of filesystem: {status} {message}")
        call = {"name": "everything__echo", "arguments": {"message": GREETING}}
        if GREETING not in _text(client.request("tools/call", call)):
            raise StoryError("bob cannot use what he may use")
        self._done("bob is refused filesystem: at consent, in the list of tools, and when he calls it anyway")

    def _audit_shows_both(self) -> None:
        records = self._records("--limit", "1000")
        calls = {(each.get("principal"), each.get("server")) for each in records}
        for wanted in (
            ("alice", "everything"),
            ("alice", "filesystem"),
            ("alice", "time"),
            ("bob", "everything"),
        ):
            if wanted not in calls:
                raise StoryError(f"no record of {wanted[0]} at {wanted[1]}")
        denied = self._records("--user", "bob", "--denied")
        if {each["event"] for each in denied} != {"refused", "call"}:
            raise StoryError(f"the refusals of bob are not on record: {denied}")
        self._gateway.gatekit("audit", "--data-dir", str(self._gateway.data), "verify")
        self._done(
            f"audit: {len(records)} records name alice and bob, {len(denied)} of them refuse bob; "
            "the chain is whole"
        )

    def _records(self, *arguments: str) -> list[dict[str, Any]]:
        printed = self._gateway.gatekit(
            "audit", "--data-dir", str(self._gateway.data), "search", "--json", *arguments
        )
        return [json.loads(line) for line in printed.splitlines()]


def opened(person: Person, gateway: DemoGateway, server: str) -> McpClient:
    """A client that somebody signed in with, in a session at one server."""
    client = McpClient(*_token(person, gateway.endpoint(server)))
    client.initialize()
    return client


def _token(person: Person, url: str) -> tuple[str, str]:
    login = Login(url)
    login.discover()
    login.register(f"Demonstration client of {person.name}")
    login.redeem(login.authorize(person))
    return url, str(login.token["access_token"])


def _text(result: dict[str, Any]) -> str:
    return " ".join(part.get("text", "") for part in result.get("content", []))


def _short(text: str) -> str:
    """One line of what a tool said."""
    line = " ".join(text.split())
    return f"“{line}”" if len(line) <= 50 else f"“{line[:49]}…”"
