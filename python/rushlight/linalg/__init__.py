"""Linear algebra, under the names of ``torch.linalg``.

On the CPU over NumPy's and SciPy's LAPACK, on a CUDA device over CuPy's cuSOLVER; what CuPy does
not have (LU, triangular systems, least squares, LDL, the exponential) is computed on the host.
All matrices are real: `eig` and `eigvals`, whose results are complex, are refused by name.
"""

from __future__ import annotations

from rushlight.errors import LinAlgError
from rushlight.linalg._factorizations import (
    cholesky,
    cholesky_ex,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    householder_product,
    ldl_factor,
    ldl_factor_ex,
    ldl_solve,
    lu,
    lu_factor,
    lu_factor_ex,
    qr,
    svd,
    svdvals,
)
from rushlight.linalg._norms import cond, matrix_rank, norm
from rushlight.linalg._products import cross, diagonal, matmul, matrix_power, vander
from rushlight.linalg._solutions import (
    inv,
    inv_ex,
    lstsq,
    lu_solve,
    pinv,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
    tensorinv,
    tensorsolve,
)
from rushlight.ops.matrices import det, matrix_exp
from rushlight.ops.norms import matrix_norm, vector_norm
from rushlight.ops.products import multi_dot, vecdot

__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "householder_product",
    "inv",
    "inv_ex",
    "ldl_factor",
    "ldl_factor_ex",
    "ldl_solve",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]
