"""``gatekit serve``: run the gateway until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from gatekit.errors import GatekitError

GRACE_SECONDS = 3
"""What connections get to close once nothing is carried out any more."""

_log = logging.getLogger("gatekit")


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default="gatekit.yaml",
    show_default=True,
    help="The configuration file.",
)
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
def serve(path: Path, quiet: bool) -> None:
    """Run the gateway until Ctrl-C (SIGINT) or SIGTERM.

    Running calls then get proxy.drain_timeout to finish; a second signal ends it at once.
    Changes of the file apply by themselves; SIGHUP looks at it at once.

    \b
    Example:
      gatekit serve --config gatekit.yaml
    """
    from gatekit.config.load import load
    from gatekit.config.tenants import is_tenants_file, load_tenants
    from gatekit.platform.telemetry import start_logging

    start_logging(level=logging.WARNING if quiet else logging.INFO)
    import uvloop

    if is_tenants_file(path):
        common = load_tenants(path)
        uvloop.run(_serve_tenants(common, _bind(common.host, common.port)))
        return
    config = load(path)
    uvloop.run(_serve(config, _bind(config.host, config.port)))


def _bind(host: str, port: int) -> socket.socket:
    """Take the address before anything else starts, so that a second gateway fails at once and plainly."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise GatekitError(
                f"{host}:{port} is in use: is another gateway running? "
                "Stop it, or set proxy.port to a free one."
            ) from None
        raise GatekitError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    listener.set_inheritable(False)
    return listener


async def _serve(config: Any, listener: socket.socket) -> None:
    from gatekit.app import Application
    from gatekit.web.strangers import ask_for_descriptors

    ask_for_descriptors()
    application = await Application.open(config)
    try:
        await _run(application, config, listener)
    finally:
        await application.close()


async def _run(application: Any, config: Any, listener: socket.socket) -> None:
    from gatekit.config.reload import Reloader

    server = _server(application)
    await application.start()
    reloader = Reloader(
        config.path, config, application.apply, application.refused, application.restart_needed
    )
    names = ", ".join(rules.server for rules in config.rules.servers) or "none yet"
    ready = f"Gatekit is ready at {config.public_url} (servers: {names})"
    await _until_told(server, listener, reloader.run(), reloader.poke, ready)


async def _serve_tenants(common: Any, listener: socket.socket) -> None:
    from gatekit.tenants import Building
    from gatekit.web.strangers import ask_for_descriptors

    ask_for_descriptors()
    building = Building(common)
    try:
        server = _server(building)
        await building.start()
        names = ", ".join(tenant.name for tenant in common.tenants if tenant.enabled) or "none yet"
        ready = f"Gatekit is ready at {common.host}:{common.port} (tenants: {names})"
        await _until_told(server, listener, building.follow(), building.poke, ready)
    finally:
        await building.close()


def _server(application: Any) -> Any:
    """A web server for something with ``front`` and ``drain``."""
    import uvicorn

    from gatekit.web.server import DrainingServer

    return DrainingServer(
        uvicorn.Config(
            application,
            loop="none",
            http=application.front(),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=75,
        ),
        application.drain,
    )


async def _until_told(
    server: Any,
    listener: socket.socket,
    follow: Coroutine[Any, Any, None],
    poke: Callable[[], None],
    ready: str,
) -> None:
    jobs = [asyncio.ensure_future(follow), asyncio.ensure_future(_announce(server, ready))]
    jobs[0].add_done_callback(_stopped_following)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, poke)
    # Everything alive now lives until the end: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    # What a call allocates dies with it, by reference count; frequent looks for cycles find nothing.
    gc.set_threshold(50_000, 20, 100)
    try:
        await server.serve(sockets=[listener])
    finally:
        for job in jobs:
            job.cancel()


def _stopped_following(job: asyncio.Future[None]) -> None:
    if not job.cancelled() and job.exception() is not None:
        _log.error("the configuration file is not followed any more error=%r", job.exception())


async def _announce(server: Any, ready: str) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag and no event
        await asyncio.sleep(0.01)
    click.echo(ready, err=True)
