"""Waits, and becomes a program: run as a script in place of a process that crashed in a drill.

    python again.py MILLISECONDS PROGRAM ARGUMENTS…

The process stays the same one to whoever started it, a terminal or a supervisor.
"""

import os
import sys
import time

if __name__ == "__main__":
    time.sleep(int(sys.argv[1]) / 1000)
    os.execv(sys.argv[2], sys.argv[2:])
