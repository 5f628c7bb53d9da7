"""What the runtime here really hands to its XNNPACK delegate: the truth that the table ``cpu`` is held against.

After ``allocate_tensors`` the interpreter lists the graph's own ops and one ``DELEGATE`` op for each piece that was
replaced. A piece is found again by walking back from the delegate's outputs to its inputs.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from mobilekit.errors import RuntimeUnavailableError


@dataclass(frozen=True)
class Delegation:
    """Which ops of a file's main graph run in the delegate, by position, piece by piece."""

    ops: tuple[str, ...]
    """Kinds of all ops, in the file's order."""
    pieces: tuple[frozenset[int], ...]

    @property
    def taken(self) -> frozenset[int]:
        return frozenset().union(*self.pieces)


def observe_xnnpack(model: bytes, threads: int = 1) -> Delegation:
    """Load a .tflite file with the default delegate and see what it took.

    Needs ai-edge-litert (older runtimes do not list their delegates' ops); :class:`RuntimeUnavailableError` without it
    or if it cannot load the file.
    """
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise RuntimeUnavailableError(f"observing the delegate needs ai-edge-litert: {error}") from error
    try:
        interpreter = module.Interpreter(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise RuntimeUnavailableError(f"the runtime cannot load this file: {str(error).strip()}") from error
    listed: list[dict[str, Any]] = interpreter._get_ops_details()
    own = [entry for entry in listed if entry["op_name"] != "DELEGATE"]
    makers = {int(tensor): index for index, entry in enumerate(own) for tensor in entry["outputs"]}
    pieces = [_inside(entry, own, makers) for entry in listed if entry["op_name"] == "DELEGATE"]
    return Delegation(tuple(entry["op_name"] for entry in own), tuple(pieces))


def _inside(delegate: dict[str, Any], own: list[dict[str, Any]], makers: dict[int, int]) -> frozenset[int]:
    edge = {int(tensor) for tensor in delegate["inputs"]}
    found: set[int] = set()
    waiting = [int(tensor) for tensor in delegate["outputs"]]
    while waiting:
        tensor = waiting.pop()
        maker = makers.get(tensor)
        if tensor in edge or maker is None or maker in found:
            continue
        found.add(maker)
        waiting += [int(read) for read in own[maker]["inputs"] if read >= 0]
    return frozenset(found)
