"""Apple's GPUs, which are not supported."""

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """False."""
    return False


is_built = is_available
