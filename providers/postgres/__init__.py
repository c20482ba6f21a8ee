"""Postgres: the adapter on asyncpg, and a throwaway server where none is at hand."""
