"""Self-checks for the exercises: one module a chapter; `exercise`, `answer` and `compare` are what they stand on."""
