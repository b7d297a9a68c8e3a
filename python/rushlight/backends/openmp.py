"""OpenMP, which is not used: the kernels have threads of their own."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False."""
    return False
