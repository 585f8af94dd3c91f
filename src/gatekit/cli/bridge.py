"""``gatekit bridge``: a remote server for a client that only starts children."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekit.errors import GatekitError, InvalidInput, OutboundRefused

if TYPE_CHECKING:
    from gatekit.local.account.keep import Ring

_log = logging.getLogger("gatekit")
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)")
_DOCUMENT = re.compile(r"https://[^/?#@\s\\]+/[^?#\s\\]+")
TOKEN_VARIABLE = "GATEKIT_BRIDGE_TOKEN"
SECRET_VARIABLE = "GATEKIT_BRIDGE_CLIENT_SECRET"


class _Default(click.Group):
    """``gatekit bridge URL`` means ``gatekit bridge connect URL``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["connect", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Default)
def bridge() -> None:
    """Use a remote MCP server from a client that only starts children.

    Signs in with OAuth where the server asks for it: a browser opens, or the URL stands in the log of the
    client. The sign-in is kept for the next time (in the keyring of the desktop if the Python package
    `keyring` is there, else in a file that only you can read), and shared by all bridges to the same URL.

    \b
    Example:
      gatekit bridge https://mcp.example.com/s/files/mcp
      gatekit bridge logout https://mcp.example.com/s/files/mcp
    """


def _options(function: Any) -> Any:
    for option in reversed(
        (
            click.argument("url"),
            click.option(
                "--client-id",
                default="",
                help=f"A client registered by hand; its secret: ${SECRET_VARIABLE}.",
            ),
            click.option(
                "--client-metadata-url",
                default="",
                help="An https URL that describes the bridge as a client, where the server takes one.",
            ),
            click.option(
                "--scope", default="", help="Ask for these scopes instead of what the server names."
            ),
            click.option("--port", default=0, help="Port for the browser's answer.  [default: a free one]"),
            click.option("--device", is_flag=True, help="Sign in with a code on another device (RFC 8628)."),
            click.option(
                "--allow", multiple=True, help="A private host that may be spoken to besides that of URL."
            ),
        )
    ):
        function = option(function)
    return function


@bridge.command()
@_options
@click.option(
    "--wait",
    "patience",
    default=45.0,
    show_default=True,
    help="Seconds that a request waits for a sign-in; then its client is told what to open.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    help="Send 'Name: value' instead of signing in; ${VARIABLE} is filled in."
    f"  [default: the bearer token in ${TOKEN_VARIABLE}]",
)
def connect(url: str, headers: Sequence[str], patience: float, **wishes: Any) -> None:
    """Serve one local client over standard input and output (the default).

    \b
    Example:
      gatekit bridge connect https://mcp.example.com/s/files/mcp
      gatekit bridge https://mcp.example.com/mcp --header 'Authorization: Bearer ${API_KEY}'
    """
    from gatekit.cli.stdio import MAX_LINE_BYTES, claim, excused, until_left
    from gatekit.platform.telemetry import start_logging

    start_logging(level=logging.WARNING)
    source, sink = claim()

    async def run() -> int:
        from gatekit.local.lines import LineReader, LineWriter
        from gatekit.local.pump import Pump

        reader, writer = LineReader(source, MAX_LINE_BYTES), LineWriter(sink)
        try:
            far = Far(url, static(headers), patience=patience, **wishes)
        except GatekitError as error:
            return await excused(error, reader, writer)
        try:
            await until_left(Pump(far.channel, writer.write), reader, writer, [])
        finally:
            await far.close()
        return 0

    import uvloop

    sys.exit(uvloop.run(run()))


@bridge.command()
@_options
def login(url: str, **wishes: Any) -> None:
    """Sign in now, in this terminal, so that the client need not wait for it.

    \b
    Example:
      gatekit bridge login https://mcp.example.com/s/files/mcp
    """

    async def run() -> None:
        far = Far(url, {}, **wishes)
        try:
            await far.account.sign_in()
        finally:
            await far.close()

    asyncio.run(run())
    click.echo(f"Signed in to {url}.")


@bridge.command()
@click.argument("url")
@click.option("--allow", multiple=True, help="A private host, besides that of URL, that may be used.")
def logout(url: str, allow: Sequence[str]) -> None:
    """Forget the sign-in for URL, here and (if it can be told) at the server.

    \b
    Example:
      gatekit bridge logout https://mcp.example.com/s/files/mcp
    """

    async def run() -> str:
        from gatekit.local.account.exchange import revoke

        far = Far(url, {}, allow=allow)
        async with far.keeper.locked():
            kept = await far.keeper.read()
            if not kept.client_id:
                return f"Nobody is signed in to {url}."
            told = await revoke(far.outbound.fetch, kept)
            await far.keeper.forget()
        return f"Signed out of {url}." + ("" if told else " The server could not be told.")

    click.echo(asyncio.run(run()))


class Far:
    """Everything that leads to one URL."""

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        *,
        client_id: str = "",
        client_metadata_url: str = "",
        scope: str = "",
        port: int = 0,
        device: bool = False,
        allow: Sequence[str] = (),
        patience: float = 45.0,
    ) -> None:
        """Raises ``OutboundRefused``, ``InvalidInput``."""
        from gatekit.local.account.account import Account, Static
        from gatekit.local.account.keep import Keeper
        from gatekit.local.account.signin import SignIn, Wishes
        from gatekit.local.remote import RemoteChannel
        from gatekit.platform.channel import Channel
        from gatekit.platform.clock import SystemClock, SystemEntropy
        from gatekit.platform.outbound import Outbound
        from gatekit.platform.targets import parse

        clock = SystemClock()
        try:
            host = parse(url).host
        except OutboundRefused as error:
            raise InvalidInput(f"{url}: {error}") from None
        # Who names the URL on the command line means it, wherever it lies.
        self.outbound = Outbound(clock, {host, *allow})
        self._connections = Channel(self.outbound, clock, url)
        self.keeper = Keeper(state_dir(), url, ring())
        wishes = Wishes(
            client_id=client_id,
            client_secret=os.environ.get(SECRET_VARIABLE, ""),
            client_metadata_url=described(client_metadata_url),
            scope=scope,
            port=port,
            device=device,
            browser=has_browser(),
        )
        fetch = self.outbound.fetch
        signin = SignIn(fetch, url, clock, SystemEntropy(), browse, tell, wishes)
        self.account = Account(fetch, self.keeper, signin, clock, patience)
        self.channel = RemoteChannel(self._connections, Static(headers) if headers else self.account)

    async def close(self) -> None:
        await self.account.aclose()
        await self._connections.close()


def static(headers: Sequence[str]) -> dict[str, str]:
    """Headers from the command line and the environment. Raises ``InvalidInput``."""
    found: dict[str, str] = {}
    for each in headers:
        match = _HEADER.fullmatch(_REFERENCE.sub(_filled, each).strip())
        if match is None:
            raise InvalidInput("--header: it must look like 'Name: value'")
        found[match[1].lower()] = match[2]
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and not found:
        found["authorization"] = f"Bearer {token}"
    return found


def described(url: str) -> str:
    """``url``, if it can be a client id (draft-ietf-oauth-client-id-metadata-document §3); empty: none.

    Raises ``InvalidInput``.
    """
    if url and (_DOCUMENT.fullmatch(url) is None or {".", ".."} & set(url.split("/"))):
        raise InvalidInput("--client-metadata-url: it must look like https://example.com/client.json")
    return url


def _filled(reference: re.Match[str]) -> str:
    value = os.environ.get(reference[1])
    if value is None:
        raise InvalidInput(f"--header: the variable {reference[1]} is not set")
    return value


def state_dir() -> Path:
    """Where sign-ins are kept (XDG Base Directory)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "gatekit" / "bridge"


def ring() -> Ring | None:
    """The keyring of the desktop, if the optional package is there and finds one."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    backend = keyring.get_keyring()
    return keyring if getattr(backend, "priority", 0) >= 1 else None  # below: no place for secrets


def has_browser() -> bool:
    """Whether there is a browser with a window; a text browser would take the client's terminal."""
    wanted = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in wanted)


def browse(url: str) -> bool:
    """Show ``url`` to the person."""
    return has_browser() and webbrowser.open(url)


def tell(text: str) -> None:
    """Into the client's log, or the terminal."""
    click.echo(f"gatekit: {text}", err=True)
