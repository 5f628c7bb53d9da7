"""``python -m mobilekit``."""

from __future__ import annotations

from mobilekit.cli import script

if __name__ == "__main__":
    script()
