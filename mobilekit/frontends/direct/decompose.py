"""One ATen op in pieces: PyTorch's own decomposition of a single op, traced on fake tensors (1 to 10 ms an op).

It serves ops that have no lowering, so that hundreds of composite ops need none; the walk lowers the pieces with the
same table. Decomposing the whole program instead would double the time of the export.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch._decomp import decomposition_table
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import dispatch_functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


def decompose(
    target: torch._ops.OpOverload, args: Sequence[Any], kwargs: dict[str, Any]
) -> torch.fx.GraphModule | None:
    """A graph that computes ``target`` from simpler ops, or None if PyTorch knows none.

    ``args`` and ``kwargs`` are the node's, with the fake tensor in place of each node. The graph's inputs are the
    tensors among them in flattened order.
    """
    function = _pieces_of(target)
    leaves, structure = pytree.tree_flatten((tuple(args), kwargs))
    places = [index for index, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    mode = next((leaves[place].fake_mode for place in places if isinstance(leaves[place], FakeTensor)), None)
    if function is None or mode is None:
        return None

    def call(*tensors: torch.Tensor) -> Any:
        filled = list(leaves)
        for place, tensor in zip(places, tensors, strict=True):
            filled[place] = tensor
        positional, named = pytree.tree_unflatten(filled, structure)
        return function(*positional, **named)

    with mode, enable_python_dispatcher(), torch.no_grad():
        try:
            given = [leaves[place] for place in places]
            graph = make_fx(call)(*given)
            if any(_writes(node) for node in graph.graph.nodes):
                graph = make_fx(dispatch_functionalize(call))(*given)  # twice the time, so only where needed
        except Exception:  # a decomposition that does not work for these arguments: the op stays without a lowering
            return None
    return None if any(node.target is target for node in graph.graph.nodes) else graph


def _writes(node: torch.fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _pieces_of(target: torch._ops.OpOverload) -> Any:
    """Composite ops fall apart by themselves when traced; for others PyTorch keeps a table of functions."""
    if torch._C._dispatch_has_kernel_for_dispatch_key(str(target.name()), _COMPOSITE):  # type: ignore[no-untyped-call]
        return target
    return decomposition_table.get(target)
