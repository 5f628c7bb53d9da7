"""What all results share: the version of their JSON form, and the way there."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

FORMAT_VERSION = 1
"""Version of every JSON document that mobilekit writes; raised when a field changes its meaning or goes."""


def to_jsonable(value: Any) -> Any:
    """Plain JSON values for a result: dataclasses become objects, NaN and infinities become strings.

    JSON has no NaN; ``"nan"``, ``"inf"`` and ``"-inf"`` keep the difference visible instead of hiding it in a null.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_jsonable(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_jsonable(value.tolist())
    if isinstance(value, np.generic):
        return to_jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Path):
        return str(value)
    return value
