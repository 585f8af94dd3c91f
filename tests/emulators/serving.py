"""A real web server on an ephemeral port of the loopback interface, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import uvicorn


@contextlib.asynccontextmanager
async def serving(
    app: Any, *, certificate: tuple[Path, Path] | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Serve ``app``; yield its origin. ``certificate`` is (chain, key) for TLS."""
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer takes 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((host, 0))
    port = listener.getsockname()[1]
    tls: dict[str, Any] = {}
    if certificate is not None:
        tls = {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}
        tls["ssl_version"] = ssl.PROTOCOL_TLS_SERVER
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1, **tls)
    server = uvicorn.Server(config)
    # Its parts instead of ``serve``: no signal handlers, which belong to the test runner, and no ticking.
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield f"{'https' if certificate else 'http'}://{host}:{port}"
    finally:
        await server.shutdown(sockets=[listener])


@contextlib.contextmanager
def serving_in_a_thread(app: Any) -> Iterator[str]:
    """As ``serving``, for tests that block: the server has a thread and an event loop of its own."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        async with serving(app) as origin:
            started.set_result((origin, asyncio.get_running_loop(), stop))
            await stop.wait()

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as failure:
            if started.done():
                raise
            started.set_exception(failure)

    thread = threading.Thread(target=main, name="emulator")
    thread.start()
    origin, loop, stop = started.result(10)
    try:
        yield origin
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
