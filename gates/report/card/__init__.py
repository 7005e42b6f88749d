"""The model card, and what the Hugging Face hub reads in it."""
