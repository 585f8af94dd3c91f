"""Calls that wait for an approval."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

_TEXTS = ("gateway", "request_id", "principal_id", "principal", "client_id", "client", "server", "method")


def upgrade() -> None:
    def text(name: str, *, key: bool = False) -> sa.Column[str]:
        return sa.Column(name, sa.Text, nullable=False, primary_key=key)

    def number(name: str, *, nullable: bool = False) -> sa.Column[int]:
        return sa.Column(name, sa.BigInteger, nullable=nullable)

    op.create_table(
        "approvals",
        text("id", key=True),
        *(text(name) for name in _TEXTS),
        *(text(name) for name in ("name", "rule", "reason", "digest", "arguments")),
        *(number("asked_at"), number("expires_at"), text("state"), number("decided_at", nullable=True)),
        *(text("decided_by_id"), text("decided_by"), number("until"), number("whatever")),
        number("taken_at", nullable=True),
    )
    op.create_index("approvals_state", "approvals", ["state", "asked_at"])


def downgrade() -> None:
    op.drop_table("approvals")
