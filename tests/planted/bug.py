"""What a planted bug is: which sentence of the protocol it breaks, by which edit, and what should catch it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Edit:
    """Replace `old`, which must stand exactly once in `file` (from the root), by `new`."""

    file: str
    old: str
    new: str

    @property
    def module(self) -> str:
        """The name that the file is imported by."""
        return ".".join(("tanist", *Path(self.file).with_suffix("").parts))


@dataclass(frozen=True)
class Bug:
    """One planted bug.

    `breaks` is what no longer holds, in a sentence. `killers` are probes (see `probes`), the best first. `mark` is the
    id of the marked sentence that it removes, as in `sentences`. `argued` says why nothing can tell the bug from the
    product (an equivalent mutant): such a one needs no killer.
    """

    name: str
    breaks: str
    edits: tuple[Edit, ...]
    killers: tuple[str, ...] = ()
    mark: str = ""
    argued: str = ""


class DoesNotApply(Exception):
    """A bug's old text is not in the source exactly once: the source has changed, so the bug must follow."""


def bug(name: str, breaks: str, file: str, old: str, new: str, *killers: str, mark: str = "", argued: str = "") -> Bug:
    """A bug of one edit."""
    return Bug(name, breaks, (Edit(file, old, new),), killers, mark, argued)


def mutated(planted: Bug) -> dict[str, tuple[Path, str]]:
    """The sources with the bug in them: module name to (path, source). Raises `DoesNotApply`; writes nothing."""
    out: dict[str, tuple[Path, str]] = {}
    for edit in planted.edits:
        path = ROOT / edit.file
        source = out[edit.module][1] if edit.module in out else path.read_text("utf-8")
        found = source.count(edit.old)
        if found != 1:
            raise DoesNotApply(f"{planted.name}: {found} times in {edit.file}, not once:\n{edit.old}")
        out[edit.module] = path, source.replace(edit.old, edit.new)
    return out
