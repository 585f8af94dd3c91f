"""Ids of signed things that count once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TABLE = "replays"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("key_hash", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("purpose", "key_hash"),
    )
    op.create_index("replays_expiry", TABLE, ["expires_at"])


def downgrade() -> None:
    op.drop_table(TABLE)
