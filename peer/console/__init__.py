"""The console: an application's commands typed in a terminal, or piped in, at any peer of a cluster."""
