"""A real web server on an ephemeral port of the loopback interface, in the test's own event loop."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn


@contextlib.asynccontextmanager
async def serving(
    app: Any, *, certificate: tuple[Path, Path] | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Serve ``app``; yield its origin. ``certificate`` is (chain, key) for TLS."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
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
