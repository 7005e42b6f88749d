"""Copy the tables of a policy from where they are kept: objects of a store, rows of a query."""
