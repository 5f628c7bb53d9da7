"""The list of lowerings: ATen op -> the function that says it in TFLite ops. One file an op family in ``ops/``.

A lowering is ``lower_<op>(b, *arguments)``: ``b`` is the :class:`~mobilekit.frontends.direct.builder.Builder`, the
arguments are those of the ATen schema in its order, all of them, defaults filled in; tensors arrive as
:class:`~mobilekit.frontends.direct.values.Value`. It returns a Value, or a tuple of them. What it cannot express it
refuses with :class:`UnsupportedError`, before making any op.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

Lowering = Callable[..., Any]
Function = TypeVar("Function", bound=Lowering)

_LOWERINGS: dict[str, Lowering] = {}


class UnsupportedError(Exception):
    """Raised by a lowering for a use of its op that has no TFLite form; the walk collects them all."""

    def __init__(self, reason: str, suggestion: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.suggestion = suggestion


def lowers(*ops: str) -> Callable[[Function], Function]:
    """Register a lowering for one or more overloads, e.g. ``@lowers("aten.relu.default", "aten.relu_.default")``."""

    def register(function: Function) -> Function:
        for op in ops:
            if op in _LOWERINGS:
                raise AssertionError(f"{op} has two lowerings: {_LOWERINGS[op].__name__} and {function.__name__}")
            _LOWERINGS[op] = function
        return function

    return register


@functools.cache
def lowerings() -> dict[str, Lowering]:
    """Every lowering by the name of its ATen overload; loads all files of ``ops/`` on first use."""
    package = importlib.import_module("mobilekit.frontends.direct.ops")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_LOWERINGS.items()))
