"""Settings of hypothesis for every test: the same random inputs on each run, and no clock."""

from hypothesis import settings

# derandomize: a failure in continuous integration is the same failure at home.
# deadline None: a busy machine must not fail a test.
settings.register_profile("course", max_examples=40, deadline=None, derandomize=True)
settings.load_profile("course")
