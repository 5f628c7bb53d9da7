"""Rewrites on a captured program: each matching node gives way to the traced replacement."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.export import ExportedProgram
from torch.fx.experimental.proxy_tensor import make_fx

from mobilekit.frontends.direct.capture import source_of
from mobilekit.frontends.direct.rewrites.base import Rewrite
from mobilekit.results import AppliedRewrite


def apply_rewrites(
    program: ExportedProgram, rewrites: Sequence[Rewrite]
) -> tuple[ExportedProgram, list[AppliedRewrite]]:
    """A program with every op that ``rewrites`` match replaced, in their order, and where that was; the given program
    stays as it is. Ops inside control flow are rewritten too; those inside composite ops (a GRU's gates) are not.
    """
    applied: list[AppliedRewrite] = []
    signature = copy.deepcopy(program.graph_signature)

    def changed(module: torch.fx.GraphModule, rename: Callable[[str, str], None] | None) -> torch.fx.GraphModule:
        graph = copy.deepcopy(module.graph)
        for old, new in zip(module.graph.nodes, graph.nodes, strict=True):
            new.name = old.name  # the signature knows names; a copy calls "input" input_1, since it is a Python builtin
        result = torch.fx.GraphModule(module, graph)
        for name, child in module.named_children():
            if isinstance(child, torch.fx.GraphModule):
                setattr(result, name, changed(child, None))
        for rewrite in rewrites:
            for node in list(graph.nodes):
                if _matches(node, rewrite):
                    applied.append(AppliedRewrite(rewrite.name, node.name, rewrite.error, source_of(node)))
                    made = _replace(graph, node, rewrite)
                    if rename is not None:
                        rename(node.name, made.name)
        result.recompile()
        return result

    module = changed(program.graph_module, signature.replace_all_uses)
    rewritten = ExportedProgram(
        root=module,
        graph=module.graph,
        graph_signature=signature,
        state_dict=program.state_dict,
        range_constraints=program.range_constraints,
        module_call_graph=program.module_call_graph,
        constants=program.constants,
        verifiers=program.verifiers,
    )
    return rewritten, applied


def _matches(node: torch.fx.Node, rewrite: Rewrite) -> bool:
    target = node.target
    if node.op != "call_function" or not isinstance(target, torch._ops.OpOverload):
        return False
    namespace, name, overload = rewrite.op.split(".")
    if (target.namespace, target._overloadname) != (namespace, overload) or target._opname not in (name, f"{name}_"):
        return False
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.is_floating_point() and rewrite.applies(*_arguments(node))


def _arguments(node: torch.fx.Node) -> list[Any]:
    """All arguments of the schema in its order, defaults filled in."""
    assert isinstance(node.target, torch._ops.OpOverload)
    given = dict(zip((p.name for p in node.target._schema.arguments), node.args, strict=False)) | node.kwargs
    return [given.get(p.name, p.default_value) for p in node.target._schema.arguments]


def _replace(graph: torch.fx.Graph, node: torch.fx.Node, rewrite: Rewrite) -> torch.fx.Node:
    """Trace the replacement on the node's fake tensors and put its ops in the node's place."""
    x, *others = _arguments(node)
    assert isinstance(node.target, torch._ops.OpOverload)
    in_place = node.target._schema.is_mutable
    example = x.meta["val"]
    assert isinstance(example, FakeTensor)

    def call(value: torch.Tensor) -> Any:
        result = rewrite.replacement(value, *others)
        return value.copy_(result) if in_place else result  # later readers of the operand see the new value

    with example.fake_mode, torch.no_grad():
        pieces = make_fx(call, pre_dispatch=True)(example)
    placeholder = next(piece for piece in pieces.graph.nodes if piece.op == "placeholder")
    with graph.inserting_before(node):
        copies: dict[torch.fx.Node, torch.fx.Node] = {placeholder: x}
        for piece in pieces.graph.nodes:
            if piece.op == "call_function":
                copies[piece] = graph.node_copy(piece, lambda source: copies[source])
                # The line of the user's code, which reports and errors name, is that of the op that was there.
                copies[piece].meta = {**node.meta, "val": piece.meta["val"]}
    output = next(piece for piece in pieces.graph.nodes if piece.op == "output")
    new = copies[output.args[0]]
    node.replace_all_uses_with(new)
    graph.erase_node(node)
    return new
