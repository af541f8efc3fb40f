"""Self-checks for the exercises: one module for each notebook, and `answer`, on which they stand."""
