"""The version: the package's metadata and ``rushlight.__version__`` both read it here."""

__version__ = "0.1.0"
