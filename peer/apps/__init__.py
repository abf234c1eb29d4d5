"""peer apps."""
