"""hypothesis without its time limit for one example: on a busy machine that fails tests that are right."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
