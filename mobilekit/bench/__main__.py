"""``python -m mobilekit.bench`` and ``mobilekit bench``: arguments -> :func:`mobilekit.bench.bench` -> text or JSON.

Errors and Ctrl-C are answered by :mod:`mobilekit.cli`: one clear line and exit status 1, or 130.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # First of all, so that Ctrl-C is answered while the rest is imported (as the module mobilekit.bench.__main__).
    from mobilekit.cli import leave, main

    leave(lambda: main(["bench", *sys.argv[1:]]))

import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from mobilekit.bench.api import DEVICES, bench
from mobilekit.bench.camera import CAMERAS
from mobilekit.bench.schema import KIND
from mobilekit.bench.settings import BenchSettings, parse_frame
from mobilekit.files import check_writable, write_file
from mobilekit.interrupts import raise_if_interrupted
from mobilekit.render.bench_text import bench_text
from mobilekit.render.json_text import to_json

_DEFAULTS = BenchSettings()

_EPILOG = """\b
Examples:
  mobilekit bench                                 MobileNetV2, int8, on this machine
  mobilekit bench net.tflite --seconds 60         a p99 with 18 frames behind it
  mobilekit bench net.tflite --json               every figure and raw value, on stdout
  mobilekit bench net.tflite --json report.json   the same into a file, and the text
  mobilekit bench --device android                the phone on the cable
"""


def command(
    model: Annotated[
        str | None, typer.Argument(help="A .tflite file; MobileNetV2 if none is given.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, android, or android:SERIAL.")] = _DEFAULTS.device,
    model_option: Annotated[
        str | None, typer.Option("--model", metavar="FILE", help="The same as the argument.", show_default=False)
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames a second of the camera.")] = _DEFAULTS.fps,
    refresh: Annotated[float, typer.Option(help="Refresh rate of the display in Hz.")] = _DEFAULTS.refresh_hz,
    seconds: Annotated[float, typer.Option(help="How long the camera runs.")] = _DEFAULTS.seconds,
    warm_up: Annotated[float, typer.Option(help="Seconds of warm-up; one run at least.")] = _DEFAULTS.warm_up,
    threads: Annotated[int, typer.Option(help="Threads of the inference.")] = _DEFAULTS.threads,
    frame: Annotated[
        str, typer.Option(help="Size of the camera's frames.")
    ] = f"{_DEFAULTS.frame_width}x{_DEFAULTS.frame_height}",
    rotation: Annotated[int, typer.Option(help="Degrees clockwise to upright: 0, 90, 180, 270.")] = _DEFAULTS.rotation,
    delegate: Annotated[str, typer.Option(help="xnnpack or reference.")] = _DEFAULTS.delegate,
    camera: Annotated[str, typer.Option(help=f"Modelled sensor: {' or '.join(CAMERAS)}.")] = _DEFAULTS.camera,
    json: Annotated[
        str | None,
        typer.Option(
            metavar="[FILE]",
            help="Print one JSON document instead of text, or write it to a FILE that ends in .json.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the frames and the display's phase.")] = _DEFAULTS.seed,
    list_: Annotated[bool, typer.Option("--list", help="List devices and camera presets, and stop.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the warnings of libraries.")] = False,
) -> None:
    """Measure latency from camera to screen: delivered frames, age of what is shown, and every stage."""
    if list_:
        _print_list()
        return
    if model is not None and model_option is not None:
        raise typer.BadParameter(f"two models were given, '{model}' and '{model_option}'", param_hint="--model")
    width, height = parse_frame(frame)
    to_file = json not in (None, "-")
    if to_file:
        check_writable(str(json))
    with _ProgressLine(quiet) as progress:
        report = bench(
            model or model_option,
            device=device,
            progress=progress,
            fps=fps,
            refresh_hz=refresh,
            seconds=seconds,
            warm_up=warm_up,
            threads=threads,
            frame_width=width,
            frame_height=height,
            rotation=rotation,
            delegate=delegate,
            seed=seed,
            camera=camera,
        )
    if json == "-":
        sys.stdout.write(to_json(KIND, report) + "\n")
        return
    # Lines are for the reader's terminal to wrap; in a pipe they stay whole, so that grep finds what it looks for.
    Console(highlight=False, soft_wrap=not sys.stdout.isatty()).print(bench_text(report))
    if to_file:
        write_file(str(json), (to_json(KIND, report) + "\n").encode())


def run_command(words: Sequence[str], prog_name: str = "mobilekit bench") -> object:
    """Parse ``words`` and run; the parser's errors and a :class:`MobilekitError` are the caller's to answer."""
    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
    )
    app.command(epilog=_EPILOG)(command)
    return app(_with_json_target(words), prog_name=prog_name, standalone_mode=False)


def _with_json_target(words: Sequence[str]) -> list[str]:
    """``--json`` alone prints, as in every command; a word after it that ends in .json is the file to write.

    (An option with an optional value is nothing that the parser has: it would take the model for the file.)
    """
    given = list(words)
    for at, word in enumerate(given):
        if word == "--json":
            named = at + 1 < len(given) and given[at + 1].lower().endswith(".json")
            given[at : at + 1 + named] = [f"--json={given[at + 1] if named else '-'}"]
            break
    return given


def _print_list() -> None:
    # Imported here: only this listing and a run on a phone need adb's side.
    from mobilekit.bench.devices.android import DeviceError, phones

    console = Console(highlight=False)
    for name in DEVICES:
        if name != "android":
            console.print(f"{name}  this machine")
    try:
        found = phones()
        for phone in found:
            console.print(f"android:{phone.serial}  {phone.name or 'a phone'}, {phone.state}")
        if not found:
            console.print("android  no phone is connected")
    except DeviceError as error:
        console.print(f"android  {error}")
    for model in CAMERAS.values():
        constants = f"exposure {model.exposure_ms:g} ms, skew {model.skew_ms:g} ms"
        console.print(f"--camera {model.name}  {constants}, readout + ISP {model.readout_isp_ms:g} ms (modelled)")


class _ProgressLine:
    """One line on stderr where that is a terminal; silent elsewhere.

    Written by hand and four times a second at most: for what a richer bar draws, the worker would wait under the GIL.
    """

    _WIDTH = 24
    _INTERVAL_S = 0.25

    def __init__(self, quiet: bool) -> None:
        self._wanted = not quiet and sys.stderr.isatty()
        self._what = ""
        self._printed_s = 0.0

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._what:
            self._write("")

    def __call__(self, what: str, share: float) -> None:
        raise_if_interrupted()  # every long loop of the bench passes here
        now = time.monotonic()
        if not self._wanted or (what == self._what and now - self._printed_s < self._INTERVAL_S):
            return
        self._what, self._printed_s = what, now
        filled = int(share * self._WIDTH)
        self._write(f"[{'#' * filled}{'.' * (self._WIDTH - filled)}] {what}")

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r\x1b[K{line}")  # back to the start of the line, clear it
        sys.stderr.flush()
