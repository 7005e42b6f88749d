"""What text means: formats, patterns and timestamps as SQL."""
