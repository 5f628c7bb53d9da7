"""The table ``gpu`` against TensorFlow's own analyzer, as recorded by ``record_gpu_analyzer.py``.

The analyzer runs the checker that delegates share (gpu_compatibility.cc); the delegate itself asks for more, so the
table refuses more. Every difference must have one of the reasons below.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobilekit.compat.check import check
from tests.compat.xnnpack_cases import cases

RECORDED = json.loads((Path(__file__).parent / "gpu_analyzer.json").read_text())
CASES = dict(cases())

# Refused by the table and not by the analyzer: what the delegate looks at and the analyzer does not.
DELEGATE_ONLY = {
    ", taken are float16, float32": "types of run-time tensors (IsAllAllowedTensors in model_builder_helper.cc)",
    ", taken are int8, uint8": "types of run-time tensors (QUANTIZE to int16)",
    "taken for constants only": "float16 is widened when the model is loaded, so for constants only",
    "a tensor has rank": "ranks over 4 (IsAllAllowedTensors)",
    "op version": "op versions (CheckMaxSupportedOpVersion in each parser of model_builder.cc)",
    "the bool output has one reader": "a bool only between a comparison and a select (model_builder.cc)",
}
# Taken by the table and refused by the analyzer: the table is of a later release than the analyzer.
ADDED_SINCE = {
    "RELU_0_TO_1 float": "Not supported op RELU_0_TO_1",
    "UNPACK": "Not supported op UNPACK",
    "DEPTHWISE_CONV_2D multiplier 2": "depth_multiplier != 1 && input.c != 1",
}


def test_the_record_is_of_these_cases_and_of_an_analyzer_that_checks():
    assert set(RECORDED["answers"]) == set(CASES)
    refused = [name for name, answer in RECORDED["answers"].items() if answer]
    assert len(refused) > 20  # The emptied analyzer refuses nothing.


@pytest.mark.parametrize("name", sorted(CASES))
def test_table_and_analyzer_agree_or_the_reason_is_known(name):
    answer = RECORDED["answers"][name]
    (gpu,) = check(CASES[name], "gpu").targets
    if gpu.ops_supported:
        assert answer == ADDED_SINCE.get(name, "")
    elif not answer:
        assert any(word in reason for reason in gpu.findings[0].reasons for word in DELEGATE_ONLY), gpu.findings[0]
