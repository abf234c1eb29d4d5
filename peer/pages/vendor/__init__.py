"""Other people's work, as they published it.

`htm-preact.js` is `preact/standalone.module.js` of the npm package htm 3.1.1, with a line feed at its end: Preact with
its hooks, and htm's `html` in place of a compiler. Licences: htm `LICENSE-htm.txt` (Apache 2.0), Preact
`LICENSE-preact.txt` (MIT).
"""

LIBRARY_SHA256 = "2aeaa3232ca84a7ad7ac0bef39bad3223dbd2173bee6ce4554b77be2f7f271b3"
"""Of `htm-preact.js`: nobody edits it here."""
