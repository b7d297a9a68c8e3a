"""The order of products in einsum, for which no library is used."""

__all__ = ["enabled", "is_available", "strategy"]

enabled = False
strategy = None


def is_available() -> bool:
    """False."""
    return False
