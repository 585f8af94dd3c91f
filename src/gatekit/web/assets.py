"""The files that pages refer to: one stylesheet, one icon, one script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC = Path(__file__).parent / "static"


class Asset(Struct, frozen=True):
    """One file, read once."""

    path: str
    media_type: str
    content: bytes
    digest: str

    @property
    def url(self) -> str:
        """Changes with the content, so that browsers may keep it for good."""
        return f"{self.path}?v={self.digest}"


def _load(name: str, media_type: str) -> Asset:
    content = (STATIC / name).read_bytes()
    return Asset(f"/static/{name}", media_type, content, sha256(content).hexdigest()[:12])


STYLESHEET = _load("gatekit.css", "text/css")
PASSKEYS = _load("passkeys.js", "text/javascript")
ICON = _load("icon.svg", "image/svg+xml")


def asset_routes() -> list[Route]:
    """The stylesheet, the script of passkeys, the icon and its traditional name."""
    return [
        Route(STYLESHEET.path, _endpoint(STYLESHEET), methods=["GET"]),
        Route(PASSKEYS.path, _endpoint(PASSKEYS), methods=["GET"]),
        Route(ICON.path, _endpoint(ICON), methods=["GET"]),
        Route("/favicon.ico", _endpoint(ICON), methods=["GET"]),
    ]


def _endpoint(asset: Asset) -> Callable[[Request], Awaitable[Response]]:
    etag = f'"{asset.digest}"'

    async def serve(request: Request) -> Response:
        fresh = request.query_params.get("v") == asset.digest
        headers = {
            "ETag": etag,
            "Cache-Control": "public, max-age=31536000, immutable" if fresh else "public, max-age=300",
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)

    return serve
