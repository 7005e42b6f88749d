"""Judge experiments: whether the log is sound, and what two arms show. Pure."""
