"""The rules of a contract, of rows and of whole tables."""
