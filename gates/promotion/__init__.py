"""Move aliases: what is verified, the transaction, and the status afterwards."""
