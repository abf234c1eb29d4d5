"""Lines of text to structs and back: each struct says how its line reads, once, in a form.

    class Pause(Act, frozen=True):
        forms = ("pause {peer:peer} {ms:time}",)

A form's `{field:kind}` is read by the kind's pattern. A struct with optional fields has several forms, the shortest
first; it is written in the first that has all fields which differ from their defaults.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec

MS_OF = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0}
"""Units of a duration, in milliseconds."""
_PLACE = re.compile(r"\{(\w+):(\w+)\}")
_TIME = re.compile(r"([+-]?\d+(?:\.\d+)?)(us|ms|s|min|h)")


class FormError(ValueError):
    """A line does not read as any form; the message says which forms there are."""


class Line(msgspec.Struct, frozen=True):
    """Base of what stands on one line."""

    forms: ClassVar[tuple[str, ...]] = ()


class Kind(NamedTuple):
    """One kind of value in a form: its pattern, and how it is read and written."""

    pattern: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]


def read_time(text: str) -> float:
    """Milliseconds of `1.2s`, `300ms`, `-1h`. Raises FormError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise FormError(f"{text!r} is no time: write a number and one of {', '.join(MS_OF)}, as in 1.2s")
    return float(found[1]) * MS_OF[found[2]]


def write_time(ms: float) -> str:
    """A duration as `read_time` reads it, exactly: seconds where they are whole."""
    if ms % 1000 == 0:
        return f"{int(ms // 1000)}s"
    text = repr(float(ms))
    if "e" in text:
        text = f"{ms:.9f}"
    return f"{text.removesuffix('.0')}ms"


def _read_groups(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(group.split()) for group in text.split("|"))


def _write_groups(groups: Sequence[Sequence[str]]) -> str:
    return " | ".join(" ".join(group) for group in groups)


_NAME = r"[A-Za-z]\w*"
_WORD = r"[!-~]+"
KINDS: dict[str, Kind] = {
    "peer": Kind(_NAME, str, str),
    "any": Kind(rf"{_NAME}|\*", str, str),
    "peers": Kind(rf"{_NAME}(?: +{_NAME})*", lambda text: tuple(text.split()), " ".join),
    "groups": Kind(rf"{_NAME}(?: +{_NAME})*(?: *\| *{_NAME}(?: +{_NAME})*)*", _read_groups, _write_groups),
    "time": Kind(r"[+-]?[\d.]+[a-z]+", read_time, write_time),
    "word": Kind(_WORD, str, str),
    "words": Kind(rf"{_WORD}(?: +{_WORD})*", lambda text: tuple(text.split()), " ".join),
    "text": Kind(r"\S(?:.*\S)?", str, str),
    "number": Kind(r"-?\d+", int, str),
    "percent": Kind(r"\d+(?:\.\d+)?%", lambda text: float(text[:-1]) / 100, lambda part: f"{part * 100:.6g}%"),
    "sign": Kind(r"<=|>=|<|>|=", str, str),
}
"""Kinds of values. A pattern never matches a blank at its ends."""


class Forms:
    """The forms of a family of structs, by the first word of their lines."""

    def __init__(self, what: str, lines: Sequence[type[Line]]) -> None:
        self.what = what
        self._by_word: dict[str, list[tuple[str, re.Pattern[str], list[tuple[str, Kind]], type[Line]]]] = {}
        for line in lines:
            for form in line.forms:
                pattern, fields = _compiled(form)
                self._by_word.setdefault(form.split()[0], []).append((form, pattern, fields, line))
        for known in self._by_word.values():
            # A field may hold any words: the form that has more words of its own is tried first.
            known.sort(key=lambda of: -len(_PLACE.sub("", of[0])))

    def read(self, text: str) -> Line:
        """The struct that a line says. Raises FormError, which names what could stand there."""
        word = text.split()[0] if text.split() else ""
        known = self._by_word.get(word)
        if known is None:
            raise FormError(f"there is no {self.what} {word!r}; there are: {', '.join(sorted(self._by_word))}")
        for _, pattern, fields, line in known:
            found = pattern.fullmatch(text)
            if found is not None:
                return line(**{name: kind.read(found[name]) for name, kind in fields})
        readable = " or ".join(_readable(form) for form, _, _, _ in known)
        raise FormError(f"{text!r} does not read as {readable}")


def write(line: Line) -> str:
    """The line that reads as this struct. Raises ValueError for values that no line can say."""
    for form in line.forms:
        _, fields = _compiled(form)
        named = {name for name, _ in fields}
        others = [f for f in msgspec.structs.fields(type(line)) if f.name not in named]
        if any(getattr(line, f.name) != f.default for f in others):
            continue
        text = form
        for name, kind in fields:
            value = kind.write(getattr(line, name))
            if re.fullmatch(kind.pattern, value) is None:
                raise ValueError(f"{name} {value!r} of {line!r} cannot be written")
            text = re.sub(rf"\{{{name}:\w+\}}", lambda _, value=value: value, text)  # type: ignore[misc]
        return text
    raise ValueError(f"no form of {type(line).__name__} says {line!r}")


def places(form: str) -> list[tuple[str, str]]:
    """The fields that a form asks for, in order, each with its kind."""
    return _PLACE.findall(form)


_known: dict[str, tuple[re.Pattern[str], list[tuple[str, Kind]]]] = {}


def _compiled(form: str) -> tuple[re.Pattern[str], list[tuple[str, Kind]]]:
    if form not in _known:
        fields = [(name, KINDS[kind]) for name, kind in _PLACE.findall(form)]
        pattern, end = "", 0
        for place in _PLACE.finditer(form):
            pattern += _blanks(form[end : place.start()]) + f"(?P<{place[1]}>{KINDS[place[2]].pattern})"
            end = place.end()
        _known[form] = re.compile(pattern + _blanks(form[end:])), fields
    return _known[form]


def _blanks(text: str) -> str:
    return re.escape(text).replace(r"\ ", " +")


def _readable(form: str) -> str:
    return f"`{_PLACE.sub(lambda place: place[1].upper(), form)}`"


__all__ = ["KINDS", "MS_OF", "FormError", "Forms", "Line", "places", "read_time", "write", "write_time"]
