"""``mobilekit bench``: the camera-to-screen bench, whose command lives with it (``python -m mobilekit.bench``)."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    # The bench parses its own options, so that both ways in are one command with one help page.
    app.command(
        "bench",
        help="Measure latency from camera to screen (see mobilekit bench -h).",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    )(bench)


def bench(context: typer.Context) -> object:
    from mobilekit.bench.__main__ import run_command

    return run_command(context.args)
