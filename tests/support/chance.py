"""How many examples a law is tried on."""

from hypothesis import settings


def examples(count):
    """Decorator: COUNT examples where a hundred take long; ten times as many with `make test-random`."""
    return settings(max_examples=count * settings.default.max_examples // settings.get_profile("same").max_examples)
