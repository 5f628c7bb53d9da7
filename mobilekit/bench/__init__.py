"""Honest latency: from the light on a camera's sensor to the light of the screen.

``bench()`` and its settings are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilekit.bench.api import bench
    from mobilekit.bench.settings import BenchSettings

_EXPORTS = {"BenchSettings": "mobilekit.bench.settings", "bench": "mobilekit.bench.api"}

__all__ = ["BenchSettings", "bench"]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'mobilekit.bench' has no attribute '{name}'")
