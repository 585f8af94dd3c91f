"""People who ask for what they may not use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    def text(name: str, *, key: bool = False) -> sa.Column[str]:
        return sa.Column(name, sa.Text, nullable=False, primary_key=key)

    def number(name: str, *, nullable: bool = False) -> sa.Column[int]:
        return sa.Column(name, sa.BigInteger, nullable=nullable)

    op.create_table(
        "access_requests",
        text("id", key=True),
        *(text(name) for name in ("principal_id", "principal", "server", "tool", "reason")),
        *(number("seconds"), number("asked_at"), text("state"), number("decided_at", nullable=True)),
        *(text("decided_by"), text("rule"), number("expires_at", nullable=True)),
    )
    op.create_index("access_requests_state", "access_requests", ["state", "asked_at"])


def downgrade() -> None:
    op.drop_table("access_requests")
