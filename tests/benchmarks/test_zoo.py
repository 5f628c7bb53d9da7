"""The zoo's own parts: plain CNNs without transposes, the fake-quantized twin, figures, records, and the page."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import mobilekit  # noqa: E402
from benchmarks.zoo import figures, records  # noqa: E402
from benchmarks.zoo.fake_quantized import fake_quantized, median_sqnr_db  # noqa: E402
from mobilekit.graph.writer import write  # noqa: E402
from mobilekit.runtime import Interpreter  # noqa: E402
from tools import zoo_page  # noqa: E402

# Those that convert in a second at most; the whole zoo is `python -m benchmarks.zoo`.
PLAIN_CNNS = ["unet_transposed", "unet_bilinear", "espcn", "style_transfer", "dcgan", "depth", "ds_cnn"]
LIBRARY_CNNS = ["mobilenet_v3_small", "squeezenet1_1", "resnet18", "timm/lcnet_050"]


def build(name: str):
    pytest.importorskip("torchvision")
    if name.startswith("timm/"):
        pytest.importorskip("timm")
    from benchmarks.zoo.networks import build as build_network

    return build_network(name)


@pytest.mark.parametrize("name", PLAIN_CNNS)
def test_a_plain_cnn_has_no_transpose(name):
    result = mobilekit.convert(*build(name), verify=False)
    assert "TRANSPOSE" not in result.report.op_counts
    assert result.report.transposes == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY_CNNS)
def test_a_plain_cnn_of_a_library_has_no_transpose(name):
    assert "TRANSPOSE" not in mobilekit.convert(*build(name), verify=False).report.op_counts


def test_a_transpose_that_stays_is_named_with_its_line():
    report = mobilekit.convert(*build("gpt"), verify=False).report
    assert len(report.transposes) == report.op_counts["TRANSPOSE"] > 0
    assert all(note.reason and note.source is not None for note in report.transposes)


def test_every_network_has_a_family():
    from benchmarks.zoo.networks import names

    assert len(names()) >= 60
    assert set(names().values()) == {"own", "torchvision", "timm"}


# -- the fake-quantized twin ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_twin_of_one_layer_agrees_within_one_step():
    torch.manual_seed(0)
    model, call = torch.nn.Conv2d(3, 8, 3, 2, 1).eval(), (torch.rand(1, 3, 16, 16),)
    result = mobilekit.convert(model, call, quantize="int8", calibration=[call])
    graph = result._quantized.graph
    before = write(graph)
    twin = Interpreter(write(fake_quantized(graph)), delegate="reference")
    assert write(graph) == before  # left untouched
    stored = result._adapter.stored(result._adapter.real([call[0]]))
    got, expected = twin.run(stored)[0], Interpreter(result.bytes).run(stored)[0]
    # Same grids on both sides of one layer: only the last rounding may fall the other way.
    step = 1.0 if got.dtype == np.int8 else float(graph.ops[-1].inputs[0].quantization.scale[0])
    assert np.abs(got.astype(np.float64) - expected.astype(np.float64)).max() <= step * 1.001
    assert len(np.unique(got)) > 20  # and it is no constant


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_twin_computes_in_float_between_the_same_grids():
    model, inputs = build("ds_cnn")
    result = mobilekit.convert(model, inputs, quantize="int8", verify=False)
    integer = result._quantized.graph
    twin = fake_quantized(integer)
    grids = {t.name: t.quantization for t in integer.tensors() if t.quantization is not None and not t.is_constant}
    for op in twin.ops:
        if op.kind in ("QUANTIZE", "DEQUANTIZE"):
            continue
        assert all(t is None or t.dtype in ("float32", "int32") for t in (*op.inputs, *op.outputs))
    rounded = {t.name: t.quantization for t in twin.tensors() if t.quantization is not None}
    assert rounded.keys() == grids.keys()
    assert all(rounded[name].equals(grids[name]) for name in grids)
    found = median_sqnr_db(result, model, inputs)
    # Issue: at least the twin's - 0.5 dB; a dozen layers leave no room for more.
    assert found["sqnr_db"] >= found["fake_quantized_db"] - 0.5
    assert found["sqnr_db"] > 15


# -- figures, records, page ----------------------------------------------------------------------------------------

OURS = {
    "outcome": "ok", "torch_s": 2.0, "tool_s": 1.0, "floor_s": 1.0, "total_s": 2.0, "weights_mb": 0.0,
    "max_abs_error": 1e-6, "max_abs_reference": 1.0, "transposes": [],
}  # fmt: skip


def by_name(found: list[figures.Figure]) -> dict[str, figures.Figure]:
    return {figure.name: figure for figure in found}


def test_float_figures_meet_their_bars():
    row = {
        "mobilekit": OURS, "litert": {"outcome": "ok", "total_s": 10.0}, "compare": {"ratios": {"litert": 0.9}},
        "runtime_2_14": {"outcome": "ok", "error_share": 1e-6},
    }  # fmt: skip
    found = figures.float_figures({"a": row})
    assert all(figure.met for figure in found)
    assert by_name(found)["time / litert-torch's, median of 1"].value == "0.200"
    # (2 + 1 + 2) / (3 * (2 + 1))
    assert by_name(found)["time against 3 x floor + 2 s a 100 MB, worst"].value == "0.56 (a)"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"mobilekit": {**OURS, "max_abs_error": 0.002}}, "converted and verified"),
        ({"mobilekit": {**OURS, "outcome": "unsupported"}}, "converted and verified"),
        ({"mobilekit": {**OURS, "total_s": 7.0}}, "time against 3 x floor + 2 s a 100 MB, worst"),
        ({"litert": {"outcome": "ok", "total_s": 6.0}}, "time / litert-torch's, median of 1"),
        ({"compare": {"ratios": {"litert": 0.5, "onnx2tf": 1.2}}}, "inference / the best peer's file, worst"),
        ({"runtime_2_14": {"outcome": "RuntimeError"}}, "run on tflite-runtime 2.14, equal numbers"),
    ],
)
def test_a_missed_bar_is_said(change, name):
    row = {"mobilekit": OURS, "litert": {"outcome": "ok", "total_s": 10.0}, **change}
    assert not by_name(figures.float_figures({"a": row}))[name].met


def test_int8_that_is_no_integer_and_says_nothing_is_a_miss():
    row = {"outcome": "ok", "full_integer": False, "float_islands": [], "sqnr_db": 20.0, "fake_quantized_db": 21.0}
    found = by_name(figures.int8_figures({"a": {"int8": row}}))
    assert not found["neither full integer nor told why not"].met
    assert not found["SQNR at least the fake-quantized twin's - 0.5 dB"].met
    assert found["converted to int8 and run"].met


def test_a_record_of_other_code_is_stale(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    records.store("float", "timm/x", {"mobilekit": OURS})
    kept = records.load("float", "timm/x")
    assert kept is not None
    assert kept["mobilekit"] == OURS
    monkeypatch.setattr(records, "code_stamp", lambda: "other")
    assert records.load("float", "timm/x") is None


def test_the_page_is_not_stale():
    assert zoo_page.PAGE.read_text(encoding="utf-8") == zoo_page.page(), "run: python -m tools.zoo_page"


def test_the_page_shows_every_outcome(tmp_path, monkeypatch):
    networks = {
        "good": {"mobilekit": OURS, "litert": {"outcome": "ValueError"}},
        "bad": {"mobilekit": {"outcome": "unsupported", "error": "aten.x"}},
    }
    facts = {"cpu": "a cpu", "cores": 2, "runtime": "r"}
    document = {"environment": facts, "complete": False, "jobs": 1, "networks": networks}
    (tmp_path / "zoo.json").write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.setattr(zoo_page, "RESULTS", tmp_path)
    text = zoo_page.page()
    assert "| converted and verified | 1 of 2 | all | missed |" in text
    assert "| bad | unsupported |" in text
    assert "The run was cut short" in text
    assert "ValueError" in text
