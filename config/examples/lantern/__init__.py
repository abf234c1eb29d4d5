"""A stand of three servers and two lanterns in containers: see docs/how-to/lantern.md."""
