"""``front`` in a real server, for the tests that speak to it over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def listening(application: Any, protocol: Callable[..., Any], keep_alive: float) -> AsyncIterator[int]:
    """The port of a server that speaks ``protocol``, in front of ``application``."""
    config = uvicorn.Config(
        application,
        port=0,
        http=protocol,  # type: ignore[arg-type]
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        timeout_keep_alive=keep_alive,  # type: ignore[arg-type]
    )
    server = uvicorn.Server(config)
    task = asyncio.ensure_future(server._serve())
    try:
        while not server.started:
            assert not task.done(), "it ended before it began"
            await asyncio.sleep(0.005)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task
