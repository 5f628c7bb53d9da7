"""The commands: arguments -> API -> renderer, one file each and one line below.

Only the standard library, typer and the error classes are imported at the top of these files: what a command needs it
imports when it runs, so that ``mobilekit info`` starts without torch.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mobilekit._version import __version__
from mobilekit.commands import android, bench, check, ci, convert, info, quantize, recipe, targets, verify

app = typer.Typer(
    name="mobilekit",
    help="PyTorch models on phones: converted in seconds, verified against PyTorch, timed from camera to screen.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for module in (convert, check, verify, info, bench, recipe, quantize, targets, ci, android):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mobilekit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
