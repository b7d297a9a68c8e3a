"""Benchmarks of rushlight against PyTorch; run as ``python -m benchmarks``."""
