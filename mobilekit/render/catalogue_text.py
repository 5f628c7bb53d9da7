"""The targets that can be checked, two lines each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilekit.render import units
from mobilekit.results.compat import TargetInfo


def catalogue_text(targets: Sequence[TargetInfo]) -> RenderableType:
    """Names, ops that the table takes on some terms, and levels; below them where and when the table was read."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for target in targets:
        table.add_row(Text(target.name, style="bold"), "; ".join(_facts(target)))
        table.add_row("", Text(target.table_version, style="dim"))
    hint = "TARGET:LEVEL asks for a level (nnapi:29, runtime:2.14); a path to a .json is a table of your own"
    return Group(table, Text(hint, style="dim"))


def _facts(target: TargetInfo) -> Iterator[str]:
    yield target.title
    yield units.count(target.ops, "op")
    if target.aliases:
        yield f"also {', '.join(target.aliases)}"
    if target.levels:
        default = "" if target.default_level is None else f" (else {target.default_level})"
        yield f"{target.level_name} {', '.join(map(str, target.levels))}{default}"
    elif target.level_name:
        yield f"any {target.level_name}"
