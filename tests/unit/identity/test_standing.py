"""``principal_is_active``: every way to lose one's standing, alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.identity.standing import NOT_INVOLVED, NotInvolved, principal_is_active
from gatekit.model.access import Active, Inactive, Standing
from gatekit.model.oauth import Client, Grant
from gatekit.model.people import User

USER = User(id="usr_1", connection="local", issuer="local", subject="usr_1", username="alice")
CLIENT = Client(id="gkc_1", name="c", redirect_uris=("http://localhost/cb",))
GRANT = Grant(
    id="gkg_1",
    user_id="usr_1",
    client_id="gkc_1",
    resources=(),
    scopes=(),
    auth_time=1,
    created_at=1,
    expires_at=200,
)


def judge(
    user: User | None = USER,
    client: Client | NotInvolved | None = CLIENT,
    grant: Grant | NotInvolved | None = GRANT,
    **facts: Any,
) -> Standing:
    return principal_is_active(
        user, client, grant, **{"connection_enabled": True, "admitted": True, "now": 100.0} | facts
    )


def test_everybody_in_good_standing() -> None:
    assert judge() == Active()
    assert judge(client=NOT_INVOLVED, grant=NOT_INVOLVED) == Active()


@pytest.mark.parametrize(
    "change",
    [
        {"user": None},
        {"user": replace(USER, disabled=True)},
        {"connection_enabled": False},
        {"admitted": False},
        {"way_enabled": False},
        {"client": None},
        {"client": replace(CLIENT, disabled=True)},
        {"client": replace(CLIENT, id="gkc_2")},
        {"grant": None},
        {"grant": replace(GRANT, revoked_at=1, revoke_reason="x")},
        {"grant": replace(GRANT, expires_at=100)},
        {"grant": replace(GRANT, user_id="usr_2")},
    ],
    ids=str,
)
def test_each_fault_refuses_alone(change: dict[str, Any]) -> None:
    assert isinstance(judge(**change), Inactive)
