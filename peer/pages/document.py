"""The document of an application's page, and the files that it loads from its own peer."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from types import MappingProxyType

from tanist.peer.application.specification import Specified, describe
from tanist.peer.gateways.http_page import ICON
from tanist.peer.gateways.http_page_style import STYLE

FOLDER = Path(__file__).parent
TYPES = {".js": "text/javascript", ".css": "text/css", ".txt": "text/plain"}
"""What is served, by the end of its name."""
COME_ALONG = "tanist.peer.apps."
"""Modules whose applications the pages in `made/` are for: somebody's own `Poll` may be another thing."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ws: wss: http: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Files of this peer alone run, and no markup brings a script or style along. The page looks for other peers when its
own is gone, so that it may connect elsewhere."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the pages, as it is served."""

    content: bytes
    media_type: str
    tag: str
    """Changes with the content."""


@cache
def files() -> Mapping[str, PageFile]:
    """All files, by their path below `/pages/`. They are few and small, and stay in memory."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        media_type = TYPES.get(path.suffix)
        if media_type is not None:
            content = path.read_bytes()
            if path.name == "page.css":
                content = STYLE.encode() + content
            tag = hashlib.sha256(content).hexdigest()[:32]
            found[path.relative_to(FOLDER).as_posix()] = PageFile(content, media_type, tag)
    return MappingProxyType(found)


def document(name: str, application: Specified) -> str:
    """The page of an application that a peer has under this name."""
    offered = describe(application)
    made = name if type(application).__module__.startswith(COME_ALONG) and f"made/{name}.js" in files() else ""
    said = escape(offered.doc.partition("\n")[0])
    shown = escape(name)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{shown} · tanist</title><meta name="description" content="{said}"><link rel="icon" href="{ICON}">
<link rel="stylesheet" href="/pages/page.css"><script type="module" src="/pages/start.js"></script></head>
<body><main id="page" data-app="{shown}" data-made="{made}"><header><h1>{shown}</h1></header><p>{said}</p>
<noscript><p>This page needs JavaScript; a terminal does as well: <code>tanist shell {shown}</code></p></noscript>
</main></body></html>
"""
