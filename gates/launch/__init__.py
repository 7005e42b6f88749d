"""Training as a job on somebody's cluster: a document in the platform's words is started, followed, stopped, fetched."""
