"""The lantern: its frames and commands, shared by the stand that sends them and the lantern that obeys."""
