"""Where a policy says that data comes from."""
