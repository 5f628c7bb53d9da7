"""Damaged files: whatever the bytes, the answer is a checked graph or a CorruptModelError, in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilekit.errors import CorruptModelError, ModelLoadError
from mobilekit.graph.ir import Tensor
from mobilekit.graph.reader import read, read_file
from mobilekit.graph.writer import write
from tests.graph.build import constant, one_op, small_cnn

FILE = write(small_cnn())
# Words that make offsets, lengths and counts point far away, backwards, or nowhere.
BAD_WORDS = [0, 1, 4, 0x7F, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(FILE), len(FILE) - 4, len(FILE) // 4]


def read_or_refuse(data: bytes) -> None:
    """The property itself. What was accepted must also be printable and writable: nothing half-read gets through."""
    try:
        graph = read(data)
    except CorruptModelError:
        return
    assert str(graph)
    assert write(graph)


def test_every_truncation_is_refused() -> None:
    for length in range(len(FILE)):
        with pytest.raises(CorruptModelError):
            read(FILE[:length])


@given(st.lists(st.tuples(st.integers(0, len(FILE) - 1), st.integers(0, 7)), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_flipped_bits(flips: list[tuple[int, int]]) -> None:
    data = bytearray(FILE)
    for position, bit in flips:
        data[position] ^= 1 << bit
    read_or_refuse(bytes(data))


@given(st.lists(st.tuples(st.integers(0, len(FILE) // 4 - 1), st.sampled_from(BAD_WORDS)), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_overwritten_words(words: list[tuple[int, int]]) -> None:
    data = bytearray(FILE)
    for position, word in words:
        data[4 * position : 4 * position + 4] = word.to_bytes(4, "little")
    read_or_refuse(bytes(data))


@given(st.integers(8, len(FILE)), st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_rubbish_from_somewhere_on(position: int, rubbish: bytes) -> None:
    read_or_refuse(FILE[:position] + rubbish)


def test_damage_costs_no_memory() -> None:
    """A length of 2^31 in a file of half a KB must not be believed, wherever it stands.

    The bound is 100 times what reading the sound file takes, far below the gigabytes of a length that is believed.
    """
    x, y = Tensor("x", (1, 2), "float32"), Tensor("y", (1, 2), "float32")
    file = write(one_op("ADD", [x, constant("c", np.ones((1, 2), np.float32))], y))

    def peak(data: bytes) -> int:
        tracemalloc.reset_peak()
        read_or_refuse(data)
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        read_or_refuse(file)  # once for the caches
        bound = 100 * peak(file)
        for position in range(0, len(file) - 4, 4):
            for word in (0x7FFFFFFF, 0x00FFFFFF):
                assert peak(file[:position] + word.to_bytes(4, "little") + file[position + 4 :]) < bound
    finally:
        tracemalloc.stop()


def test_messages_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(
        CorruptModelError, match=r"^net\.tflite is not a \.tflite file \(5 bytes, no TFL3 mark at byte 4\)$"
    ):
        read(b"hello", "net.tflite")
    with pytest.raises(CorruptModelError, match=r"^net\.tflite is damaged or truncated \(1000 bytes\): "):
        read(FILE[:1000], "net.tflite")
    missing = tmp_path / "missing.tflite"
    with pytest.raises(ModelLoadError, match=r"^cannot read '.*missing\.tflite': No such file or directory$"):
        read_file(missing)
    with pytest.raises(ModelLoadError, match="Is a directory"):
        read_file(tmp_path)


def edited(edit: Callable[[schema.ModelT], None]) -> bytes:
    """FILE with its schema object changed by ``edit``, to reach states that our writer would refuse to write."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(FILE, 0))
    edit(model)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _no_graph(model: schema.ModelT) -> None:
    model.subgraphs = []


def _wrong_size(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[1].shape = np.array([12, 3, 3, 4], np.int32)


def _huge_shape(model: schema.ModelT) -> None:
    # The product is 2^66 * 3: in 64 bits that wraps around.
    model.subgraphs[0].tensors[1].shape = np.array([2**22, 2**22, 2**22, 3], np.int32)


def _tensor_out_of_range(model: schema.ModelT) -> None:
    model.subgraphs[0].operators[0].inputs = np.array([0, 999], np.int32)


def _unknown_operator(model: schema.ModelT) -> None:
    model.operatorCodes[0].builtinCode = 9999


def _block_quantization(model: schema.ModelT) -> None:
    parameters = schema.QuantizationParametersT()
    parameters.detailsType = schema.QuantizationDetails.CustomQuantization
    parameters.details = schema.CustomQuantizationT()
    model.subgraphs[0].tensors[1].quantization = parameters


def _reads_before_made(model: schema.ModelT) -> None:
    model.subgraphs[0].operators.reverse()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_no_graph, "it holds no graph"),
        (_wrong_size, r"constant 'stem/w' holds 1296 bytes, its shape \(12, 3, 3, 4\) of float32 needs 1728"),
        (_huge_shape, "constant 'stem/w' holds 1296 bytes"),
        (_tensor_out_of_range, "tensor 999 is named, there are 11"),
        (_unknown_operator, "operator code 9999 is newer than the schema that is installed; upgrade ai-edge-litert"),
        (_block_quantization, "quantization in blocks or of a custom kind is not supported"),
        (_reads_before_made, "reads 'pooled' before it is made"),
    ],
)
def test_well_formed_bytes_that_mean_nothing(edit: Callable[[schema.ModelT], None], message: str) -> None:
    with pytest.raises(CorruptModelError, match=message):
        read(edited(edit))


def test_tensors_without_names_get_one_each() -> None:
    def forget(model: schema.ModelT) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = None

    names = [tensor.name for tensor in read(edited(forget)).tensors()]
    assert names == [f"tensor_{index}" for index in range(11)]


def test_tensors_of_one_name_are_told_apart() -> None:
    def rename(model: schema.ModelT) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = b"same"

    names = [tensor.name for tensor in read(edited(rename)).tensors()]
    assert names == ["same"] + [f"same_{index}" for index in range(1, 11)]


def test_constants_are_views_of_the_file() -> None:
    """Reading a large model must not copy its weights."""
    data = np.frombuffer(FILE, np.uint8)
    for tensor in read(FILE).constants():
        assert np.shares_memory(tensor.data, data)
