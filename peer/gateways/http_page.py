"""The page at `/`: who serves, the fallback list and the members, live, in one self-contained document."""

import base64
import hashlib

from tanist.peer.gateways.http_page_script import SCRIPT
from tanist.peer.gateways.http_page_style import STYLE

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'%3E"
    "%3Ccircle cx='4.5' cy='4.5' r='4' fill='%230062a3'/%3E"
    "%3Ccircle cx='4.5' cy='4.5' r='1.6' fill='%23fff'/%3E%3C/svg%3E"
)

PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>tanist</title><link rel="icon" href="{ICON}"><style>{STYLE}</style></head>
<body><main>
<header><h1>tanist · <span id="cluster">…</span></h1><span class="soft" id="me"></span></header>
<div class="bad" id="link" role="alert"></div><div class="unseen" id="spoken" role="status"></div>
<section id="now" aria-labelledby="serving">
<h2 id="serving">…</h2><p class="soft" id="since"></p><p class="bad" id="problem"></p><ol id="steps"></ol>
<p id="last"></p><p class="doubt" id="note"></p><dl id="facts"></dl></section>
<div class="grid">
<section aria-labelledby="after"><h2 id="after">Who may serve on</h2><p class="soft small" id="aftersoft"></p>
<ol class="rows" id="fallbacks"></ol><button id="handover" hidden></button>
<div class="bad" id="said" role="alert"></div>
</section>
<section aria-labelledby="h-members"><h2 id="h-members">Members</h2><ul class="rows" id="members"></ul></section>
<section class="wide" aria-labelledby="h-apps"><h2 id="h-apps">Applications</h2>
<ul class="rows" id="apps"></ul></section>
<section class="wide" aria-labelledby="h-events"><h2 id="h-events">Events, newest first</h2>
<ol id="events" tabindex="0" aria-labelledby="h-events"><li id="none" class="soft">None yet.</li></ol></section>
<section class="wide" aria-labelledby="h-reigns"><h2 id="h-reigns">Who served, by term</h2>
<ol class="rows" id="reigns"></ol></section>
</div>
<noscript>This page needs JavaScript; <a href="/status">/status</a> says the same as JSON.</noscript>
</main><script>{SCRIPT}</script></body></html>
"""


def hashed(text: str) -> str:
    """A script or style of a page as a content security policy names it."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src {hashed(SCRIPT)}; style-src {hashed(STYLE)}; img-src data:; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Only this page's own script and style run, whatever a name or an event may contain."""
