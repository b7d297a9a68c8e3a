"""Intel's library for layers, which is not used."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False."""
    return False
