"""Pushed authorization requests (RFC 9126), and codes and refresh tokens bound to a key (RFC 9449)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TABLE = "pushed_requests"
COLUMNS = (
    ("authorization_codes", "jkt"),
    ("refresh_tokens", "jkt"),
    ("login_transactions", "pushed_hash"),
    ("login_transactions", "jkt"),
)


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("uri_hash", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
    )
    op.create_index("pushed_requests_expiry", TABLE, ["expires_at"])
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
    op.drop_table(TABLE)
