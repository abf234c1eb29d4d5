"""Pages of applications over HTTP: the document at `/apps/APP` for browsers, and its files below `/pages/`."""

from urllib.parse import unquote

from aiohttp import web

from tanist.peer.application.specification import Specified
from tanist.peer.errors import NotFound
from tanist.peer.pages.document import CONTENT_SECURITY_POLICY, document, files

PREFIX = "/pages/"
"""Where the files are."""
VARY = "Accept"
"""What the answer of `/apps/APP` depends on."""
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
"""A newer peer at the same address may have others; browsers ask whether theirs are still right."""


def wants_page(request: web.BaseRequest) -> bool:
    """Whether a browser is to show the answer: programs, and scripts of pages, do not ask for HTML."""
    return "text/html" in request.headers.get("Accept", "")


def application_page(name: str, application: Specified) -> web.Response:
    """The page of an application."""
    headers = _HEADERS | {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Vary": VARY}
    return web.Response(text=document(name, application), content_type="text/html", headers=headers)


def page_file(request: web.BaseRequest, path: str) -> web.Response:
    """A file of the pages. Raises `NotFound`."""
    name = unquote(path.removeprefix(PREFIX))
    found = files().get(name)
    if found is None:
        raise NotFound(f"there is no {path[:100]} here; pages are at /apps/APP")
    tag = f'"{found.tag}"'
    headers = _HEADERS | {"ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.content, content_type=found.media_type, charset="utf-8", headers=headers)
