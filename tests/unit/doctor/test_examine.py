"""What the examination does with secrets, and with URLs that are none."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.doctor.examine import Examination, Order
from gatekit.doctor.signin import Somebody
from gatekit.doctor.table import chosen
from gatekit.platform.clock import SystemClock, SystemEntropy
from tests.emulators.serving import serving


async def _nothing(seconds: float) -> None:
    pass


@pytest.mark.parametrize(
    ("secret", "aside"),
    [({}, True), ({"somebody": Somebody("alice", "pw")}, False), ({"api_key": "gk_key"}, False)],
)
async def test_no_secret_goes_past_the_proxy(secret: dict[str, Any], aside: bool) -> None:
    """The public URL is dead; whoever answers at the local address need not be the gateway."""
    seen: set[bytes] = set()

    async def somebody_else(scope: Any, receive: Any, send: Any) -> None:
        seen.update(name for name, _ in scope["headers"])
        headers = [(b"www-authenticate", b"Bearer")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async with serving(somebody_else) as origin:
        order = Order(url="http://127.0.0.1:1/mcp", profiles=chosen(("codex",)), local=origin, **secret)
        result = await Examination(order, SystemClock(), SystemEntropy(), _nothing, lambda _: None).run()
    codes = {finding.ailment.code for finding in result.findings}
    assert result.stepped_aside == aside
    assert ("one-way" in codes, "secret-kept" in codes) == (aside, not aside)
    assert seen
    assert b"authorization" not in seen
    assert not result.ok
    if not aside:
        assert "refused" in codes
