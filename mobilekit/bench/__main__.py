"""``python -m mobilekit.bench``: arguments -> :func:`mobilekit.bench.bench` -> text or JSON.

Exit status: 0, or 1 with one clear line, or 130 after Ctrl-C; never a traceback without ``--debug``.
"""

# ruff: noqa: E402  # the imports come after the signal handler, see there

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Ctrl-C while the libraries are being imported: there is nothing to tidy up yet."""
    os.write(2, b"\nmobilekit: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    # Importing takes half a second, in which a KeyboardInterrupt would surface as a traceback of somebody else's code.
    signal.signal(signal.SIGINT, _leave)

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from mobilekit.bench.api import DEVICES, bench
from mobilekit.bench.camera import CAMERAS
from mobilekit.bench.schema import KIND
from mobilekit.bench.settings import BenchSettings, parse_frame
from mobilekit.errors import MobilekitError
from mobilekit.files import check_writable, write_file
from mobilekit.render.bench_text import bench_text
from mobilekit.render.json_text import to_json

_DEFAULTS = BenchSettings()
# The error base of typer's command-line parser: click's own before typer 0.2x, a copy inside typer since.
_UsageError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

_EPILOG = """Examples:

\b
  mobilekit bench                                  MobileNetV2, int8, on this machine
  mobilekit bench net.tflite --seconds 60          a p99 with 18 frames behind it
  mobilekit bench net.tflite --json report.json    every raw value, for machines
  mobilekit bench --device android                 the phone on the cable
"""


def command(
    model: Annotated[
        str | None, typer.Argument(help="A .tflite file; MobileNetV2 if none is given.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, android, or android:SERIAL.")] = _DEFAULTS.device,
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
        str | None, typer.Option(metavar="FILE", help="Write every figure and raw value; - for stdout.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the frames and the display's phase.")] = _DEFAULTS.seed,
    list_: Annotated[bool, typer.Option("--list", help="List devices and camera presets, and stop.")] = False,
) -> None:
    """Measure latency from camera to screen: delivered frames, age of what is shown, and every stage."""
    if list_:
        _print_list()
        return
    width, height = parse_frame(frame)
    if json is not None and json != "-":
        check_writable(json)
    with _ProgressLine() as progress:
        report = bench(
            model,
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
    Console(highlight=False, soft_wrap=False).print(bench_text(report))
    if json is not None:
        write_file(json, (to_json(KIND, report) + "\n").encode())


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
    """One line on stderr: a bar on a terminal, else the name of each step once.

    Written by hand, and four times a second at most: what a richer bar costs under the GIL, the worker would wait for.
    """

    _WIDTH = 30
    _INTERVAL_S = 0.25

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._what = ""
        self._printed_s = 0.0

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._terminal and self._what:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, what: str, share: float) -> None:
        now = time.monotonic()
        if what == self._what and (not self._terminal or now - self._printed_s < self._INTERVAL_S):
            return
        self._what, self._printed_s = what, now
        if self._terminal:
            filled = int(share * self._WIDTH)
            sys.stderr.write(f"\r\x1b[K[{'#' * filled}{'.' * (self._WIDTH - filled)}] {what}")
        else:
            sys.stderr.write(f"{what}\n")
        sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
    )
    app.command(epilog=_EPILOG)(command)
    try:
        status: Any = app(
            [word for word in words if word != "--debug"],
            standalone_mode=False,
            prog_name="python -m mobilekit.bench",
        )
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except MobilekitError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except _UsageError as error:
        return _fail(error.format_message(), 1)
    if status == 130:
        sys.stderr.write("\nmobilekit: interrupted\n")
    return int(status or 0)


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"mobilekit: error: {message}\n")
    return status


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
