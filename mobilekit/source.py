"""Where in the user's own code something came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceLocation:
    """One line of the user's model, kept on every op from capture to report."""

    file: str
    line: int
    code: str = ""
    """The text of the line, stripped."""
    module: str = ""
    """Path of the module inside the model, e.g. ``features.3.conv.0``; empty at the top."""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}"
        if self.module:
            text += f" in {self.module}"
        if self.code:
            text += f": {self.code}"
        return text
