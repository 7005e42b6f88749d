"""Train as a job on somebody's cluster: start, follow and stop what a document describes, and fetch what it left."""
