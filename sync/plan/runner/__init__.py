"""The runner: a child process in which a history's own scripts and env.py run.

It belongs to other people's interpreters: Python 3.9 or newer, Alembic 1.8 or newer and
SQLAlchemy 1.4 to 2.1 are all it may use, and it imports nothing of levelhead.
"""
