"""Run by the classic environment: which of the files in a folder can tflite-runtime load? Prints name -> error."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

from tflite_runtime.interpreter import Interpreter, OpResolverType


def main() -> None:
    answers = {"version": importlib.metadata.version("tflite-runtime"), "errors": {}}
    for path in sorted(Path(sys.argv[1]).glob("*.tflite")):
        try:
            # Ops and versions are looked up when the file is loaded; nothing is allocated or run.
            Interpreter(
                model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            )
        except (RuntimeError, ValueError) as error:
            answers["errors"][path.stem] = str(error)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
