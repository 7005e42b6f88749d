"""The steps in their order, and the reports of them."""
