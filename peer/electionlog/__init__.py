"""peer electionlog."""
