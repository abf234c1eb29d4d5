"""Lets tests import the helpers that stand beside them (scenario, soak): importlib mode adds no path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
