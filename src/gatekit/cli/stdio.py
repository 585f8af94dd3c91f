"""``gatekit stdio``: the gateway as a child of one local client."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import CONFIG_VARIABLE
from gatekit.errors import ConfigError, GatekitError

if TYPE_CHECKING:
    from gatekit.config.model import Config
    from gatekit.local.lines import LineReader, LineWriter

MAX_LINE_BYTES = 64 * 1024 * 1024
_log = logging.getLogger("gatekit")


@click.command(context_settings={"ignore_unknown_options": False})
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help=f"The configuration file; better an absolute path.  [default: ${CONFIG_VARIABLE} or gatekit.yaml]",
)
@click.option("--server", default="", help="Offer this server alone, its tools under their own names.")
@click.option("--user", default="", help="Whom the rules shall see.  [default: the account with your name]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="With a COMMAND: where the audit goes.")
@click.option("--env", "names", multiple=True, help="With a COMMAND: a variable to pass on to it, by name.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def stdio(
    path: Path | None,
    server: str,
    user: str,
    data_dir: Path | None,
    names: Sequence[str],
    command: Sequence[str],
) -> None:
    """Serve one local client over standard input and output.

    The same rules and the same audit as `gatekit serve`, without a port and without signing in. To be named
    as `command` in the configuration of a client, not to be typed. With a COMMAND after `--` no configuration
    file is needed: that one server is wrapped, and everything it does is recorded.

    \b
    Example:
      gatekit stdio --config /etc/gatekit/gatekit.yaml --server files
      gatekit stdio -- npx -y @modelcontextprotocol/server-memory
    """
    from gatekit.platform.telemetry import start_logging

    start_logging(level=logging.WARNING)
    source, sink = claim()

    def configured() -> Config:
        if command:
            from gatekit.config.adhoc import wrapped

            env = {name: os.environ[name] for name in names if name in os.environ}
            return wrapped(command, data_dir or default_data_dir(), server, env)
        if names or data_dir:
            raise ConfigError(
                ["--env and --data-dir are for a COMMAND after `--`; otherwise the file says it"]
            )
        from gatekit.config.load import load

        return load(path or Path(os.environ.get(CONFIG_VARIABLE) or "gatekit.yaml"))

    import uvloop

    sys.exit(uvloop.run(_stdio(configured, server, user, source, sink)))


def claim() -> tuple[int, int]:
    """Take standard input and output for the protocol; whatever else is printed goes to standard error."""
    source, sink = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, sink


def default_data_dir() -> Path:
    """Where a gateway without a configuration file keeps its things (XDG Base Directory)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "gatekit" / "local"


async def _stdio(configured: Any, server: str, user: str, source: int, sink: int) -> int:
    """Serve until the client leaves or a signal comes. The exit code."""
    from gatekit.local.lines import LineReader, LineWriter

    reader, writer = LineReader(source, MAX_LINE_BYTES), LineWriter(sink)
    try:
        config = configured()
        application = await _opened(config, server, user)
    except GatekitError as error:
        return await excused(error, reader, writer)
    except Exception as error:  # noqa: BLE001 - the client must hear of it, and nobody else would
        _log.exception("gatekit stdio could not start")
        return await excused(error, reader, writer)
    try:
        await until_left(application.pump(writer.write), reader, writer, _followed(application, config))
    finally:
        await application.close()
    return 0


async def _opened(config: Config, server: str, user: str) -> Any:
    from gatekit.localapp import Local, LocalApplication

    only = config.servers[0].server.name if config.path.name.startswith("(") else server
    application = await LocalApplication.open(config, Local(_os_name(), os.getuid(), user, only))
    try:
        await application.start()
    except BaseException:
        await application.close()
        raise
    return application


def _followed(application: Any, config: Config) -> list[asyncio.Task[None]]:
    if not config.path.is_file():
        return []
    from gatekit.config.reload import Reloader

    reloader = Reloader(config.path, config, application.apply, application.refused)
    return [asyncio.ensure_future(reloader.run())]


async def until_left(
    pump: Any, reader: LineReader, writer: LineWriter, jobs: list[asyncio.Task[None]]
) -> None:
    """Pump until the client closes its end, does not read any more, or a signal comes."""
    stop = _signals()
    serving = asyncio.ensure_future(pump.run(reader.lines()))
    ends = [serving, asyncio.ensure_future(stop.wait()), asyncio.ensure_future(writer.left())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
    finally:
        for each in (*ends, *jobs):
            each.cancel()
        await pump.close()


async def excused(error: Exception, reader: LineReader, writer: LineWriter) -> int:
    """Tell the client why there is no server. The exit code."""
    from gatekit.local.excuse import excuse

    reason = _reason(error)
    click.echo(f"gatekit: {reason}", err=True)
    stop = _signals()
    ends = [
        asyncio.ensure_future(excuse(f"Gatekit cannot start: {reason}", reader.lines(), writer.write)),
        asyncio.ensure_future(stop.wait()),
        asyncio.ensure_future(writer.left()),
    ]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for each in ends:
        each.cancel()
    return int(getattr(error, "exit_code", 1 if isinstance(error, GatekitError) else 70))


def _reason(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return "; ".join(error.faults)
    return (
        str(error) if isinstance(error, GatekitError) else f"internal error: {type(error).__name__}: {error}"
    )


def _signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _os_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
