"""GitHub's side: the event that started us, the API, the sticky comment, the outputs of a step."""
