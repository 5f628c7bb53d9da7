"""Run by mobilekit in an environment that has TensorFlow. Imports nothing of ours.

request.json (and inputs.npz, if there are example inputs) -> model.tflite, said.json, inputs.npz and outputs.npz; with
``"convert": false`` only outputs.npz. problem.json says what is wrong with the user's own file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf


def fail(kind: str, text: str) -> NoReturn:
    """``kind``: "input", "model" or "backend"."""
    Path("problem.json").write_text(json.dumps({"kind": kind, "text": text}))
    sys.exit(f"Error: {text}")


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


Call = Callable[[dict[str, Any]], dict[str, Any]]
Loaded = tuple[Call, dict[str, Any], list[str], str, Any]
"""(call, {name: spec}, output names, nesting, what owns the variables)"""


def load_keras(path: str, shown: str) -> Loaded:
    try:
        model = tf.keras.models.load_model(path, compile=False)
    except Exception as error:
        fail("model", f"'{shown}' is no Keras model that TensorFlow {tf.__version__} can load ({first_line(error)})")
    if not model.built or not getattr(model, "inputs", None):
        fail("model", f"'{shown}' has no inputs yet: call the model once before it is saved")
    names = [re.sub(r"\W", "_", tensor.name.split(":")[0]) for tensor in model.inputs]
    specs = {n: tf.TensorSpec(t.shape, t.dtype, name=n) for n, t in zip(names, model.inputs, strict=True)}
    # A loaded Sequential has outputs and no output.
    structure = model.outputs[0] if isinstance(model, tf.keras.Sequential) else model.output
    if isinstance(structure, dict):
        outputs, nesting = sorted(structure), "dict"
    elif isinstance(structure, (list, tuple)):
        outputs, nesting = [f"output_{i}" for i in range(len(structure))], "list"
    else:
        outputs, nesting = ["output"], "single"

    def call(arguments: dict[str, Any]) -> dict[str, Any]:
        given = [arguments[name] for name in names]
        result = model(given[0] if len(given) == 1 else given, training=False)
        if nesting == "dict":
            return {name: result[name] for name in outputs}
        return dict(zip(outputs, [result] if nesting == "single" else result, strict=True))

    return call, specs, outputs, nesting, model


def load_saved(path: str, shown: str, wanted: str | None) -> Loaded:
    try:
        model = tf.saved_model.load(path)
    except Exception as error:
        fail("model", f"'{shown}' is no SavedModel that TensorFlow {tf.__version__} can load ({first_line(error)})")
    signatures = sorted(model.signatures)
    if not signatures:
        fail("model", f"'{shown}' has no signatures: save it with tf.saved_model.save(model, folder, signatures=...)")
    key = wanted or ("serving_default" if "serving_default" in signatures else signatures[0])
    if key not in signatures or (wanted is None and key != "serving_default" and len(signatures) > 1):
        what = f"no signature '{wanted}'" if wanted else f"{len(signatures)} signatures and no serving_default"
        fail("input", f"'{shown}' has {what}; name one as '{shown}:{signatures[0]}' ({', '.join(signatures)})")
    function = model.signatures[key]
    specs = dict(function.structured_input_signature[1])
    outputs = sorted(function.structured_outputs)
    return (lambda arguments: function(**arguments)), specs, outputs, "dict", model


def choose_inputs(specs: dict[str, Any], shown: str) -> tuple[list[Any], list[str]]:
    """The example: what was given, else noise; and the names whose batch was chosen."""
    if Path("inputs.npz").exists():
        with np.load("inputs.npz", allow_pickle=False) as file:
            arrays = [file[f"0_{i}"] for i in range(len(file.files))]
        if len(arrays) != len(specs):
            fail(
                "input", f"'{shown}' takes {len(specs)} inputs ({', '.join(specs)}), {len(arrays)} examples were given"
            )
        for (name, spec), array in zip(specs.items(), arrays, strict=True):
            if not spec.shape.is_compatible_with(array.shape) or spec.dtype.as_numpy_dtype != array.dtype:
                given = f"{array.dtype.name}{list(array.shape)}"
                fail("input", f"input '{name}' of '{shown}' is {spec.dtype.name}{spec.shape}, the example is {given}")
        return arrays, []
    arrays, opened = [], []
    for name, spec in specs.items():
        dims = None if spec.shape.rank is None else spec.shape.as_list()
        if dims is None or any(dim is None for dim in dims[1:]):
            fail("input", f"input '{name}' of '{shown}' has open dimensions {dims}: give example_inputs of the shape")
        if dims and dims[0] is None:
            dims[0] = 1
            opened.append(name)
        if not (spec.dtype.is_floating or spec.dtype.is_integer or spec.dtype.is_bool):
            fail("input", f"input '{name}' of '{shown}' is a {spec.dtype.name}, which is no number")
        kind = spec.dtype.as_numpy_dtype
        noise = np.random.default_rng(0).random(dims) if spec.dtype.is_floating else np.zeros(dims)
        arrays.append(np.asarray(noise, kind))
    return arrays, opened


def reasons(error: BaseException) -> str:
    """TensorFlow's converter says the same op many times: each op once."""
    ops = sorted(set(re.findall(r"'(?:tf|tfl)\.(\w+)' op is neither a custom op nor a flex op", str(error))))
    if ops:
        return f"ops that TFLite does not have: {', '.join(ops)}"
    errors = re.findall(r"error: (.+)", str(error))
    return errors[0][:300] if errors else first_line(error)


def main() -> None:
    request = json.loads(Path("request.json").read_text())
    shown = request["shown"]
    if Path(request["model"]).is_dir():
        call, specs, outputs, nesting, owner = load_saved(request["model"], shown, request["signature"])
    else:
        call, specs, outputs, nesting, owner = load_keras(request["model"], shown)
    if not request["convert"]:
        save_outputs(call, list(specs), outputs)
        return
    arrays, opened = choose_inputs(specs, shown)
    np.savez("inputs.npz", **{f"0_{i}": array for i, array in enumerate(arrays)})
    save_outputs(call, list(specs), outputs)
    # Sizes are fixed here, where TensorFlow can fold all that follows from them.
    pairs = zip(specs.items(), arrays, strict=True)
    fixed = {name: tf.TensorSpec(array.shape, spec.dtype, name=name) for (name, spec), array in pairs}
    module = tf.Module()
    module.owner = owner
    if isinstance(owner, tf.keras.Model):
        # TensorFlow does not find Keras 3's variables by itself.
        module.values = [getattr(variable, "value", variable) for variable in owner.variables]
    module.serve = tf.function(lambda **arguments: call(arguments))
    concrete = module.serve.get_concrete_function(**fixed)
    try:
        # Through a folder, as the converter has its signature's names from there.
        tf.saved_model.save(module, "fixed", signatures={"serving_default": concrete})
        data = tf.lite.TFLiteConverter.from_saved_model("fixed", signature_keys=["serving_default"]).convert()
    except Exception as error:
        fail("backend", f"TensorFlow {tf.__version__} cannot convert '{shown}': {reasons(error)}")
    Path("model.tflite").write_bytes(data)
    said = {"version": tf.__version__, "inputs": list(specs), "outputs": outputs, "nesting": nesting, "opened": opened}
    Path("said.json").write_text(json.dumps(said))


def save_outputs(call: Call, names: list[str], outputs: list[str]) -> None:
    with np.load("inputs.npz", allow_pickle=False) as file:
        given = dict(file)
    results: dict[str, Any] = {}
    for number in range(len(given) // len(names)):
        answer = call({name: tf.constant(given[f"{number}_{i}"]) for i, name in enumerate(names)})
        results.update({f"{number}_{i}": np.asarray(answer[name]) for i, name in enumerate(outputs)})
    np.savez("outputs.npz", **results)


main()
