"""The steps in their order, and what is published of them."""
