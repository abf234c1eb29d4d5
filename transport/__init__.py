"""Bytes to messages and back: frames, codec, hello, links over TCP, and an in-memory twin. Decides nothing."""
