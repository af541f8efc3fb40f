"""Recorded runs: their settings, how they are made, the ladder, and their files."""
