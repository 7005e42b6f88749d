"""Who may move an alias: what is verified, the transaction, and what stands afterwards."""
