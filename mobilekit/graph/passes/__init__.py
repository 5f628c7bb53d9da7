"""Passes: one rewrite a file, each a function ``graph -> number of rewrites`` that changes the graph in place.

The list below is the order in which they run; every pass leaves a graph whose inputs, outputs and numbers are those it
was given. A pass may only assume what :meth:`Graph.check` promises.
"""

from __future__ import annotations

from collections.abc import Callable

from mobilekit.errors import GraphError
from mobilekit.graph.ir import Graph
from mobilekit.graph.passes.absorb_broadcast import absorb_broadcast
from mobilekit.graph.passes.cancel_transposes import cancel_transposes
from mobilekit.graph.passes.collapse_transpose import collapse_transpose
from mobilekit.graph.passes.drop_kept_dims import drop_kept_dims
from mobilekit.graph.passes.fold_batch_norm import fold_batch_norm
from mobilekit.graph.passes.fold_channel_order import fold_channel_order
from mobilekit.graph.passes.fold_constants import fold_constants
from mobilekit.graph.passes.fold_padding import fold_padding
from mobilekit.graph.passes.fold_transpose_into_weights import fold_transpose_into_weights
from mobilekit.graph.passes.fuse_activation import fuse_activation
from mobilekit.graph.passes.merge_reshapes import merge_reshapes
from mobilekit.graph.passes.remove_dead_ops import remove_dead_ops
from mobilekit.graph.passes.remove_identity import remove_identity
from mobilekit.graph.passes.share_constants import share_constants
from mobilekit.graph.passes.sink_reshape import sink_reshape

Pass = Callable[[Graph], int]

PIPELINE: tuple[Pass, ...] = (
    remove_identity,
    fold_constants,
    absorb_broadcast,  # after fold_constants: a constant that was made wide is wide for good
    merge_reshapes,
    drop_kept_dims,  # after merge_reshapes: chains of reshapes are one by now
    cancel_transposes,
    fold_transpose_into_weights,  # after cancel_transposes: takes those that found no partner
    collapse_transpose,  # after both: they read a permutation of the image's own axes
    fold_padding,
    sink_reshape,  # before the two below: it brings 1d convolutions next to what folds into them
    fold_batch_norm,  # before fuse_activation: it needs MUL and ADD next to the convolution
    fold_channel_order,
    fuse_activation,
    remove_dead_ops,
    share_constants,
)

# Every pass shrinks the graph or moves ops one way, so the rounds end; a chain of pointwise ops between two transposes
# needs one each. Far above any real network.
_MAX_ROUNDS = 1000


def run_passes(graph: Graph, pipeline: tuple[Pass, ...] = PIPELINE) -> dict[str, int]:
    """Run every pass until none finds anything more; the invariants hold on entry and on exit.

    Returns how often each pass rewrote something.
    """
    graph.check()
    counts = {rewrite.__name__: 0 for rewrite in pipeline}
    for _ in range(_MAX_ROUNDS):
        # Each body of control flow on its own: its inputs and outputs stay, so the op that runs it sees no change.
        found = {rewrite.__name__: sum(rewrite(part) for part in (graph, *graph.subgraphs)) for rewrite in pipeline}
        for name, rewrites in found.items():
            counts[name] += rewrites
        if not any(found.values()):
            graph.check()
            return counts
    raise GraphError(f"the passes undo each other: {', '.join(n for n, rewrites in found.items() if rewrites)}")
