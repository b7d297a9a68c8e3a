"""What this is the version of, and which CUDA it works with."""

from __future__ import annotations

from rushlight._version import __version__

__all__ = ["__version__", "debug", "git_version", "hip"]

debug = False
git_version = "unknown"
hip = None


def _cuda() -> str | None:
    from rushlight import cuda
    from rushlight.backend.cuda import runtime

    if not cuda.is_available():
        return None
    number = runtime.cp.cuda.runtime.runtimeGetVersion()
    return f"{number // 1000}.{number % 1000 // 10}"


def __getattr__(name: str) -> str | None:
    if name == "cuda":  # asked for late: it needs the driver
        return _cuda()
    raise AttributeError(f"rushlight has no torch.version.{name}")
