"""By what a person recognises the browsers in which they are signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TABLE = "browser_sessions"
NAMES = ("address", "agent")


def upgrade() -> None:
    for name in NAMES:
        op.add_column(TABLE, sa.Column(name, sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    for name in reversed(NAMES):
        op.drop_column(TABLE, name)
