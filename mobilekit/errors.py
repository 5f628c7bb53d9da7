"""The one exception tree: everything a user can cause raises a :class:`MobilekitError`.

The command line turns any of these into one clear line and the class's ``exit_code``; a traceback is shown
only with ``--debug``. Code that raises one says what was wrong, where, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobilekit.source import SourceLocation


class MobilekitError(Exception):
    """Base of every error that a user can cause or act on."""

    exit_code = 1


class InputError(MobilekitError, ValueError):
    """An argument, file or option is not what was expected."""


class ModelLoadError(InputError):
    """The model could not be found, read or built."""


class CaptureError(MobilekitError):
    """torch.export could not capture the model, or the model itself raised in ``forward``."""


class CorruptModelError(ModelLoadError):
    """The bytes given are not a well-formed .tflite file."""


class CalibrationError(InputError):
    """The calibration data cannot be used (empty, wrong shape, NaN or Inf)."""


class RecipeError(InputError):
    """A quantization recipe contradicts itself or names something that does not exist."""


class OutputError(MobilekitError):
    """A result could not be written; nothing was left on disk."""


class RuntimeUnavailableError(MobilekitError):
    """No TFLite runtime can be imported, or the one there cannot run this file."""


class BackendError(MobilekitError):
    """A frontend crashed, ran out of time or memory, or is not installed."""


class GraphError(MobilekitError):
    """A graph breaks an invariant of the IR; from a user's view the file or the converter is at fault."""


class BarMissedError(MobilekitError):
    """A bar that was asked for (verification, accuracy, coverage, latency) was not met."""

    exit_code = 2


class VerificationError(BarMissedError):
    """The converted file does not compute what the model computes."""


def first_line(error: BaseException) -> str:
    """The first line of a foreign error's text that says something, or its type's name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@dataclass(frozen=True)
class UnsupportedOp:
    """One op that cannot be converted, and what the user can do about it."""

    op: str
    """The op in the frontend's own words, e.g. ``aten.erfinv.default``."""
    node: str
    """The node of the captured graph, e.g. ``erfinv_1``."""
    reason: str
    source: SourceLocation | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        text = f"{self.op} (node {self.node}): {self.reason}"
        if self.source is not None:
            text += f"\n    at {self.source}"
        if self.suggestion:
            text += f"\n    instead: {self.suggestion}"
        return text


class UnsupportedOpsError(MobilekitError):
    """The model holds ops that cannot be converted; all of them are named at once in ``ops``."""

    def __init__(self, ops: Sequence[UnsupportedOp]) -> None:
        self.ops = tuple(ops)
        kinds = sorted({entry.op for entry in self.ops})
        head = f"{len(self.ops)} op{'s' if len(self.ops) != 1 else ''} cannot be converted ({', '.join(kinds)})"
        super().__init__("\n  ".join([head + ":", *map(str, self.ops)]))
