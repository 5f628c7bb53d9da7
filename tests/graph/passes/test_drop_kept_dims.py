"""drop_kept_dims: where it fires and where it must not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes.drop_kept_dims import drop_kept_dims
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter


def pooled(shape: tuple[int, ...] = (2, 3)) -> Graph:
    x = Tensor("x", (2, 4, 5, 3), "float32")
    axes = Tensor("axes", (2,), "int32", np.array([1, -2], np.int32))
    mean, flat = Tensor("mean", (2, 1, 1, 3), "float32"), Tensor("flat", shape, "float32")
    to = Tensor("to", (len(shape),), "int32", np.array(shape, np.int32))
    ops = [Op("MEAN", [x, axes], [mean], {"keep_dims": True}), Op("RESHAPE", [mean, to], [flat], {})]
    return Graph(inputs=[x], outputs=[flat], ops=ops)


def test_fires_and_keeps_the_numbers() -> None:
    image = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    before = Interpreter(write(pooled())).run([image])[0]
    graph = pooled()
    assert drop_kept_dims(graph) == 1
    graph.check()
    assert graph.op_counts() == {"MEAN": 1}
    assert graph.outputs[0].name == "flat"
    np.testing.assert_array_equal(Interpreter(write(graph)).run([image])[0], before)


def mean_is_an_output(graph: Graph) -> None:
    graph.outputs.append(graph.ops[0].output)


def mean_has_two_readers(graph: Graph) -> None:
    graph.ops.append(Op("NEG", [graph.ops[0].output], [Tensor("n", (2, 1, 1, 3), "float32")]))
    graph.outputs.append(graph.ops[-1].output)


def no_kept_dims(graph: Graph) -> None:
    graph.ops[0].options["keep_dims"] = False


@pytest.mark.parametrize("spoil", [mean_is_an_output, mean_has_two_readers, no_kept_dims])
def test_stays_away(spoil: Callable[[Graph], None]) -> None:
    graph = pooled()
    spoil(graph)
    assert drop_kept_dims(graph) == 0


def test_another_shape_stays() -> None:
    assert drop_kept_dims(pooled((6,))) == 0
    assert drop_kept_dims(pooled((2, 1, 3))) == 0
