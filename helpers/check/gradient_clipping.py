"""Checks of its notebook."""
