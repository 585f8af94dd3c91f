"""What a relying party calls a browser session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("relying_sessions", sa.Column("sid", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("relying_sessions", "sid")
