"""GitHub: the event that started the run, the API, the comment, and the outputs of a step."""
