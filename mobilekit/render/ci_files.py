"""Report files of a CI run: each format to its file, and one that cannot be written never keeps the others away."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mobilekit.errors import InputError, OutputError
from mobilekit.files import write_files
from mobilekit.render.ci_badge import badge_json
from mobilekit.render.ci_github import github_annotations
from mobilekit.render.ci_html import ci_html
from mobilekit.render.ci_junit import junit_xml
from mobilekit.render.ci_markdown import markdown
from mobilekit.render.ci_sarif import sarif_json
from mobilekit.render.json_text import to_json
from mobilekit.results.compat import CiReport


def _text(report: CiReport) -> str:
    from rich.console import Console

    from mobilekit.render.ci_text import ci_text

    console = Console(width=160, highlight=False, no_color=True)
    with console.capture() as captured:
        console.print(ci_text(report))
    return captured.get()


FORMATS: dict[str, Callable[[CiReport], str]] = {
    "text": _text,
    "json": lambda report: to_json("ci", report) + "\n",
    "markdown": markdown,
    "junit": junit_xml,
    "sarif": sarif_json,
    "github": github_annotations,
    "html": ci_html,
    "badge": badge_json,
}
_SHORT = {"md": "markdown"}
_BY_SUFFIX = {".xml": "junit", ".sarif": "sarif", ".md": "markdown", ".html": "html", ".json": "json", ".txt": "text"}


def parse_report(word: str) -> tuple[str, str]:
    """(format, file) from ``junit=out.xml``, or from a file whose name says its format."""
    kind, equals, path = word.partition("=")
    if not equals:
        kind, path = format_of(word) or "", word
    kind = _SHORT.get(kind, kind)
    if kind not in FORMATS or not path:
        raise InputError(f"'{word}': write FORMAT=FILE, where FORMAT is one of {', '.join(FORMATS)}")
    return kind, path


def parse_format(word: str) -> str:
    """The name of a format as :data:`FORMATS` has it; ``md`` is ``markdown``."""
    kind = _SHORT.get(word.lower(), word.lower())
    if kind not in FORMATS:
        close = difflib.get_close_matches(kind, FORMATS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(FORMATS)}"
        raise InputError(f"'{word}' is no format{hint}")
    return kind


def format_of(path: str | Path) -> str | None:
    """The format that a file's name stands for; None if it says nothing. ``.sarif.json`` is SARIF."""
    name = Path(path).name.lower()
    return "sarif" if name.endswith(".sarif.json") else _BY_SUFFIX.get(Path(name).suffix)


def write_reports(
    report: CiReport,
    files: Iterable[tuple[str, str | Path]],
    root: str | Path = ".",
    formats: Mapping[str, Callable[[CiReport], str]] = FORMATS,
) -> list[str]:
    """Write each (format, file), files relative to ``root``; returns one line for each that could not be written."""
    problems = []
    for kind, name in files:
        path = Path(root) / name
        try:
            write_files({path: formats[kind](report).encode()})
        except OutputError as error:
            problems.append(f"{kind} report: {error}")
    return problems
