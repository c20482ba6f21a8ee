"""The control database: SQLite or Postgres, one file per table."""
