"""Intel's library for linear algebra, which is not used."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False."""
    return False
