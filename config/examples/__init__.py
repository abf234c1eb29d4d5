"""config examples."""
