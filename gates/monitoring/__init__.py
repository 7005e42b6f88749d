"""Judge windows of live rows: the same limits as before the release, watched over time. Pure."""
