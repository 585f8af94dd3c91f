"""The stylesheet and the icon."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.testclient import TestClient

from gatekit.web.assets import STYLESHEET, asset_routes


def test_assets_are_cached_by_content() -> None:
    client = TestClient(Starlette(routes=asset_routes()))
    named = client.get(STYLESHEET.url)
    assert named.status_code == 200
    assert named.headers["content-type"].startswith("text/css")
    assert "immutable" in named.headers["cache-control"]
    plain = client.get("/static/gatekit.css")
    assert "immutable" not in plain.headers["cache-control"]
    again = client.get("/static/gatekit.css", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("/static/icon.svg", "/favicon.ico"):
        assert client.get(path).headers["content-type"] == "image/svg+xml"
    assert client.get("/static/../pages.py").status_code == 404
    assert client.post("/static/gatekit.css").status_code == 405
