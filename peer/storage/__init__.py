"""What a peer keeps: its data directory, the journal, snapshots, and archives of entries that left the log."""
