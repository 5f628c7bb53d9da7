"""The protocol against a fake adb: a script that keeps the phone's files in a folder. No phone takes part."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mobilekit.bench import bench, schema
from mobilekit.bench.devices import android
from mobilekit.bench.devices.android import DeviceError, Phone, phones
from mobilekit.errors import MobilekitError
from mobilekit.render.json_text import to_json
from tests.bench.samples import bench_report

# Reads what it should be from fake.json: the devices it lists, whether the app is there, what the app writes.
FAKE_ADB = """#!{python}
import json, pathlib, shlex, sys
root = pathlib.Path({root!r})
plan = json.loads((root / "fake.json").read_text())
words = sys.argv[1:]
with (root / "calls.jsonl").open("a") as log:
    log.write(json.dumps(words) + "\\n")
on_phone = lambda path: root / "phone" / path.lstrip("/")
if words[0] == "devices":
    print("List of devices attached")
    print("\\n".join(plan["devices"]))
    sys.exit()
assert words[:2] == ["-s", "PIXEL1"], words
if words[2] == "push":
    if plan.get("push_fails"):
        sys.exit("adb: error: failed to copy: No space left on device")
    on_phone(words[4]).parent.mkdir(parents=True, exist_ok=True)
    on_phone(words[4]).write_bytes(pathlib.Path(words[3]).read_bytes())
    sys.exit()
assert words[2] == "shell" and len(words) == 4, words
command = shlex.split(words[3])
if command[0] == "pm":
    print("package:dev.mobilekit.demo" if plan.get("app", True) else "")
elif command[:2] == ["am", "start"]:
    if plan.get("start_fails"):
        print("Starting: Intent\\nError type 3\\nError: Activity class does not exist.")
        sys.exit()
    extras = {{command[i + 1]: command[i + 2] for i, word in enumerate(command) if word in ("--es", "--ei", "--ef")}}
    (root / "extras.json").write_text(json.dumps(extras))
    (root / "model_seen").write_bytes(on_phone(extras["model"]).read_bytes())
    if "answer" in plan:
        report = on_phone("/sdcard/Android/data/dev.mobilekit.demo/files/" + extras["run_id"] + ".json")
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(plan["answer"])
elif command[:2] == ["sh", "-c"]:
    path = on_phone(command[2].split()[2])
    print(path.read_text() if path.exists() else "")
elif command[0] == "rm":
    for path in command[2:]:
        on_phone(path).unlink(missing_ok=True)
"""


class FakeAdb:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.plan({})

    def plan(self, changes: dict[str, Any]) -> None:
        usual = {"devices": ["PIXEL1 device usb:1-1 product:x model:Pixel_9 device:y"]}
        (self.root / "fake.json").write_text(json.dumps({**usual, **changes}))

    def files_on_phone(self) -> list[Path]:
        return [path for path in (self.root / "phone").rglob("*") if path.is_file()]


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeAdb:
    root = tmp_path / "adb"
    root.mkdir()
    executable = root / "adb"
    executable.write_text(FAKE_ADB.format(python=sys.executable, root=str(root)))
    executable.chmod(0o755)
    monkeypatch.setenv("PATH", str(root))
    monkeypatch.setattr(android, "_POLL_S", 0.01)
    return FakeAdb(root)


def answer() -> str:
    return to_json(schema.KIND, bench_report(device="app", model="file", weights="file"))


class TestRun:
    def test_the_report_of_the_app_comes_back(self, adb: FakeAdb, classifier_path: Path) -> None:
        adb.plan({"answer": answer()})
        report = bench(classifier_path, device="android", seconds=2.0, fps=24.0)
        assert report == bench_report(
            device="android:PIXEL1", model="classifier.tflite", weights="as in classifier.tflite"
        )

    def test_the_app_gets_the_file_and_the_same_settings(self, adb: FakeAdb, classifier_path: Path) -> None:
        adb.plan({"answer": answer()})
        bench(classifier_path, device="android:PIXEL1", seconds=2.0, fps=24.0, threads=4)
        assert (adb.root / "model_seen").read_bytes() == classifier_path.read_bytes()
        extras = json.loads((adb.root / "extras.json").read_text())
        assert extras["fps"] == "24.0"
        assert extras["threads"] == "4"
        assert extras["frame_width"] == "1920"

    def test_nothing_is_left_on_the_phone(self, adb: FakeAdb, classifier_path: Path) -> None:
        adb.plan({"answer": answer()})
        bench(classifier_path, device="android")
        assert adb.files_on_phone() == []

    def test_nothing_is_left_after_a_failure_either(self, adb: FakeAdb, classifier_path: Path) -> None:
        adb.plan({"answer": '{"error": "no camera"}'})
        with pytest.raises(DeviceError, match="the app on PIXEL1 failed: no camera"):
            bench(classifier_path, device="android")
        assert adb.files_on_phone() == []

    @pytest.mark.parametrize(
        ("plan", "text"),
        [
            ({"devices": []}, "adb sees no phone: connect one, switch on USB debugging"),
            (
                {"devices": ["PIXEL1 unauthorized usb:1-1"]},
                "the phone PIXEL1 is unauthorized: accept this computer on its screen",
            ),
            ({"devices": ["PIXEL1 offline"]}, "the phone PIXEL1 is offline"),
            (
                {"devices": ["PIXEL1 device", "PIXEL2 device"]},
                r"adb sees 2 phones \(PIXEL1, PIXEL2\): choose one with --device android:SERIAL",
            ),
            ({"app": False}, r"the app dev\.mobilekit\.demo is not on the phone PIXEL1"),
            ({"push_fails": True}, "adb failed: adb: error: failed to copy: No space left on device"),
            ({"start_fails": True}, "the app could not be started on PIXEL1: Error type 3"),
            ({"answer": "half a rep"}, "the report of PIXEL1 is not JSON"),
            ({"answer": '{"kind": "bench", "format_version": 99}'}, "has format 99, .*is the app of the same version"),
        ],
    )
    def test_what_can_go_wrong_is_one_clear_line(
        self, adb: FakeAdb, classifier_path: Path, plan: dict[str, Any], text: str
    ) -> None:
        adb.plan(plan)
        with pytest.raises(DeviceError, match=text) as caught:
            bench(classifier_path, device="android")
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value, MobilekitError)
        assert caught.value.exit_code == 1

    def test_an_app_that_never_answers(
        self, adb: FakeAdb, classifier_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(android, "_EXTRA_S", -0.5)
        with pytest.raises(DeviceError, match="the app on PIXEL1 gave no report within 1 s: see adb logcat"):
            bench(classifier_path, device="android", seconds=1.0, warm_up=0.5)

    def test_a_serial_that_is_not_there(self, adb: FakeAdb, classifier_path: Path) -> None:
        with pytest.raises(DeviceError, match="adb knows no phone with the serial 'OTHER'"):
            bench(classifier_path, device="android:OTHER")


def test_no_adb(classifier_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="adb is not on the PATH: install Android's platform-tools"):
        bench(classifier_path, device="android")


def test_phones_are_listed(adb: FakeAdb) -> None:
    adb.plan({"devices": ["PIXEL1 device usb:1-1 model:Pixel_9", "* daemon started", "EMU offline"]})
    assert phones() == [Phone("PIXEL1", "device", "Pixel 9"), Phone("EMU", "offline", "")]
