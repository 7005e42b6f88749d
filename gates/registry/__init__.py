"""Where models are stored, and which of them serves."""
