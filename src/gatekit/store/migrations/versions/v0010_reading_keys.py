"""API keys that only read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("read_only", sa.Boolean, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("api_keys", "read_only")
