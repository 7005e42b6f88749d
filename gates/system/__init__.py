"""Files, child processes and git on this machine, and what is told while they work."""
