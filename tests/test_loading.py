"""Every form in which a model may be named, and every way in which naming one goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mobilekit.errors import InputError, ModelLoadError
from mobilekit.loading import load_model, parse_shape

torch = pytest.importorskip("torch")

NET = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(x)

def plain():
    return Net()

def with_tensor():
    return Net(), torch.zeros(1, 4)

def with_tuple():
    return Net(), (torch.zeros(1, 4),)

instance = Net()
number = 7

def nothing():
    pass

def pair():
    return 1, 2

def bad_inputs():
    return Net(), "zeros"

def needs(width, depth=2):
    return Net()

def raises():
    return [][1]

def leaves():
    raise SystemExit(3)

def uses_neighbour():
    import neighbour
    return neighbour.make(Net)
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET)
    (tmp_path / "neighbour.py").write_text("def make(cls):\n    return cls()\n")
    return path


@pytest.mark.parametrize(
    ("attribute", "shapes"),
    [
        ("plain", None),
        ("Net", None),
        ("instance", None),
        ("with_tensor", [(1, 4)]),
        ("with_tuple", [(1, 4)]),
        ("uses_neighbour", None),
    ],
)
def test_python_file(net: Path, attribute: str, shapes: list[tuple[int, ...]] | None) -> None:
    loaded = load_model(f"{net}:{attribute}")
    assert (loaded.kind, loaded.name) == ("module", attribute)
    assert loaded.model(torch.zeros(1, 4)).shape == (1, 2)
    given = None if loaded.example_inputs is None else [tuple(t.shape) for t in loaded.example_inputs]
    assert given == shapes


def test_module_of_the_current_folder(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(net.parent)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (net.parent / "current_folder_net.py").write_text(NET)
    assert load_model("current_folder_net:plain").kind == "module"


def test_installed_package() -> None:
    assert isinstance(load_model("torch.nn:Identity").model, torch.nn.Identity)


def test_program(net: Path, tmp_path: Path) -> None:
    module = load_model(f"{net}:plain").model
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(module, (torch.ones(1, 4),)), path)
    loaded = load_model(str(path))
    assert (loaded.kind, loaded.name) == ("program", "net")
    assert loaded.example_inputs is not None
    assert torch.equal(loaded.example_inputs[0], torch.ones(1, 4))


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_paths_are_passed_on(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"net.{kind}"
    path.write_bytes(b"whatever: its reader will judge")
    loaded = load_model(str(path))
    assert (loaded.kind, loaded.model, loaded.name) == (kind, path, "net")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("missing", "has no 'missing'; it has Net, "),
        ("plane", "has no 'plane'; did you mean plain?"),
        ("number", "'number' in .* is an int, not a function that returns an nn.Module"),
        ("nothing", "'nothing' in .* returned None, not an nn.Module or"),
        ("pair", r"returned a tuple of \(int, int\), not an nn.Module or"),
        ("bad_inputs", "returned a str as example inputs, not a tensor"),
        ("needs", r"needs arguments \(width\): write a function without any"),
        ("raises", r"raised IndexError: list index out of range \(.*net.py:36: return \[\]\[1\]\)"),
        ("leaves", r"raised SystemExit: 3 \(.*net.py:39"),
    ],
)
def test_bad_functions(net: Path, attribute: str, message: str) -> None:
    with pytest.raises(ModelLoadError, match=message):
        load_model(f"{net}:{attribute}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import torch\nimport no_such_package_here\n",
            r"ModuleNotFoundError: No module named 'no_such_package_here' \(.*bad.py:2",
        ),
        ("def make(:\n", r"SyntaxError: .* \(.*bad.py:1\)"),
        ("x = 1\ny = x / 0\n", r"ZeroDivisionError: division by zero \(.*bad.py:2: y = x / 0\)"),
        ("import sys\nsys.exit()\n", r"cannot import .*SystemExit \(.*bad.py:2"),
    ],
)
def test_files_that_cannot_be_imported(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(ModelLoadError, match=message):
        load_model(f"{path}:make")
    assert "mobilekit_user_bad" not in sys.modules


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere.pt2", "no such file: 'nowhere.pt2'"),
        ("nowhere.tflite", "no such file: 'nowhere.tflite'"),
        ("nowhere.py:make", "no such file: 'nowhere.py'"),
        ("nowhere.xyz", "no such file: 'nowhere.xyz'"),
        ("no_such_package_here.net:make", "no module named 'no_such_package_here'"),
        ("torch.no_such_part:make", "no module named 'torch.no_such_part'"),
        ("resnet", "'resnet' is no model: give path.py:function"),
        ("", "is no model: give path.py:function"),
        ("a b:make", "is no model: give path.py:function"),
    ],
)
def test_names_that_stand_for_nothing(spec: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelLoadError, match=message):
        load_model(spec)


def test_files_that_are_no_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.tflite").touch()
    (tmp_path / "text.pt2").write_text("not a program\n")
    (tmp_path / "weights.pth").write_bytes(b"PK")
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "folder.onnx").mkdir()
    for name, message in {
        "empty.tflite": "is empty",
        "text.pt2": "is no program that torch",
        "weights.pth": "holds weights or a pickled object, not a whole model",
        "net.py": "names a file but no function in it",
        "folder.onnx": "is a folder",
    }.items():
        with pytest.raises(ModelLoadError, match=message):
            load_model(str(tmp_path / name))
    assert capfd.readouterr() == ("", ""), "torch's own log of a damaged file must not reach the user"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.tflite"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(ModelLoadError, match=r"cannot read .*Permission denied"):
        load_model(str(path))


def test_shapes() -> None:
    assert parse_shape("1,3,224,224") == parse_shape("1x3x224x224") == (1, 3, 224, 224)
    for bad in ("", "1,,3", "a", "1,0", "-1"):
        with pytest.raises(InputError):
            parse_shape(bad)


def test_paths_need_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"x")
    code = f"import sys, mobilekit.loading as l; l.load_model({str(path)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
