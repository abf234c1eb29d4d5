"""The check of election logs: what must hold in them, whatever happened, and the lines that show that it did not."""
