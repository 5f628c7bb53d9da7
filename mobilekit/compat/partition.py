"""How a runtime would cut a graph between a delegate and the CPU.

The greedy walk of TFLite's ``PartitionGraphIntoIndependentNodeSubsets`` (tflite/graph_info.cc): the first op that is
ready opens a piece and gives it its kind; every op of that kind that is ready, or becomes ready, joins; when none is
left, the first ready op of the other kind opens the next piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobilekit.graph.ir import Graph, Op, Tensor


@dataclass(frozen=True)
class Piece:
    """Ops that run in one go on one side, by their position in the graph."""

    taken: bool
    ops: tuple[int, ...]


def cut(graph: Graph, taken: Sequence[bool]) -> list[Piece]:
    """Pieces of ``graph`` in the order in which they run; ``taken`` says for each op whether the delegate takes it."""
    producers = graph.producers()
    waiting = list(range(len(graph.ops)))
    ready: set[Tensor] = {tensor for tensor in graph.tensors() if tensor not in producers}
    pieces: list[Piece] = []
    while waiting:
        ops: list[int] = []
        kind: bool | None = None
        moved = True
        while moved:
            moved, left = False, []
            for index in waiting:
                op = graph.ops[index]
                if kind in (None, taken[index]) and _is_ready(op, ready):
                    kind, moved = taken[index], True
                    ops.append(index)
                    ready.update(op.outputs)
                else:
                    left.append(index)
            waiting = left
        if not ops or kind is None:  # Ops that wait for each other: no well-formed graph has them.
            break
        pieces.append(Piece(kind, tuple(ops)))
    return pieces


def _is_ready(op: Op, ready: set[Tensor]) -> bool:
    return all(tensor in ready or tensor.is_variable for tensor in op.present_inputs())


def bytes_across(graph: Graph, pieces: Sequence[Piece], sizes: dict[Tensor, int]) -> int:
    """Bytes that pass between the two sides in one run: each tensor once for each side that did not make it."""
    side = {index: piece.taken for piece in pieces for index in piece.ops}
    maker: dict[Tensor, bool] = dict.fromkeys(graph.inputs, False)  # The application stands on the CPU's side.
    for index, op in enumerate(graph.ops):
        for tensor in op.outputs:
            maker[tensor] = side.get(index, False)
    crossings: set[tuple[Tensor, bool]] = set()
    for index, op in enumerate(graph.ops):
        here = side.get(index, False)
        crossings |= {(tensor, here) for tensor in op.present_inputs() if maker.get(tensor, here) != here}
    crossings |= {(tensor, False) for tensor in graph.outputs if maker.get(tensor, False)}
    return sum(sizes[tensor] for tensor, _ in crossings)
