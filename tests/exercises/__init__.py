"""Plausible wrong answers to every exercise, one module for each notebook: WRONG[name] = [(answer, hint), ...]."""
