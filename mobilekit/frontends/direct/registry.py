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

from mobilekit.errors import InputError

Lowering = Callable[..., Any]
Function = TypeVar("Function", bound=Lowering)

_LOWERINGS: dict[str, Lowering] = {}
_CUSTOM: dict[str, Lowering] = {}
"""Lowerings of ops that are not PyTorch's, registered by users."""


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


def lowering(op: str) -> Callable[[Function], Function]:
    """Say an op of your own in TFLite ops: ``@mobilekit.lowering("mylib::hard_mish")``.

    ``op`` is the name given to ``torch.library`` (``namespace::name``, with ``.overload`` if it has several). The
    function gets a :class:`~mobilekit.frontends.direct.builder.Builder` and the op's arguments, as every lowering does;
    its result must have the shape and dtype that the op itself gives, and the converted file is verified as always.
    Registering an op again replaces its lowering. Raises :class:`~mobilekit.errors.InputError` for a name without a
    namespace, and for PyTorch's own ops, which mobilekit lowers.
    """
    namespace, separator, name = op.partition("::")
    if not separator or not name.split(".")[0].isidentifier():
        raise InputError(f"'{op}' is no op name: write namespace::name, as in torch.library")
    if namespace in ("aten", "prims", "prim"):
        raise InputError(f"'{op}' belongs to PyTorch: a lowering of one's own is for ops of one's own namespace")
    key = f"{namespace}.{name if '.' in name else name + '.default'}"

    def register(function: Function) -> Function:
        _CUSTOM[key] = function
        return function

    return register


def lowerings() -> dict[str, Lowering]:
    """Every lowering by the name of its overload, the user's own among them."""
    return dict(sorted({**builtin_lowerings(), **_CUSTOM}.items()))


@functools.cache
def builtin_lowerings() -> dict[str, Lowering]:
    """mobilekit's lowerings by the name of the ATen overload; loads all files of ``ops/`` on first use."""
    package = importlib.import_module("mobilekit.frontends.direct.ops")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_LOWERINGS.items()))
