"""mobilekit: PyTorch to verified TFLite, and honest latency from camera to screen.

Public names are loaded on first use, so that ``import mobilekit`` costs no torch, no TensorFlow and no plotting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mobilekit._version import __version__

if TYPE_CHECKING:
    from mobilekit.compat.check import check
    from mobilekit.conversion.converted import Converted
    from mobilekit.conversion.pipeline import convert
    from mobilekit.errors import MobilekitError
    from mobilekit.frontends.direct.registry import lowering
    from mobilekit.frontends.host_ops import custom_op
    from mobilekit.quantize.auto import Auto
    from mobilekit.quantize.recipe import Recipe

_EXPORTS = {
    "Auto": "mobilekit.quantize.auto",
    "Converted": "mobilekit.conversion.converted",
    "MobilekitError": "mobilekit.errors",
    "Recipe": "mobilekit.quantize.recipe",
    "check": "mobilekit.compat.check",
    "convert": "mobilekit.conversion.pipeline",
    "custom_op": "mobilekit.frontends.host_ops",
    "lowering": "mobilekit.frontends.direct.registry",
}

__all__ = [
    "Auto",
    "Converted",
    "MobilekitError",
    "Recipe",
    "__version__",
    "check",
    "convert",
    "custom_op",
    "lowering",
]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'mobilekit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
