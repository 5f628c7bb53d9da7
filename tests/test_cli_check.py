"""``mobilekit check`` and ``mobilekit targets`` as users type them: formats, report files, bars, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mobilekit.cli import main
from mobilekit.compat.tables import NAMES
from mobilekit.graph.writer import write
from tests.compat.graphs import conv, graph_of, unary

NET = """\
import torch

class Odd(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        y = torch.special.erfcx(self.conv(x))
        return torch.special.i0e(y).relu()

def odd():
    return Odd(), torch.zeros(1, 3, 8, 8)

def plain():
    return torch.nn.Conv2d(3, 4, 3)
"""


def cut_graph() -> Any:
    """Three ops, of which CPU and GPU refuse the middle one."""
    first = conv(8, 4, 6)
    middle = unary("GATHER_ND", first.output)
    return graph_of([first, middle, conv(8, 6, 6, x=middle.output)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    (folder / "good.tflite").write_bytes(write(graph_of([conv()])))
    (folder / "cut.tflite").write_bytes(write(cut_graph()))
    (folder / "net.py").write_text(NET)
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run a command line in the folder; the exit code must be ``code``. Returns (stdout, stderr)."""
    monkeypatch.chdir(folder)

    def run(words: str, code: int = 0) -> tuple[str, str]:
        capfd.readouterr()
        got = main(words.split())
        out, err = capfd.readouterr()
        assert got == code, err
        return out, err

    return run


def test_all_targets_in_one_table(run: Any) -> None:
    text, err = run("check good.tflite")
    assert [line.split()[0] for line in text.splitlines()[2:12]] == list(NAMES)
    assert err == ""


@pytest.mark.parametrize("words", ["-t cpu -t nnapi:29", "-t cpu,nnapi:29", "--targets cpu,nnapi:29"])
def test_targets_are_repeated_or_listed(run: Any, words: str) -> None:
    document = json.loads(run(f"check good.tflite {words} --json")[0])
    assert document["kind"] == "compat"
    assert [target["asked"] for target in document["targets"]] == ["cpu", "nnapi:29"]


def test_every_problem_of_a_pytorch_model_in_one_answer(run: Any) -> None:
    pytest.importorskip("torch")
    text, _ = run("check net.py:odd -t cpu,gpu --details")
    for target in ("cpu", "gpu"):
        line = next(line for line in text.splitlines() if line.startswith(f"{target} "))
        assert line.split()[1] == "2/4"  # what has a lowering is checked all the same
    assert text.count("aten.special_erfcx.default special_erfcx (net.py:9): cannot be converted") == 2
    assert text.count("aten.special_i0e.default special_i0e (net.py:10): cannot be converted") == 2


def test_a_shape_for_a_model_that_says_none(run: Any) -> None:
    pytest.importorskip("torch")
    sizes = [
        json.loads(run(f"check net.py:plain --input-shape 1,3,{size},{size} --json")[0])["macs"] for size in (8, 16)
    ]
    assert sizes == [6 * 6 * 4 * 27, 14 * 14 * 4 * 27]


def test_quantized_as_asked(run: Any) -> None:
    pytest.importorskip("torch")
    float_counts, int8_counts = (
        json.loads(run(f"check net.py:odd -t edgetpu --json {words}")[0])["targets"][0]["ops_supported"]
        for words in ("", "-q int8")
    )
    assert (float_counts, int8_counts) == (0, 2)  # the Edge TPU takes integers only


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--min-coverage gpu=0.5", 0, ""),
        ("--min-coverage gpu=0.95", 2, "gpu takes 66.7 % of the ops (1 refused), 95 % is the bar"),
        ("--min-coverage all=1", 2, "gpu takes 66.7 % of the ops (1 refused), 100 % is the bar; nnapi"),
        ("--runtime-min 2.14", 0, ""),
        ("--runtime-min 1.5", 2, "runtime needs TFLite 1.14.0, 1.5 is the oldest to run on"),
    ],
)
def test_bars(run: Any, words: str, code: int, said: str) -> None:
    out, err = run(f"check cut.tflite -t gpu,nnapi:29 {words}", code)
    assert "cut: 3 ops" in out
    assert said in err
    assert bool(err) == bool(said)


def test_a_fall_below_the_baseline(run: Any, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes((folder / "good.tflite").read_bytes())
    (tmp_path / "pyproject.toml").write_text(
        '[tool.mobilekit]\ntargets = ["gpu"]\n[[tool.mobilekit.models]]\nmodel = "net.tflite"\n'
    )
    run(f"ci --config {tmp_path / 'pyproject.toml'} --update-baseline --no-cache --jobs 1")
    against = f"-t gpu --baseline {tmp_path / 'mobilekit-baseline.json'}"
    assert run(f"check {path} {against}")[1] == ""
    path.write_bytes((folder / "cut.tflite").read_bytes())
    assert "coverage fell from 100 % to 66.7 %" in run(f"check {path} {against}", 2)[1]
    assert "cut: not in the baseline yet" not in run(f"check cut.tflite {against}")[0]


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("text", "cut: 3 ops"),
        ("json", "{"),
        ("md", "#"),
        ("markdown", "#"),
        ("html", "<!doctype html>"),
        ("junit", "<?xml"),
        ("sarif", "{"),
        ("github", "::"),
    ],
)
def test_formats(run: Any, form: str, begins: str) -> None:
    assert run(f"check cut.tflite -t gpu --format {form}")[0].lower().startswith(begins)


def test_json_is_one_document_however_it_is_asked_for(run: Any, tmp_path: Path) -> None:
    plain = run("check cut.tflite -t gpu --json")[0]
    assert run(f"check cut.tflite -t gpu --format json -o {tmp_path / 'a.json'}")[0] == plain
    assert (tmp_path / "a.json").read_text() == plain


def test_a_report_that_cannot_be_written_keeps_no_other_away(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files = [tmp_path / name for name in ("file/a.html", "b.sarif", "c.xml", "d.md", "e.txt")]
    out, err = run(f"check cut.tflite -t gpu {' '.join(f'-o {file}' for file in files)}", 1)
    assert "cut: 3 ops" in out
    assert err.startswith(f"mobilekit: error: html report: cannot write '{files[0]}'")
    assert [file.exists() for file in files] == [False, True, True, True, True]
    assert json.loads(files[1].read_text())["version"] == "2.1.0"
    assert "GATHER_ND" in files[4].read_text()


def test_two_reports_of_one_format(run: Any, tmp_path: Path) -> None:
    run(f"check cut.tflite -t gpu -o {tmp_path / 'a.md'} -o {tmp_path / 'b.md'}")
    assert (tmp_path / "a.md").read_text() == (tmp_path / "b.md").read_text()


def test_onnx_files(run: Any, tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime", "onnx2torch"):
        pytest.importorskip(package)
    from onnx import TensorProto, helper, save

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", values[:1], values[1:])
    path = tmp_path / "net.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert json.loads(run(f"check {path} -t gpu --json")[0])["targets"][0]["ops_supported"] == 1
    out, err = run(f"check {path} -t tensorrt --min-coverage tensorrt=1")
    assert "tensorrt" in out
    assert err == ""


BAD = [
    ("check good.tflite -t gpuu", "unknown target 'gpuu'; did you mean 'gpu'?"),
    ("check good.tflite -t nnapi:new", "must be a whole number"),
    ("check good.tflite -t gpu --min-coverage gpu", "write a target and a share from 0 to 1"),
    ("check good.tflite -t gpu --min-coverage gpu=1.5", "write a target and a share from 0 to 1"),
    ("check good.tflite -t gpu --min-coverage cpu=1", "a bar for 'cpu', which is not among the targets (gpu)"),
    ("check good.tflite --runtime-min new", "'new' is no release"),
    ("check good.tflite --baseline none.json", "cannot read the baseline 'none.json'"),
    ("check good.tflite --format jsn", "'jsn' is no format; did you mean 'json'?"),
    ("check good.tflite -o report.docx", "'report.docx': write FORMAT=FILE"),
    ("check good.tflite --input-shape 1,3,8,8", "a .tflite file has its shapes"),
    ("check good.tflite -t tensorrt", "TensorRT's table is over ONNX ops"),
    ("check good.tflite -q int3", "no recipe is called 'int3'"),
    ("check net.py:odd --input-shape 1,3:float33", "torch has no dtype 'float33'"),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=[words for words, _ in BAD])
def test_bad_input(run: Any, words: str, said: str) -> None:
    out, err = run(words, 1)
    assert out == ""
    assert err.startswith("mobilekit: error: ")
    assert err.count("\n") == 1
    assert said in err


def test_targets_lists_all_with_source_and_date(run: Any) -> None:
    text = run("targets")[0]
    document = json.loads(run("targets --json")[0])
    assert document["kind"] == "targets"
    assert [target["name"] for target in document["targets"]] == [*NAMES, "tensorrt"]
    shown = " ".join(text.split())
    for target in document["targets"]:
        assert f"{target['name']} " in shown
        assert f"{target['ops']} ops" in shown
        assert target["table_version"] in shown


@pytest.mark.parametrize("command", ["targets", "ci", "ci init"])
def test_help_has_examples(run: Any, command: str) -> None:
    text = run(f"{command} -h")[0]
    assert "Examples:" in text
    assert f"\n  mobilekit {command}" in text or f"\n    mobilekit {command}" in text
