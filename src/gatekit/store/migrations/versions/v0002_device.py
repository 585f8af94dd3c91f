"""The device authorization grant (RFC 8628)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TABLE = "device_authorizations"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("device_hash", sa.Text, primary_key=True),
        sa.Column("user_code_hash", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("resources", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("interval", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("polled_at", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("grant_id", sa.Text, sa.ForeignKey("grants.id", ondelete="CASCADE")),
    )
    op.create_index("device_authorizations_code", TABLE, ["user_code_hash"], unique=True)
    op.create_index("device_authorizations_expiry", TABLE, ["expires_at"])
    op.create_index("device_authorizations_grant", TABLE, ["grant_id"])


def downgrade() -> None:
    op.drop_table(TABLE)
