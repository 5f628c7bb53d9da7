"""What depends on constants alone is computed once."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes import fold_constants, remove_dead_ops
from tests.graph.passes.helper import Build, check_pass


def test_a_chain_folds_at_once() -> None:
    g = Build()
    moved = g.transpose(g.weights(3, 4), 1, 0)
    y = g.op("FULLY_CONNECTED", [g.input(2, 3), g.op("ABS", [moved], moved.shape), g.weights(4)], (2, 4))
    graph = check_pass(fold_constants, g.done(y), fires=2)
    assert [op.kind for op in graph.ops] == ["FULLY_CONNECTED"]


def test_several_outputs_and_readers() -> None:
    g = Build()
    halves = [Tensor(f"half_{i}", (2, 2), "float32") for i in range(2)]
    g.graph.ops.append(Op("SPLIT", [g.constant(0), g.weights(4, 2)], halves, {"num_splits": 2}))
    x = g.input(2, 2)
    sums = [g.binary("ADD", x, half) for half in (*halves, halves[0])]
    check_pass(fold_constants, g.done(*sums), fires=1)


def test_outputs_of_the_graph_stay_computed() -> None:
    g = Build()
    x = g.input(2)
    check_pass(fold_constants, g.done(g.op("ABS", [g.weights(3)], (3,)), g.op("NEG", [x], (2,))), fires=0)


def test_half_precision_weights_stay_small() -> None:
    g = Build()
    wide = g.op("DEQUANTIZE", [g.constant(np.ones((4, 3), np.float16))], (4, 3), "float32")
    check_pass(fold_constants, g.done(g.op("FULLY_CONNECTED", [g.input(2, 3), wide, g.weights(4)], (2, 4))), fires=0)


def test_a_broadcast_that_would_grow_the_file_stays() -> None:
    g = Build()
    shape = (600, 600)  # 1.4 MB from one number
    wide = g.op("BROADCAST_TO", [g.constant(np.float32(2)), g.constant(shape)], shape)
    check_pass(fold_constants, g.done(g.binary("ADD", g.input(*shape), wide)), fires=0)


def test_random_ops_stay() -> None:
    g = Build()
    noise = g.op("RANDOM_UNIFORM", [g.constant((2, 2))], (2, 2), "float32", seed=1, seed2=2)
    graph = g.done(g.binary("ADD", g.input(2, 2), noise))
    assert fold_constants(graph) == 0


def test_what_the_runtime_refuses_stays() -> None:
    """A kernel may lack the type: the graph is then as it was, and the error comes where the file is run."""
    g = Build()
    odd = g.op("SIN", [g.constant(np.arange(3, dtype=np.int32))], (3,))
    graph = g.done(g.op("CAST", [odd], (3,), "float32"))
    graph.inputs = [g.input(1)]
    text = str(graph)
    assert fold_constants(graph) == 0
    assert str(graph) == text


def test_ops_on_strings_and_subgraphs_are_not_touched() -> None:
    words = Tensor("words", (1,), "string", np.zeros(8, np.uint8))
    table = Tensor("table", (1,), "string")
    flag = Tensor("flag", (), "bool", np.array(True))
    chosen = Tensor("chosen", (1,), "float32")
    value = Tensor("value", (1,), "float32", np.ones(1, np.float32))
    branch = Graph("then", inputs=[Tensor("v", (1,), "float32")])
    branch.outputs = [Tensor("w", (1,), "float32")]
    branch.ops = [Op("ABS", branch.inputs, branch.outputs)]  # type: ignore[arg-type]
    graph = Graph(
        ops=[
            Op("RESHAPE", [words, Tensor("shape", (1,), "int32", np.ones(1, np.int32))], [table]),
            Op("IF", [flag, value], [chosen], {"then_subgraph_index": 1, "else_subgraph_index": 1}),
        ],
        outputs=[chosen],
        subgraphs=[branch],
    )
    text = str(graph)
    assert fold_constants(graph) == 0
    assert remove_dead_ops(graph) == 1
    assert "IF" in str(graph)
    assert text != str(graph)
