"""The pages of applications: small ES modules, a style and the document around them, served as they are.

`start.js` begins; `connection.js` is the client at a peer; `generic.js` makes forms and live answers from what
`GET /apps/APP` tells; the files in `made/` are pages for one application each, where looking beats reading.
"""
