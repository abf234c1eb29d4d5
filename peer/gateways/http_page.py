"""The page at `/`: who serves, the fallback list and the members, live, in one self-contained document."""

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#667085;--line:#d9dee7;--card:#fff;--bg:#f4f6f9;--good:#137a4b;
--warn:#b25e09;--bad:#b42318;--mark:#e7f5ee}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--soft:#98a2b3;--line:#323b4a;--card:#1b212b;--bg:#12161d;
--good:#4cc38a;--warn:#f0a557;--bad:#f97066;--mark:#17352a}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--bg)}
main{max-width:58rem;margin:0 auto;padding:1rem}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem .8rem}
h1{font-size:1.3rem;margin:.2rem 0}h2{font-size:1rem;margin:0 0 .4rem}
.soft{color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem;margin:.8rem 0}
.serving{font-size:1.5rem;font-weight:650;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.5rem;margin:.7rem 0 0}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;overflow-wrap:anywhere}
ol,ul{list-style:none;margin:0;padding:0}
li{display:grid;grid-template-columns:1.6rem 1fr auto;gap:.1rem .5rem;padding:.45rem 0;border-top:1px solid var(--line)}
li:first-child{border-top:0}li .more{grid-column:2/-1;color:var(--soft);font-size:.88rem;overflow-wrap:anywhere}
.tag{border-radius:1rem;padding:0 .55rem;font-size:.8rem;border:1px solid var(--line);white-space:nowrap}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
li.heir{background:var(--mark);border-radius:.4rem}
#events li{grid-template-columns:1fr;font:13px/1.4 ui-monospace,monospace;padding:.2rem 0;overflow-wrap:anywhere}
"""

SCRIPT = """
'use strict';
const $ = id => document.getElementById(id);
function node(tag, cls, text) { const n = document.createElement(tag); if (cls) n.className = cls;
  if (text !== undefined) n.textContent = text; return n; }
function fact(name, value) { const d = node('div'); d.append(node('dt', '', name), node('dd', '', value)); return d; }
function row(place, name, tag, tagClass, more, rowClass) {
  const li = node('li', rowClass || '');
  li.append(node('span', 'soft', place), node('strong', '', name), node('span', 'tag ' + tagClass, tag),
    node('span', 'more', more)); return li; }
const entries = n => n + (n === 1 ? ' entry' : ' entries');
function fill(box, rows, none) { box.replaceChildren(...(rows.length ? rows : [node('li', 'soft', none)])); }
function show(s) {
  document.title = (s.server ? s.server.name + ' serves' : 'no server') + ' · ' + s.cluster;
  $('cluster').textContent = s.cluster;
  $('me').textContent = 'seen from ' + s.name + ' (' + s.role + ')';
  const serving = $('serving');
  serving.className = 'serving ' + (s.server ? 'good' : 'bad');
  serving.textContent = s.server ? s.server.name + ' serves' : 'Nobody serves';
  $('problem').textContent = s.problem || '';
  $('facts').replaceChildren(
    fact('Address', s.server ? s.server.address : '–'), fact('Term', s.term.number || '–'),
    fact('Since', s.since ? new Date(s.since).toLocaleString() : '–'), fact('Safety', s.safety),
    fact('Acknowledged as', s.durability + ', reaching ' + s.reach + ' of ' + s.members.length),
    fact('Entries applied', s.applied + ' of ' + s.commit), fact('Applications', s.apps.join(', ') || 'none'));
  fill($('fallbacks'), s.fallbacks.map((f, i) => row(i + 1, f.name,
    i === 0 ? 'heir' : f.in_sync ? 'in sync' : 'behind', f.in_sync ? 'good' : 'warn',
    [f.address, f.in_sync ? '' : entries(f.lag) + ' behind', f.counts ? 'acknowledgements wait for it' : '', f.reason]
      .filter(Boolean).join(' · '), i === 0 ? 'heir' : '')), 'Nobody stands ready yet.');
  fill($('members'), s.members.map(m => row(s.server && m.id === s.server.id ? '★' : '', m.name, m.state,
    m.state === 'live' ? 'good' : m.state === 'absent' ? 'bad' : 'warn',
    [m.address, m.lag > 0 ? entries(m.lag) + ' behind' : ''].filter(Boolean).join(' · '))), 'No members yet.');
}
let asking = false, again = false;
async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch('/status', {cache: 'no-store', signal: AbortSignal.timeout(3000)});
    show(await answer.json()); $('link').textContent = '';
  } catch (e) { $('link').textContent = 'This peer does not answer; trying again.'; }
  asking = false;
  if (again) { again = false; setTimeout(refresh, 200); }
}
function tell(e) {
  const line = (e.type === 'cluster' ? '' : e.app + ': ') + (e.line || e.event);
  if ($('none')) $('none').remove();
  $('events').prepend(node('li', '', new Date().toLocaleTimeString() + '  ' + line));
  while ($('events').children.length > 30) $('events').lastChild.remove();
}
let after = '', wait = 500;
function listen() {
  const ws = new WebSocket(location.origin.replace('http', 'ws') + '/events' + (after ? '?after=' + after : ''));
  ws.onopen = () => { wait = 500; };
  ws.onmessage = m => { const e = JSON.parse(m.data);
    if (e.type === 'error') { after = ''; return; }
    if (e.position) after = e.position;
    tell(e);
    if (e.type === 'cluster') refresh(); };
  ws.onclose = () => { setTimeout(listen, wait); wait = Math.min(wait * 2, 8000); refresh(); };
}
listen(); refresh(); setInterval(refresh, 1000);
"""

PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>tanist</title><link rel="icon" href="data:,"><style>{STYLE}</style></head>
<body><main>
<header><h1>tanist · <span id="cluster">…</span></h1><span class="soft" id="me"></span></header>
<div class="bad" id="link" role="status"></div>
<section aria-live="polite"><div class="serving" id="serving">…</div><div class="warn" id="problem"></div>
<dl id="facts"></dl></section>
<section><h2>If it dies, who serves on</h2><ol id="fallbacks"></ol></section>
<section><h2>Members</h2><ul id="members"></ul></section>
<section><h2>Events</h2><ul id="events"><li class="soft" id="none">None yet.</li></ul></section>
<noscript>This page needs JavaScript; <a href="/status">/status</a> says the same as JSON.</noscript>
</main><script>{SCRIPT}</script></body></html>
"""


def _hashed(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src {_hashed(SCRIPT)}; style-src {_hashed(STYLE)}; img-src data:; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Only this page's own script and style run, whatever a name or an event may contain."""
