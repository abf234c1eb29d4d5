"""peer application."""
