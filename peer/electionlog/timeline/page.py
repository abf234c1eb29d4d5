"""A timeline as one page: style, scripts and data in one file that loads nothing, from nowhere.

The page forbids itself everything but its own style and scripts, each named by its hash; all text of logs reaches it as
JSON and is only ever set as text.
"""

import base64
import hashlib
from functools import lru_cache
from html import escape
from importlib.resources import files

import msgspec

from tanist.peer.electionlog.timeline.model import Timeline

SCRIPTS = (
    "times.js",
    "data.js",
    "view.js",
    "shapes.js",
    "chart.js",
    "parts.js",
    "overview.js",
    "details.js",
    "below.js",
    "search.js",
    "moves.js",
)
"""The page's scripts in the order in which they need one another; together one script."""


def page(timeline: Timeline) -> str:
    """The page that shows a timeline; UTF-8."""
    html, style, script = _parts()
    title = timeline.title or "Election timeline"
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    parts = {"POLICY": policy, "TITLE": title, "STYLE": style, "SCRIPT": script, "DATA": embedded(timeline)}
    # The template is split at its places, so that nothing in one part can be taken for a place of another.
    page, *rest = html.split("{{")
    for piece in rest:
        name, _, text = piece.partition("}}")
        page += (escape(parts[name]) if name in ("POLICY", "TITLE") else parts[name]) + text
    return page


def embedded(timeline: Timeline) -> str:
    """The timeline as JSON that can stand in a script element: nothing in it ends or opens an element or a comment."""
    text = msgspec.json.encode(timeline).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache(maxsize=1)
def _parts() -> tuple[str, str, str]:
    """The template, the style and the script."""
    here = files("tanist.peer.electionlog.timeline")
    scripts = "\n".join(here.joinpath(name).read_text("utf-8") for name in SCRIPTS)
    script = f"'use strict';\n(() => {{\n{scripts}}})();\n"
    return here.joinpath("page.html").read_text("utf-8"), here.joinpath("page.css").read_text("utf-8"), script


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
