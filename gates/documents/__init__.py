"""The published documents: what travels from one step, machine or year to another."""
