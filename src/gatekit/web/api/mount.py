"""Where the interface hangs in the application: everything below ``/api``, loaded at the first request.

Most gateways are never administrated by a program, and start without what that takes.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class Api:
    """An ASGI application, so that it takes every method."""

    def __init__(self, opened: Callable[[], tuple[list[BaseRoute], ASGIApp]]) -> None:
        """``opened`` puts the interface together: its routes, and what answers for paths that are none."""
        self._opened = opened
        self._routes: list[BaseRoute] = []
        self._elsewhere: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        routes, elsewhere = self._open()
        for route in routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                await route.handle(scope, receive, send)
                return
        await elsewhere(scope, receive, send)

    def inner(self) -> list[BaseRoute]:
        """Routes of the operations, for whoever wants to walk them."""
        return self._open()[0]

    def routes(self) -> list[BaseRoute]:
        return [_Below(self)]

    def _open(self) -> tuple[list[BaseRoute], ASGIApp]:
        if self._elsewhere is None:
            self._routes, self._elsewhere = self._opened()
        return self._routes, self._elsewhere


class _Below(Route):
    """Everything whose path begins with ``/api/``. A pattern would leave out names with a line feed."""

    def __init__(self, api: Api) -> None:
        super().__init__("/api/{rest:path}", api)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            return Match.FULL, {"endpoint": self.endpoint, "path_params": {}}
        return Match.NONE, {}
