"""Start the runner: ``python boot.py``, with the request on standard input.

The package is loaded by its path under a name of its own, so that neither this folder
nor levelhead's packages stand on the path of the history's scripts.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "levelhead_runner"


def load() -> None:
    """Make this folder importable as `NAME`, and as nothing else."""
    sys.path.pop(0)
    spec = spec_from_file_location(
        NAME, HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"no runner at {HERE}")
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    load()
    from levelhead_runner.main import (  # type: ignore[import-not-found]  # made by load()
        main,
    )

    main()
