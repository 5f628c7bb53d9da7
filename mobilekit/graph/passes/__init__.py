"""Passes: one rewrite a file, each a function ``graph -> number of rewrites`` that changes the graph in place.

The list below is the order in which they run; every pass leaves a graph whose inputs, outputs and numbers are those it
was given. A pass may only assume what :meth:`Graph.check` promises.
"""

from __future__ import annotations

from collections.abc import Callable

from mobilekit.graph.ir import Graph
from mobilekit.graph.passes.cancel_transposes import cancel_transposes
from mobilekit.graph.passes.fold_batch_norm import fold_batch_norm
from mobilekit.graph.passes.fold_constants import fold_constants
from mobilekit.graph.passes.fold_padding import fold_padding
from mobilekit.graph.passes.fold_transpose_into_weights import fold_transpose_into_weights
from mobilekit.graph.passes.fuse_activation import fuse_activation
from mobilekit.graph.passes.merge_reshapes import merge_reshapes
from mobilekit.graph.passes.remove_dead_ops import remove_dead_ops
from mobilekit.graph.passes.remove_identity import remove_identity
from mobilekit.graph.passes.share_constants import share_constants

Pass = Callable[[Graph], int]

PIPELINE: tuple[Pass, ...] = (
    remove_identity,
    fold_constants,
    merge_reshapes,
    cancel_transposes,
    fold_transpose_into_weights,  # after cancel_transposes: takes those that found no partner
    fold_padding,
    fold_batch_norm,  # before fuse_activation: it needs MUL and ADD next to the convolution
    fuse_activation,
    remove_dead_ops,
    share_constants,
)


def run_passes(graph: Graph, pipeline: tuple[Pass, ...] = PIPELINE) -> dict[str, int]:
    """Run every pass until none finds anything more; the invariants hold on entry and on exit.

    Returns how often each pass rewrote something.
    """
    graph.check()
    counts = {rewrite.__name__: 0 for rewrite in pipeline}
    changed = True
    while changed:
        changed = False
        for rewrite in pipeline:
            found = rewrite(graph)
            counts[rewrite.__name__] += found
            changed |= found > 0
    graph.check()
    return counts
