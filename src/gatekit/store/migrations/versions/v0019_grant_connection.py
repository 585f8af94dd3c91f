"""Over which connection the person behind a grant had signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("grants", sa.Column("connection", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("grants", "connection")
