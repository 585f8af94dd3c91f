"""Opaque access tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TABLE = "access_tokens"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("claims", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("access_tokens_expiry", TABLE, ["expires_at"])


def downgrade() -> None:
    op.drop_table(TABLE)
