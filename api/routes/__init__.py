"""One module per resource."""

from __future__ import annotations

from typing import Any

from api.errors import MEDIA_TYPE
from api.schemas import Problem

#: Every handler may answer with a problem.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    },
}
