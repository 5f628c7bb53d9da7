"""A failed export in two lines: where in the user's code it failed and why, and what to write there instead."""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mobilekit.errors import first_line

# With the separator: torchvision lies beside it and is not it.
TORCH_FOLDER = str(Path(torch.__file__).parent) + os.sep

# What torch raises where Python asks for the value of a tensor that has none while it is traced.
_VALUE_NEEDED = (
    "GuardOnDataDependentSymNode",
    "DataDependentOutputException",
    "UserError",
    "DynamicOutputShapeException",
)

# How the line of code looks -> (what it does, what to write instead); the first that matches.
_INSTEAD = (
    (
        r"^\s*assert\b",
        "asserts on a tensor's value",
        "leave the assertion out while exporting: if not torch.compiler.is_exporting(): assert ...",
    ),
    (
        r"^\s*while\b",
        "loops while a tensor's value says so",
        "torch.while_loop(lambda x: x.max() > 1, lambda x: (x / 2,), (x,))",
    ),
    (
        r"\brange\(",
        "loops as often as a tensor's value says",
        "a fixed number of turns, or torch.while_loop with the counter as a tensor",
    ),
    (
        r"\bif\b",
        "branches on a tensor's value",
        "torch.where(condition, a, b) to choose between values, torch.cond(condition, f, g, (x,)) between computations",
    ),
    (
        r"\.numpy\(\)|\bnp\.|\bnumpy\.",
        "leaves PyTorch for NumPy, which no graph can hold",
        "the same function of torch (np.sin -> torch.sin), or compute it before or after the model",
    ),
    (
        r"\bint\(|\bfloat\(|\bbool\(|\.item\(|\.tolist\(|\[.*:.*\]",
        "makes a Python number of a tensor, or a size of it",
        "keep it a tensor, and sizes fixed: pad to the largest, then torch.where(torch.arange(n) < length, x, 0)",
    ),
)
_OTHERWISE = (
    "needs a tensor's value while the model is captured",
    "torch.where, torch.cond, torch.while_loop or fixed sizes",
)


def explain(error: Exception, model: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """What the model itself raises, if it raises, else which line cannot be captured and what to write instead."""
    try:
        model(*args, **kwargs)
    except Exception as own:  # the model's code may raise anything
        text = f"{type(own).__name__}: {_cause(own)}{_place(own)}"
        return f"the model raises in forward with {_shapes(args, kwargs)}: {text}"
    found = _line(error)
    if found is None or not _needs_value(error):
        return f"torch.export cannot capture the model: {type(error).__name__}: {_cause(error)}{_place(error)}"
    file, number, code = found
    what, instead = next((row[1:] for row in _INSTEAD if re.search(row[0], code)), _OTHERWISE)
    return f"torch.export cannot capture the model: it {what} at {file}:{number}: {code.strip()}\n  instead: {instead}"


def _needs_value(error: BaseException) -> bool:
    """Whether the export failed for want of a tensor's value, and not for a shape or a bug."""
    if "Constraints violated" in str(error):
        return False
    names = {type(cause).__name__ for cause in _causes(error)}
    return bool(names.intersection(_VALUE_NEEDED)) or ".numpy()" in str(error) or "data-dependent" in str(error).lower()


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _shapes(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    def show(value: Any) -> str:
        return (
            f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
            if isinstance(value, torch.Tensor)
            else repr(value)
        )

    shown = [show(value) for value in args] + [f"{key}={show(value)}" for key, value in kwargs.items()]
    return ", ".join(shown) or "no inputs"


def _cause(error: BaseException) -> str:
    """The first line, or every limit that dynamic shapes lack."""
    violated = re.findall(r"^\s*- (.*)$", str(error), re.MULTILINE) if "Constraints violated" in str(error) else []
    return "; ".join(violated) or first_line(error)


def _line(error: BaseException) -> tuple[str, int, str] | None:
    """File, line and code of the innermost frame of the traceback that is not PyTorch's."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((TORCH_FOLDER, "<")) and "/mobilekit/" not in file:
            found = (file, trace.tb_lineno, linecache.getline(file, trace.tb_lineno))
        trace = trace.tb_next
    return found


def _place(error: BaseException) -> str:
    found = _line(error)
    return "" if found is None else f" ({found[0]}:{found[1]})"
