"""CHECK comes and goes; UNIQUE and EXCLUDE have no counterpart."""

import sqlalchemy as sa
from alembic import op

revision = "t08"
down_revision = "t07"


def upgrade() -> None:
    op.create_check_constraint("ck_people_kids", "people", "kids < 100")
    op.create_check_constraint("ck_people_team", "people", sa.column("team").in_(["red", "blue"]))
    op.create_unique_constraint("uq_people_team", "people", ["team", "nickname"])
    op.create_exclude_constraint("ex_people_team", "people", (sa.column("team"), "="))
    op.drop_constraint("ck_people_age", "people", type_="check")
    op.drop_constraint("uq_people_nick", "people", type_="unique")


def downgrade() -> None:
    op.create_unique_constraint("uq_people_nick", "people", ["nickname"])
    op.create_check_constraint("ck_people_age", "people", "age >= 0")
    op.drop_constraint("ex_people_team", "people")
    op.drop_constraint("uq_people_team", "people", type_="unique")
    op.drop_constraint("ck_people_team", "people", type_="check")
    op.drop_constraint("ck_people_kids", "people", type_="check")
