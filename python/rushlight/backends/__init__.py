"""Libraries that PyTorch computes with, as scripts ask for and switch them.

None of them is used here, so what a switch allows does not happen; it is kept and given back.
"""

from rushlight.backends import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]
