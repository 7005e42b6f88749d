"""What commands print as JSON: an audit, a diagnosis, differences, aliases, a checked table."""
