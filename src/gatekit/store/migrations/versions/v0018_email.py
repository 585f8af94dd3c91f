"""People by their address: a sign-in that may be linked asks for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_index("users_email", "users", [sa.text("lower(email)")])


def downgrade() -> None:
    op.drop_index("users_email", "users")
