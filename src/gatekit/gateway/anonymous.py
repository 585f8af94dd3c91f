"""The door when authentication is switched off: one anonymous local person, on loopback only (``config``)."""

from __future__ import annotations

from collections.abc import Sequence

from gatekit.errors import BearerError
from gatekit.model.access import EVERY_SERVER, Access, Asked
from gatekit.model.people import LOCAL, Principal
from gatekit.model.scopes import ALL

_NOBODY = Access(
    principal=Principal(id="anonymous", username="anonymous", connection=LOCAL),
    client_id="anonymous",
    client_name="",
    credential="access_token",
    credential_id="",
    servers=frozenset({EVERY_SERVER}),
    aggregate=True,
    scopes=frozenset(ALL),
)


class OpenDoor:
    """Implements ``gateway.ports.Door``: everybody is the anonymous person."""

    def cached(self, authorization: bytes) -> Access | None:  # noqa: ARG002
        return _NOBODY

    async def check(self, authorization: Sequence[bytes], asked: Asked | None = None) -> Access:  # noqa: ARG002
        return _NOBODY

    def challenge(self, error: BearerError, server: str, legacy: bool = False) -> str:  # noqa: ARG002
        return ""
