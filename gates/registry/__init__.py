"""Where models are kept, and which of them serves."""
