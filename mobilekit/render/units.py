"""Numbers as people read them: units stand beside them, and no digit pretends to be known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from mobilekit.source import SourceLocation


def size(count: int) -> str:
    """Bytes in decimal units, as app stores count them."""
    if count < 1000:
        return f"{count} B"
    if count < 999_950:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.2f} MB"


def decibel(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "exact" if value == math.inf else f"{value:.1f} dB"


def milliseconds(value: float) -> str:
    return f"{value:.2f} ms" if abs(value) < 10 else f"{value:.1f} ms"


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def percent(share: float) -> str:
    """A share in 0..1. 100 % is said only of the whole."""
    text = f"{100 * share:.1f} %"
    return "99.9 %" if text == "100.0 %" and share < 1 else text.replace(".0 %", " %")


def shape(dims: Sequence[int]) -> str:
    return "x".join("?" if dim < 0 else str(dim) for dim in dims) or "scalar"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def place(source: SourceLocation | None) -> str:
    """``file:line`` as short as it can be found again: from the package for installed code, else from here."""
    if source is None:
        return ""
    path = Path(source.file)
    for mark in ("site-packages", "dist-packages"):
        if mark in path.parts:
            path = Path(*path.parts[path.parts.index(mark) + 1 :])
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{source.line}"


def source_text(source: SourceLocation | None) -> str:
    """The place, the module of the model, and the line itself."""
    if source is None:
        return ""
    module = f" in {source.module}" if source.module else ""
    return place(source) + module + (f": {source.code}" if source.code else "")
