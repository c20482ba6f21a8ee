"""Databricks: the provider, its dialect's rules for Alembic, and a local SQL warehouse."""
