"""What libraries write to the terminal past Python: caught at the file descriptor, passed on only where it matters."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def filtered(descriptor: int, keep: Callable[[bytes], bool]) -> Iterator[None]:
    """Catch everything written to ``descriptor`` (1 or 2) in the block; afterwards write the lines that ``keep`` wants.

    C++ libraries write there past ``sys.stdout``, and many have no option that turns it off.
    """
    stream = sys.stdout if descriptor == 1 else sys.stderr
    stream.flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # a process without this stream has nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), descriptor)
        try:
            yield
        finally:
            stream.flush()
            os.dup2(saved, descriptor)
            os.close(saved)
            caught.seek(0)
            kept = b"".join(line for line in caught if keep(line))
            if kept:
                os.write(descriptor, kept)
