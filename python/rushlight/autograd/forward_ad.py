"""Forward mode: not supported; every name says so.

Products of a Jacobian and a vector, from two backward passes, are `rushlight.func.jvp` and
`rushlight.autograd.functional.jvp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"torch.autograd.forward_ad.{name} is not supported: there is no forward mode; "
            "torch.func.jvp computes its products from backward passes"
        )

    refuse.__name__ = name
    refuse.__doc__ = "Not supported."
    return refuse


dual_level = _refused("dual_level")
enter_dual_level = _refused("enter_dual_level")
exit_dual_level = _refused("exit_dual_level")
make_dual = _refused("make_dual")
unpack_dual = _refused("unpack_dual")
