"""peer storage."""
