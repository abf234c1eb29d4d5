"""`tanist check-history`: a recorded history from a file, checked against a model."""

import importlib.util
from pathlib import Path
from typing import Any

from tanist.election.linearizability.check import Report, Verdict, check
from tanist.election.linearizability.jepsen import read_jepsen
from tanist.election.linearizability.models import MODELS, Model
from tanist.election.linearizability.operations import HistoryError, Operation
from tanist.election.linearizability.recorded import is_recorded, read_recorded
from tanist.election.linearizability.report import lines
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import paint, safe, say, say_json

FILE_BYTES_MAX = 512 << 20
"""A history is read whole: some million operations."""


def check_file(file: Path, model: str, keyed: bool, steps: int, json: bool) -> int:
    """Check a file and print what was found; gives the exit status. Raises `VerbError`."""
    try:
        named, operations = _read(file, keyed)
    except HistoryError as error:
        raise VerbError(Exit.USAGE, f"{file}: {error}") from None
    name = model or named
    if not name:
        raise VerbError(Exit.USAGE, f"{file} does not say what it is a history of; add --model: {', '.join(MODELS)}")
    promised = load_model(name)
    try:
        report = check(promised, operations, steps_max=steps)
    except HistoryError as error:
        raise VerbError(Exit.USAGE, f"{file}: {error}") from None
    if json:
        say_json(as_json(report))
    else:
        first, *rest = lines(report)
        say(paint(safe(first), "good" if report.verdict is Verdict.OK else "bad"))
        for line in rest:
            say(safe(line))
    return Exit.OK if report.verdict is Verdict.OK else Exit.FAILED


def _read(file: Path, keyed: bool) -> tuple[str, list[Operation]]:
    """The model that a file names, or "", and its operations."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise VerbError(Exit.USAGE, f"{file} has more than {FILE_BYTES_MAX >> 20} MiB: split it by key")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VerbError(Exit.USAGE, f"{file} cannot be read: {error}") from None
    # Not splitlines(): JSON leaves U+2028 and the like as they are within a text.
    first = text.partition("\n")[0]
    if is_recorded(first):
        header, operations = read_recorded(text.split("\n"))
        return header.model, operations
    return "", read_jepsen(text, keyed=keyed)


def load_model(name: str) -> Model:
    """A model by its name, or by FILE:CLASS. Raises `VerbError`."""
    if name in MODELS:
        return MODELS[name]()
    source, _, class_name = name.rpartition(":")
    path = Path(source)
    if not source.endswith(".py") or not path.is_file():
        raise VerbError(Exit.USAGE, f"--model {name}: there are {', '.join(MODELS)}, or write FILE.py:CLASS")
    spec = importlib.util.spec_from_file_location(f"tanist_model_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise VerbError(Exit.USAGE, f"--model {name}: {path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        made: Model = getattr(module, class_name)()
    except (Exception, SystemExit) as error:
        raise VerbError(Exit.USAGE, f"--model {name}: {type(error).__name__}: {error}") from None
    missing = [part for part in ("by_key", "initial", "apply", "reads") if not hasattr(made, part)]
    if missing:
        raise VerbError(Exit.USAGE, f"--model {name}: a model needs {', '.join(missing)} too (see docs: histories)")
    return made


def as_json(report: Report) -> dict[str, Any]:
    """A report as plain values."""
    bad = report.bad()
    out: dict[str, Any] = {
        "verdict": report.verdict.value,
        "operations": report.operations,
        "objects": len(report.objects),
        "steps": report.steps,
    }
    if bad is not None:
        found = bad.found
        out["object"] = None if bad.key is None else str(bad.key)
        out["longest"] = [str(o) for o in found.order]
        out["unplaced"] = None if found.unplaced is None else str(found.unplaced)
        out["states"] = list(found.states)
        out["beside"] = [str(o) for o in found.beside]
    return out
