"""The election log: written by every peer, read by people who want to know who served when, and why that changed."""
