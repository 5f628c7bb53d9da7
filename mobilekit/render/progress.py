"""What runs now, on stderr, for as long as it runs: nothing is left on the screen, and nothing goes to a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from mobilekit.interrupts import raise_if_interrupted

Report = Callable[[str, float | None], None]
"""Called with what is being done and the share of it that is done (0 to 1; None where nobody knows)."""


def is_wanted(quiet: bool) -> bool:
    return not quiet and sys.stderr.isatty()


@contextlib.contextmanager
def live_progress(quiet: bool = False) -> Iterator[Report]:
    """A line with a spinner, a bar and the seconds so far; silent where ``quiet`` or stderr is no terminal.

    Each report is also a safe point, at which a Ctrl-C that a library has swallowed is raised again.
    """
    if not is_wanted(quiet):
        yield lambda _what, _share: raise_if_interrupted()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def report(what: str, share: float | None) -> None:
            raise_if_interrupted()
            total = None if share is None else 1.0
            progress.update(task, description=what, total=total, completed=share or 0.0)

        yield report
