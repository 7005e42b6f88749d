"""Files, child processes and git on this machine, and progress while they work."""
