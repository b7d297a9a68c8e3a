"""Kernels over CuPy arrays, under the names of the CPU's.

Pointwise kernels and optimizer steps are compiled at run time from the headers that the CPU's are
built from; matrix products are cuBLAS's; the rest is composed of CuPy's own kernels. Importing this
package costs nothing: CuPy is loaded when the first array is made, see `runtime`.
"""

from __future__ import annotations

from rushlight.backend.arrangement import *  # noqa: F403
from rushlight.backend.common import *  # noqa: F403
from rushlight.backend.counting import *  # noqa: F403
from rushlight.backend.ctc import *  # noqa: F403
from rushlight.backend.cuda.arrays import *  # noqa: F403
from rushlight.backend.cuda.checks import *  # noqa: F403
from rushlight.backend.cuda.loss import *  # noqa: F403
from rushlight.backend.cuda.nn import *  # noqa: F403
from rushlight.backend.cuda.normalization import *  # noqa: F403
from rushlight.backend.cuda.optim import *  # noqa: F403
from rushlight.backend.cuda.pointwise import *  # noqa: F403
from rushlight.backend.cuda.random import *  # noqa: F403
from rushlight.backend.cuda.reduction import *  # noqa: F403
from rushlight.backend.cuda.runtime import *  # noqa: F403
from rushlight.backend.cuda.scan import *  # noqa: F403
from rushlight.backend.cuda.special import *  # noqa: F403
from rushlight.backend.indexing import *  # noqa: F403
from rushlight.backend.linalg import *  # noqa: F403
from rushlight.backend.reparameterization import *  # noqa: F403
from rushlight.backend.scattering import *  # noqa: F403
from rushlight.backend.strided import *  # noqa: F403
from rushlight.backend.windows import *  # noqa: F403
