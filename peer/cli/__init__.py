"""peer cli."""
