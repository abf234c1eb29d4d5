"""A peer that another program starts: `tanist` with these arguments, and an end when its parent ends.

The demo and tests end their peers themselves; this is for those that were killed, and can no longer do so.
"""

import os
import sys
import threading

from tanist.peer.cli import main


def end_with_parent() -> None:
    """End this process as soon as its standard input does: whoever started it holds the other end."""
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(main())
