# The one door to everyday commands. None of them needs uv: they run what .venv holds.

set positional-arguments

# List the recipes
_default:
    @{{ just_executable() }} --list

# Make .venv with the pinned requirements
setup:
    python3 bootstrap.py setup

# Write a revision from what changed in app/models
create-migration MESSAGE: _ready
    .venv/bin/alembic revision --autogenerate -m "$1"

# Apply all pending revisions to the database of DATABASE_URL
migrate: _ready
    .venv/bin/alembic upgrade head

# Take the last revision back
migrate-down: _ready
    .venv/bin/alembic downgrade -1

# Watch levelhead bring databases of its own to head, then serve them
demo *ARGS:
    python3 bootstrap.py demo "$@"

# Run the tests
test *ARGS:
    python3 bootstrap.py test "$@"

# Run public histories, each in an environment that is made first
test-histories *ARGS:
    python3 bootstrap.py test -m histories --numprocesses=2 --dist=load "$@"

# Run what we send on Spark with Delta Lake, which Maven fetches first
test-delta *ARGS:
    python3 bootstrap.py test -m delta --numprocesses=0 "$@"

# Everything CI checks
check: lint types imports test

# Lint, and see that the formatting stands
lint: _ready
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .

# Format, and mend what the linter can mend
fmt: _ready
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# Check types
types: _ready
    .venv/bin/mypy

# Check who imports whom
imports: _ready
    .venv/bin/lint-imports

# Start the service
serve *ARGS: _ready
    .venv/bin/levelhead serve "$@"

# Measure
bench *ARGS: _ready
    .venv/bin/python -m bench "$@"

_ready:
    @test -x .venv/bin/python || python3 bootstrap.py setup
