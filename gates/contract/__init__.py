"""The contract: what a row and a table of data must look like. Pure: it makes SQL and never runs it."""
