"""What the lantern's page is made of: its markup, style and script, small enough to be read."""

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1b1b, #eee); --paper: light-dark(#f4f1ea, #15171c); }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 1.1rem/1.4 system-ui, sans-serif; }
main { width: min(22rem, 92vw); text-align: center; }
svg { width: 100%; height: auto; }
#glass { transition: fill .25s; }
#glow { transition: opacity .25s; }
.off #glow { opacity: 0; }
.off #glass { fill: #3a3a3a; }
form { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; }
button, input { min-height: 3rem; border-radius: .6rem; border: 2px solid var(--ink); background: none; color: inherit;
  font: inherit; cursor: pointer; }
button:hover, input:hover { background: color-mix(in srgb, var(--ink) 12%, transparent); }
button:focus-visible, input:focus-visible { outline: 3px solid #0b66c3; outline-offset: 2px; }
input { width: 100%; padding: .4rem; }
#said { min-height: 1.5rem; }
"""

SCRIPT = """
"use strict";
const $ = id => document.getElementById(id);
const api = `${location.protocol}//${location.hostname}:${document.body.dataset.api}/`;
let picking = false, socket = null;

function show(lantern) {
  document.body.className = lantern.on ? "on" : "off";
  const color = "#" + lantern.color;
  $("glass").setAttribute("fill", color);
  $("halo").setAttribute("stop-color", color);
  if (!picking) $("color").value = color;
  $("how").textContent = lantern.on ? `The lantern shines, ${color}` : "The lantern is dark";
}

async function tell(command, value) {
  try {
    const answer = await fetch(api, {method: "POST",
      body: JSON.stringify({method: "message", params: value ? {command, value} : {command}})});
    const told = await answer.json();
    $("said").textContent = answer.ok ? "" : told.error;
  } catch { $("said").textContent = "Nobody answers at " + api; }
}

function connect() {
  socket = new WebSocket(`ws${location.protocol === "https:" ? "s" : ""}://${location.host}/ws`);
  socket.onopen = () => { $("said").textContent = ""; };
  socket.onmessage = message => show(JSON.parse(message.data));
  socket.onclose = () => { $("said").textContent = "Looking for the stand…"; setTimeout(connect, 1000); };
}

// Who comes back to the page is told anew: a connection that died while a phone slept does not say so.
document.onvisibilitychange = () => {
  if (document.hidden || socket.readyState !== WebSocket.OPEN) return;
  socket.onclose = socket.onmessage = null;
  socket.close();
  connect();
};
$("on").onclick = () => tell("ON");
$("off").onclick = () => tell("OFF");
$("color").oninput = () => { picking = true; };
$("color").onchange = $("paint").onclick = () => { picking = false; tell("COLOR", $("color").value.slice(1)); };
document.querySelector("form").onsubmit = event => event.preventDefault();
connect();
"""

LANTERN = """
<svg viewBox="0 0 200 240" role="img" aria-labelledby="how"><title id="how">The lantern</title>
<defs><radialGradient id="halos"><stop id="halo" offset="0" stop-color="#fff" stop-opacity=".85"/>
<stop offset="1" stop-color="#fff" stop-opacity="0"/></radialGradient></defs>
<circle id="glow" cx="100" cy="125" r="100" fill="url(#halos)"/>
<path d="M100 8a14 14 0 0 1 14 14v12H86V22a14 14 0 0 1 14-14z" fill="none" stroke="currentColor" stroke-width="5"/>
<path d="M58 62l16-28h52l16 28z" fill="currentColor"/>
<path id="glass" d="M62 66h76l10 112H52z" fill="#fff"/>
<path d="M62 66h76l10 112H52zM100 66v112M57 122h86" fill="none" stroke="currentColor" stroke-width="5"/>
<path d="M44 180h112v16H44zM58 196h84v14H58z" fill="currentColor"/></svg>
"""


def page(api_port: int) -> str:
    """The page, which calls the API at that port of the host that it came from."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>The lantern</title><style>{STYLE}</style></head>
<body class="off" data-api="{api_port}"><main>{LANTERN}
<form><button id="on" type="button">On</button><button id="off" type="button">Off</button>
<button id="paint" type="button">Colour</button>
<input id="color" type="color" value="#ffffff" aria-label="Which colour"></form>
<p id="said" role="status" aria-live="polite"></p></main><script>{SCRIPT}</script></body></html>
"""
