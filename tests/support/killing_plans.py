"""The history of `tests.support.killing`, so written that shadows can show all of it.

What its scripts need stands in a first revision, at which all targets are already.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.histories import SYNC_ENV, Scripts
from tests.support.killing import GROUND, SECOND, entry

#: What each target starts from.
AT_R0 = f"""{GROUND}
    CREATE TABLE alembic_version (
        version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    );
    INSERT INTO alembic_version VALUES ('r0');
    CREATE FUNCTION gate_at_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM gate('stamping'); RETURN NULL; END $$;
    CREATE TRIGGER gated AFTER INSERT OR UPDATE ON alembic_version FOR EACH ROW
        WHEN (NEW.version_num = 'r3') EXECUTE FUNCTION gate_at_stamp();
"""

#: Its transaction ends in the middle of the revision, and its stamp stands alone.
THIRD = """
    op.execute("SELECT gate('parting')")
    op.execute("INSERT INTO ledger VALUES ('r3')")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY third ON indexed (n)")
"""

FOURTH = """
    op.execute("CREATE TABLE fourth ()")
    op.execute("SELECT gate('last')")
    op.execute("INSERT INTO ledger VALUES ('r4')")
"""


def write_history(folder: Path) -> Path:
    """Write four revisions on a first one, all of which can be compiled.

    Returns:
        Its alembic.ini.
    """
    scripts = Scripts(folder, SYNC_ENV)
    scripts.add("r0", f"op.execute({GROUND!r})")
    scripts.add("r1", 'op.execute("CREATE TABLE first ()")\n' + entry("r1"))
    scripts.add("r2", SECOND)
    scripts.add("r3", THIRD)
    scripts.add("r4", FOURTH)
    return scripts.config
