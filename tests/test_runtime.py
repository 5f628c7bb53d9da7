"""One interpreter for every runtime: what it tells, what it runs, and what it refuses in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobilekit import runtime
from mobilekit.errors import InputError, RuntimeUnavailableError
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter, TensorInfo
from tests.graph.build import constant, one_op, small_cnn

CNN = write(small_cnn())
IMAGE = np.random.default_rng(0).standard_normal((1, 8, 8, 3), np.float32)


def test_describe_names_the_runtime_and_its_version() -> None:
    name, version = runtime.describe().split()
    assert name in {"ai-edge-litert", "tflite-runtime", "tensorflow"}
    assert version[0].isdigit()


def test_inputs_and_outputs_as_stored() -> None:
    x = Tensor("x", (1, 3), "int8", quantization=Quantization.per_tensor(0.5, -4))
    y = Tensor("y", (1, 3), "float32")
    interpreter = Interpreter(write(one_op("DEQUANTIZE", [x], y)))
    assert interpreter.inputs == [TensorInfo("x", (1, 3), "int8", 0.5, -4)]
    assert interpreter.outputs == [TensorInfo("y", (1, 3), "float32", 0.0, 0)]
    np.testing.assert_array_equal(interpreter.run([np.array([[-4, -2, 0]], np.int8)])[0], [[0, 1, 2]])


def test_inputs_and_outputs_keep_the_order_of_the_file() -> None:
    a, b = Tensor("a", (2,), "float32"), Tensor("b", (3,), "float32")
    sines, roots = Tensor("sines", (3,), "float32"), Tensor("roots", (2,), "float32")
    graph = Graph(inputs=[b, a], outputs=[sines, roots], ops=[Op("SQRT", [a], [roots]), Op("SIN", [b], [sines])])
    interpreter = Interpreter(write(graph))
    assert [info.name for info in interpreter.inputs] == ["b", "a"]
    got = interpreter.run([np.zeros(3, np.float32), np.array([4, 9], np.float32)])
    np.testing.assert_array_equal(got[0], [0, 0, 0])
    np.testing.assert_array_equal(got[1], [2, 3])


def test_outputs_are_copies() -> None:
    interpreter = Interpreter(CNN)
    (first,) = interpreter.run([IMAGE])
    kept = first.copy()
    interpreter.run([-IMAGE])
    np.testing.assert_array_equal(first, kept)


def test_delegates_agree() -> None:
    (plain,), (fast,) = (Interpreter(CNN, delegate=name, threads=2).run([IMAGE]) for name in ("reference", "xnnpack"))
    # Sums of at most 108 float32 products of size about 10, added in another order: 108 * 10 * 2^-24 is below 1e-4.
    np.testing.assert_allclose(plain, fast, atol=1e-4)


def test_keep_all_shows_every_tensor() -> None:
    interpreter = Interpreter(CNN, delegate="reference", keep_all=True)
    (logits,) = interpreter.run([IMAGE])
    index = interpreter.tensor_indices()
    assert {"image", "stem", "depthwise", "pooled", "logits"} <= set(index)
    np.testing.assert_array_equal(interpreter.tensor(index["logits"]), logits)
    stem = interpreter.tensor(index["stem"])
    assert stem.shape == (1, 4, 4, 12)
    assert 0 <= stem.min() < stem.max() <= 6  # ReLU6
    np.testing.assert_array_equal(interpreter.tensor(index["image"]), IMAGE)


def test_input_buffer_is_the_tensors_own_memory() -> None:
    interpreter = Interpreter(CNN)
    (expected,) = interpreter.run([IMAGE])
    interpreter.run([np.zeros_like(IMAGE)])
    interpreter.input_buffer()[...] = IMAGE
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.output(), expected)


def test_resize() -> None:
    x = Tensor("x", (1, 2), "float32", shape_signature=(-1, 2))
    interpreter = Interpreter(write(one_op("ABS", [x], Tensor("y", (1, 2), "float32", shape_signature=(-1, 2)))))
    interpreter.resize([(3, 2)])
    assert interpreter.inputs[0].shape == interpreter.outputs[0].shape == (3, 2)
    np.testing.assert_array_equal(interpreter.run([np.full((3, 2), -1, np.float32)])[0], np.ones((3, 2)))


def test_a_size_that_cannot_be() -> None:
    table = constant("table", np.ones((4, 2), np.float32))
    interpreter = Interpreter(
        write(one_op("ADD", [Tensor("x", (4, 2), "float32"), table], Tensor("y", (4, 2), "float32")))
    )
    with pytest.raises(RuntimeUnavailableError, match=r"this file cannot run at \[\(3, 2\)\]: "):
        interpreter.resize([(3, 2)])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "the model has 1 inputs, 0 were given"),
        ([IMAGE.astype(np.float64)], r"input 'image' takes float32\[1, 8, 8, 3\], was given float64\[1, 8, 8, 3\]"),
        ([IMAGE[0]], r"input 'image' takes float32\[1, 8, 8, 3\], was given float32\[8, 8, 3\]"),
    ],
)
def test_wrong_inputs(inputs: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Interpreter(CNN).run(inputs)


def test_wrong_settings() -> None:
    with pytest.raises(InputError, match="delegate is 'gpu', known are xnnpack and reference"):
        Interpreter(CNN, delegate="gpu")
    with pytest.raises(InputError, match="keep_all needs delegate='reference'"):
        Interpreter(CNN, keep_all=True)


def test_bytes_that_are_no_model() -> None:
    with pytest.raises(RuntimeUnavailableError, match="cannot run this file: "):
        Interpreter(b"hello")


def test_an_op_that_the_runtime_lacks() -> None:
    graph = one_op("CUSTOM", [Tensor("x", (1,), "float32")], Tensor("y", (1,), "float32"))
    graph.ops[0].custom_code = "Imagined"
    with pytest.raises(RuntimeUnavailableError, match=r"cannot run this file: .*Imagined"):
        Interpreter(write(graph))


def test_a_failure_while_running() -> None:
    """Gathering beyond the end is found only when the index is there."""
    table, index = constant("table", np.ones((4,), np.float32)), Tensor("index", (1,), "int32")
    interpreter = Interpreter(
        write(one_op("GATHER", [table, index], Tensor("y", (1,), "float32"))), delegate="reference"
    )
    with pytest.raises(RuntimeUnavailableError, match="failed to run the model: "):
        interpreter.run([np.array([9], np.int32)])


@pytest.mark.parametrize(
    ("forced", "message"),
    [
        ("no-such-runtime", "MOBILEKIT_RUNTIME=no-such-runtime is unknown. Install one: pip install ai-edge-litert"),
        ("", None),
    ],
)
def test_a_forced_runtime(forced: str, message: str | None) -> None:
    code = "from mobilekit import runtime; print(runtime.describe())"
    child = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"MOBILEKIT_RUNTIME": forced, "PYTHONPATH": str(Path(runtime.__file__).parent.parent)},
    )
    if message is None:
        assert child.stdout.split()[0] in {"ai-edge-litert", "tflite-runtime", "tensorflow"}, child.stderr
    else:
        assert child.returncode == 1
        assert message in child.stderr
