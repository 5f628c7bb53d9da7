"""``mobilekit targets``: what can be checked, and where and when each table was read."""

from __future__ import annotations

import typer

from mobilekit.commands.common import DebugOption, JsonOption, examples, print_json, print_text

EPILOG = examples("mobilekit targets", "mobilekit targets --json")


def register(app: typer.Typer) -> None:
    app.command("targets", short_help="List the targets that check and ci know.", epilog=EPILOG)(targets)


def targets(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the targets that check and ci know, with their levels and the source and date of their tables."""
    from mobilekit.compat.tables import catalogue

    found = catalogue()
    if as_json:
        print_json("targets", {"targets": found})
        return
    from mobilekit.render.catalogue_text import catalogue_text

    print_text(catalogue_text(found))
