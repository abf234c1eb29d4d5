"""`python -m tanist.peer.cli`: the same as the `tanist` command."""

from tanist.peer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
