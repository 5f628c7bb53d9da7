"""Everything that users get wrong, through the command line: one clear line, the right exit code, nothing left behind.

One entry of CASES is one mistake. Every case is also checked for what must hold for all of them: no traceback, nothing
on stdout, the file that was there before is still there, and no new one.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mobilekit.cli import main
from mobilekit.errors import InputError
from mobilekit.kernels import Image

pytest.importorskip("torch")
PIL_Image = pytest.importorskip("PIL.Image")

NET = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x)).mean((2, 3))

class Raises(Net):
    def forward(self, x):
        raise ValueError("the user's own mistake")

class Unsupported(Net):
    def forward(self, x):
        y = torch.special.erfcx(self.conv(x))
        return torch.special.i0e(y) + torch.special.erfcx(x).mean()

def make():
    return Net(), torch.zeros(1, 3, 16, 16)

def other():
    torch.manual_seed(7)
    return Net(), torch.zeros(1, 3, 16, 16)

def raises():
    return Raises(), torch.zeros(1, 3, 16, 16)

def unsupported():
    return Unsupported(), torch.zeros(1, 3, 16, 16)

def nothing():
    return None

def shapeless():
    return torch.nn.Linear(3, 3)

class Branches(Net):
    def forward(self, x):
        if x.mean() > 0:
            return x
        return -x

class Writes(Net):
    def forward(self, x):
        x += 1
        return self.conv(x)

def branches():
    return Branches(), torch.zeros(1, 3, 16, 16)

def writes():
    return Writes(), torch.zeros(1, 3, 16, 16)

def doubles():
    return Net(), torch.zeros(1, 3, 16, 16, dtype=torch.float64)

def double_weights():
    return Net().double(), torch.zeros(1, 3, 16, 16)

def complexes():
    return Net(), torch.zeros(1, 3, 16, 16, dtype=torch.complex64)

def sparse():
    return Net(), torch.zeros(1, 3, 16, 16).to_sparse()

def text():
    return Net(), (torch.zeros(1, 3, 16, 16), "fast")

def inputless():
    return Net(), ()

def scripted():
    return torch.jit.trace(Net().eval(), torch.zeros(1, 3, 16, 16)), torch.zeros(1, 3, 16, 16)

def nan_weights():
    net = Net()
    net.conv.weight.data[0, 0, 0, 0] = float("nan")
    return net, torch.zeros(1, 3, 16, 16)

def slow():
    import time
    for _ in range(600):
        time.sleep(0.1)

def nan_metric(model):
    return float("nan")

def bad_metric(model):
    return {}["lost"]

def only_float(model):
    only_float.calls = getattr(only_float, "calls", 0) + 1
    return 1.0 if only_float.calls == 1 else 0.0

def swallows():
    import time
    for _ in range(20):
        try:
            time.sleep(0.1)
        except BaseException:
            pass
    return make()
"""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model, a good file made of it, and every bad file that the cases name."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "net.py").write_text(NET)
    (folder / "out").mkdir()
    with _chdir(folder):  # contextlib.chdir came with Python 3.11
        assert main(["convert", "net.py:make", "-o", "good.tflite", "--quiet"]) == 0
    good = (folder / "good.tflite").read_bytes()
    (folder / "truncated.tflite").write_bytes(good[: len(good) // 2])
    corrupted = bytearray(good)
    corrupted[8 : len(good) // 2 : 3] = b"\xff" * len(range(8, len(good) // 2, 3))
    (folder / "corrupted.tflite").write_bytes(corrupted)
    (folder / "text.tflite").write_text("not a model\n" * 10)
    (folder / "empty.tflite").touch()
    (folder / "text.pt2").write_text("not a model\n")
    (folder / "syntax.py").write_text("def make(:\n")
    (folder / "imports.py").write_text("import torch\nimport no_such_package_here\n")
    (folder / "no_labels.txt").touch()
    (folder / "settings.json").write_text('{"my": "own"}')
    (folder / "folder.tflite").mkdir()
    (folder / "empty").mkdir()
    (folder / "photos").mkdir()
    PIL_Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "photos" / "a_good.png")
    (folder / "photos" / "b_broken.jpg").write_text("not a picture")
    for name, array in {
        "shapes": np.zeros((1, 3, 8, 8), np.float32),
        "nan": np.full((1, 3, 16, 16), np.nan, np.float32),
        "integers": np.zeros((1, 3, 16, 16), np.int64),
    }.items():
        (folder / name).mkdir()
        np.save(folder / name / "x.npy", array)
    (folder / "good").mkdir()
    for number in range(3):
        values = np.random.default_rng(number).normal(size=(1, 3, 16, 16))
        np.save(folder / "good" / f"{number}.npy", values.astype(np.float32))
    (folder / "op.json").write_text('{"overrides": [{"op": "CONV2D", "precision": "float32"}]}')
    (folder / "twice.toml").write_text('precision = "int8"\nprecision = "int8"\n')
    (folder / "contradiction.toml").write_text('precision = "int8"\nio_dtype = "int16"\n')
    (folder / "idle.toml").write_text('[[overrides]]\nmodule = "backbone.*"\nprecision = "float32"\n')
    (folder / "text.npz").write_text("no archive")
    np.save(folder / "none.npy", np.zeros((0, 3, 16, 16), np.float32))
    np.savez(folder / "ragged.npz", x=np.zeros((2, 3, 16, 16), np.float32), y=np.zeros((3, 1), np.float32))
    (folder / "damaged").mkdir()
    (folder / "damaged" / "x.npy").write_text("no array")
    return folder


@contextlib.contextmanager
def _chdir(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(frozen=True)
class Case:
    words: str
    """The command line."""
    said: tuple[str, ...]
    """What the error must say."""
    lines: int = 1
    answers: bool = True
    """Whether a missed bar leaves an answer to print: a search that found nothing has none."""


INT8 = "convert net.py:make -o out/new.tflite -q int8"

AUTO = "convert net.py:make -o out/new.tflite -q auto -c good"

CASES = [
    # no such file
    Case("convert nowhere.py:make", ("no such file: 'nowhere.py'",)),
    Case("convert nowhere.pt2", ("no such file: 'nowhere.pt2'",)),
    Case("convert no_such_package_here.net:make", ("no module named 'no_such_package_here'",)),
    Case("android nowhere.tflite -o app.apk", ("cannot read 'nowhere.tflite': No such file",)),
    Case("android text.tflite -o app.apk", ("'text.tflite'",)),
    Case("android truncated.tflite -o app.apk", ("'truncated.tflite'",)),
    Case("android good.tflite -o app.zip", ("--output is 'app.zip', its name must end in .apk",)),
    Case("android good.tflite -o app.apk --sidecar nowhere.json", ("there is no sidecar 'nowhere.json'",)),
    Case("android good.tflite -o app.apk", ("does not say how pictures become inputs",)),
    Case("info nowhere.tflite", ("cannot read 'nowhere.tflite': No such file",)),
    Case("check nowhere.tflite", ("cannot read 'nowhere.tflite': No such file",)),
    Case("bench nowhere.tflite", ("cannot read 'nowhere.tflite': No such file",)),
    Case("verify net.py:make nowhere.tflite", ("cannot read 'nowhere.tflite': No such file",)),
    Case(f"{INT8} -c nowhere", ("no such folder: 'nowhere'",)),
    # a file that is no model
    Case("convert text.pt2", ("'text.pt2' is no program that torch",)),
    Case("convert photos", ("'photos' is a folder, not a model file",)),
    Case("convert good.tflite", ("'good.tflite' is the model itself: choose another --output",)),
    Case("convert truncated.tflite -o out.tflite", ("'truncated.tflite' is damaged or truncated",)),
    Case("convert net.py", ("names a file but no function in it: write net.py:function",)),
    Case("convert syntax.py:make", ("SyntaxError", "syntax.py:1")),
    Case("convert imports.py:make", ("No module named 'no_such_package_here'", "imports.py:2")),
    Case("convert net.py:mak", ("has no 'mak'; did you mean make?",)),
    Case("info net.py", ("'net.py' is no .tflite file",)),
    # a function that returns no module
    Case("convert net.py:nothing -o out/new.tflite", ("'nothing' in 'net.py' returned None, not an nn.Module",)),
    # a model that raises in forward
    Case("convert net.py:raises -o out/new.tflite", ("the user's own mistake", "net.py:13")),
    # models and inputs that no file can stand for (more in tests/frontends/direct/test_admission.py, test_explain.py)
    Case("convert net.py:branches -o out/new.tflite", ("branches on", "if x.mean() > 0", "torch.where"), lines=2),
    Case("convert net.py:writes -o out/new.tflite", ("writes into the input 'x'", "x += 1", "x.clone()"), lines=2),
    Case("convert net.py:doubles -o out/new.tflite", ("input 0 is float64", "input 0.float()")),
    Case("convert net.py:double_weights -o out/new.tflite", ("'conv.weight' is float64", "model.float()")),
    Case("convert net.py:complexes -o out/new.tflite", ("input 0 is complex64", "two tensors")),
    Case("convert net.py:sparse -o out/new.tflite", ("input 0 is sparse_coo", "to_dense()")),
    Case("convert net.py:text -o out/new.tflite", ("input 1 is the string 'fast'",)),
    Case("convert net.py:inputless -o out/new.tflite", ("returned a tuple of () as example inputs",)),
    Case("convert net.py:scripted -o out/new.tflite", ("torch.jit.trace", "give the nn.Module")),
    # wrong example shapes
    Case("convert net.py:make --input-shape 1,4,16,16 -o out/new.tflite", ("[1, 4, 16, 16]",)),
    Case("convert net.py:make --input-shape 1,a", ("'1,a' is no shape: write it as 1,3,224,224",)),
    Case("convert net.py:make --input-shape 1,3:float33", ("torch has no dtype 'float33'",)),
    Case("convert net.py:shapeless -o out/new.tflite", ("example",)),
    # calibration
    Case(f"{INT8} -c empty", ("'empty' is empty",)),
    Case(f"{INT8} -c shapes", ("shape [1, 3, 8, 8], the model takes [1, 3, 16, 16]",)),
    Case(f"{INT8} -c nan", ("NaN",)),
    Case(f"{INT8} -c integers", ("int64",)),
    Case("convert net.py:nan_weights -o out/new.tflite -q int8 -c good", ("1 weights in 'conv.weight", "NaN or Inf")),
    Case(f"{INT8} -c damaged", ("'damaged/x.npy' is no .npy file that can be read",)),
    Case(f"{INT8} -c text.npz", ("'text.npz' is no .npz file that can be read",)),
    Case(f"{INT8} -c none.npy", ("'none.npy' is empty: it holds no samples along axis 0",)),
    Case(f"{INT8} -c ragged.npz", ("different numbers of samples along axis 0: 2 of 'x', 3 of 'y'",)),
    Case(f"{INT8} -c net.py", ("'net.py' is a file, a folder of pictures or .npy files was expected",)),
    Case(f"{INT8} -c photos", ("say how they become inputs, e.g. --preprocess imagenet",)),
    Case(f"{INT8} -c photos --preprocess imagnet", ("'imagnet' is not known; known are imagenet",)),
    Case("convert net.py:make -c empty", ("--calibration is of no use without --quantize",)),
    # a photo that cannot be decoded
    Case(f"{INT8} -c photos --preprocess imagenet", ("'photos/b_broken.jpg' is not a picture that can be decoded",)),
    Case(
        "verify net.py:make good.tflite --data photos --preprocess levels", ("'photos/b_broken.jpg' is not a picture",)
    ),
    # an unwritable output folder
    Case("convert net.py:make -o net.py/new.tflite", ("cannot write 'net.py/new.tflite'",)),
    Case("convert net.py:make -o folder.tflite", ("cannot write 'folder.tflite': it is a folder",)),
    Case("convert net.py:make -o out/new.json", ("its name must end in .tflite",)),
    Case("convert net.py:make -o out/new.tflite --report out/new.json", ("its name must end in .html",)),
    Case(
        "convert net.py:make -o settings.tflite", ("'settings.json' would be overwritten by the sidecar, and is none",)
    ),
    Case("convert net.py:make -o /proc/new.tflite", ("cannot write '/proc/new.tflite'",)),
    Case("convert net.py:make -o out/new.tflite --report /proc/r.html", ("cannot write '/proc/r.html'",)),
    # ops without a lowering: all of them, with node, line and what to do
    Case(
        "convert net.py:unsupported -o out/new.tflite",
        ("aten.special_erfcx", "aten.special_i0e", "net.py:17", "net.py:18"),
        lines=20,
    ),
    # truncated and corrupted files
    *(
        Case(f"{command} {name}.tflite", said)
        for command in ("info", "check", "bench", "verify net.py:make")
        for name, said in {
            "truncated": ("truncated.tflite", "damaged or truncated"),
            "corrupted": ("corrupted.tflite", "damaged or truncated"),
            "text": ("text.tflite", "is not a .tflite file"),
            "empty": ("empty.tflite", "is not a .tflite file"),
        }.items()
    ),
    # options
    Case("bench good.tflite --fps 0", ("--fps is 0, it must be 1 to 1000",)),
    Case("bench good.tflite --fps nan", ("--fps is nan",)),
    Case("bench good.tflite --frame 1921x1080", ("1921x1080",)),
    Case("bench good.tflite --frame 0x0", ("0x0",)),
    Case("bench good.tflite --device toaster", ("toaster",)),
    Case("bench good.tflite --no-such-option", ("--no-such-option",)),
    Case("convert", ("Missing argument 'MODEL'", "see mobilekit convert -h")),
    Case("convert net.py:make --no-such-option", ("No such option", "--no-such-option", "see mobilekit convert -h")),
    Case("no-such-command", ("No such command 'no-such-command'", "see mobilekit -h")),
    Case("convert net.py:make -q int3", ("int3", "known are", "int8")),
    Case(f"{AUTO} --metric net.py:nowhere", ("'net.py' has no 'nowhere'",)),
    Case(f"{AUTO} --metric nowhere", ("'nowhere' is no metric: give path.py:function",)),
    Case(f"{AUTO} --metric net.py:nan_metric", ("the metric of the float32 model is NaN",)),
    Case(f"{AUTO} --metric net.py:bad_metric", ("the metric raised on the float32 model: KeyError: 'lost'",)),
    Case(f"{AUTO} --max-drop -1", ("max_drop is -1.0, it must be 0 or more",)),
    Case(f"{AUTO} --prefer int4", ("prefer names ['int4']; known are int8, int16x8, fp16, float32",)),
    Case("convert net.py:make -q int8 --max-drop 0.1", ("--max-drop is for --quantize auto only",)),
    Case("recipe show int9", ("no recipe is called 'int9'; known are int8",)),
    Case("recipe check nowhere.toml", ("cannot read the recipe 'nowhere.toml'",)),
    Case("recipe check op.json", ("no op of TFLite is called 'CONV2D'",)),
    Case("recipe check twice.toml", ("the recipe is not TOML",)),
    Case("recipe check contradiction.toml", ("io_dtype int16 goes with precision int16x8, not int8",)),
    Case("recipe check idle.toml good.tflite", ("no op of the graph matches module='backbone.*'",)),
    Case("convert net.py:make -o out/new.tflite -c good -q idle.toml", ("no op of the graph matches module='backb",)),
    Case("convert net.py:make -q nowhere.json", ("cannot read the recipe 'nowhere.json'",)),
    Case("convert net.py:make --io-dtype int8", ("io_dtype='int8' needs quantize",)),
    Case("convert net.py:make --labels no_labels.txt", ("'no_labels.txt' holds no labels",)),
    Case("convert net.py:make --no-verify --data empty", ("--no-verify says not to",)),
    Case("check good.tflite -t gpuu", ("unknown target 'gpuu'", "did you mean 'gpu'?")),
    Case("check good.tflite --min-coverage gpu=95", ("'gpu=95': write a target and a share from 0 to 1",)),
]

# A bar that was asked for and not met: the answer is given all the same, the exit code is 2.
MISSED = [
    Case(
        f"{AUTO} --metric net.py:only_float --prefer int8",
        ("no quantization in int8 keeps the metric within 0.01",),
        answers=False,
    ),
    Case("verify net.py:other good.tflite", ("is off by",)),
    Case("verify net.py:other good.tflite --json", ("is off by",)),
    Case(
        "check good.tflite -t hexagon --min-coverage hexagon=1",
        ("hexagon takes 0 % of the ops", "100 % is the bar"),
    ),
]


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts and path.is_file()
    } | {
        str(path.relative_to(folder)): (0, 0)
        for path in folder.rglob("*")
        if path.is_dir() and path.name != "__pycache__"
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_bad_input(
    case: Case, converted: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(converted)
    before = _state(converted)
    code = main(case.words.split())
    out, err = capfd.readouterr()
    lines = _lines(err)
    assert code == 1, err
    assert out == ""
    assert lines[0].startswith("mobilekit: error: ")
    assert 1 <= len(lines) <= case.lines, err
    assert "Traceback" not in err
    assert "internal error" not in err
    for words in case.said:
        assert words in err
    assert _state(converted) == before, "nothing may be left behind"


def _lines(err: str) -> list[str]:
    """Without what LiteRT's C++ says on its own."""
    return [line for line in err.splitlines() if line and not line.startswith("INFO: Created TensorFlow Lite")]


@pytest.mark.parametrize("case", MISSED, ids=lambda case: case.words)
def test_missed_bars(
    case: Case, converted: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(converted)
    before = _state(converted)
    code = main(case.words.split())
    out, err = capfd.readouterr()
    assert code == 2, err
    assert bool(out) == case.answers
    assert len(_lines(err)) == 1
    for words in case.said:
        assert words in err
    assert _state(converted) == before


def test_strides_that_do_not_fit() -> None:
    # A frame comes through the API only; the rest of its cases is with the kernels' own tests.
    with pytest.raises(InputError, match="stride"):
        Image.yuv420(bytes(64), bytes(16), bytes(16), 8, 8, y_row_stride=7, uv_row_stride=4)


# What ``mobilekit`` runs, after a word that says that Python itself is up: before that, Ctrl-C is not ours to answer.
_SCRIPT = "import mobilekit.cli as cli; print('ready', flush=True); cli.script()"


def _start(folder: Path, words: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _SCRIPT, *words.split()]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
    assert child.stdout.readline() == "ready\n"
    return child


def test_a_full_disk(converted: Path) -> None:
    """A limit on the size of files stands for the disk: the first write beyond it fails, as on a full one."""
    # Under the limit Python itself would write halves of .pyc files, and trip over them the next time.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    before = _state(converted)
    size = before["good.tflite"][0] - 1
    child = _start(
        converted,
        "convert net.py:make -o out/new.tflite",
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    out, err = child.communicate(timeout=120)
    assert child.returncode == 1, err
    assert out == ""
    assert _lines(err) == ["mobilekit: error: cannot write 'out/new.tflite': File too large; nothing was written"]
    assert _state(converted) == before


@pytest.mark.parametrize("words", ["info good.tflite --graph", "check good.tflite --json"])
def test_full_standard_output(converted: Path, words: str) -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "mobilekit", *words.split()],
            cwd=converted, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert run.returncode == 1
    assert _lines(run.stderr) == ["mobilekit: error: No space left on device"]


def test_a_reader_that_goes_away(converted: Path) -> None:
    child = _start(converted, "info good.tflite --graph")
    child.stdout.close()  # type: ignore[union-attr]
    err = child.stderr.read()  # type: ignore[union-attr]
    assert child.wait(timeout=120) == 141
    assert err == ""


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("convert net.py:slow -o out/new.tflite", 0.02),  # while the parser is imported
        ("convert net.py:slow -o out/new.tflite", 0.4),  # while torch is imported
        ("convert net.py:slow -o out/new.tflite", 6.0),  # in the user's own code
        ("convert net.py:swallows -o out/new.tflite", 4.0),  # in code that swallows the exception
        ("bench good.tflite --seconds 60", 0.5),
        ("bench good.tflite --seconds 60", 4.0),  # while the camera runs
    ],
)
def test_ctrl_c(converted: Path, words: str, seconds: float) -> None:
    before = _state(converted)
    child = _start(converted, words)
    time.sleep(seconds)
    child.send_signal(signal.SIGINT)
    pressed = time.monotonic()
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert _lines(err) == ["mobilekit: interrupted"]
    assert out == ""
    # The slowest answer is that of an import of torch, which C++ code does in one go.
    assert time.monotonic() - pressed < 20
    assert _state(converted) == before
