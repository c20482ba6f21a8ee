"""Lakebase: Databricks' Postgres, which is logged into with credentials that live an hour."""
