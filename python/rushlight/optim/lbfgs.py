"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import enable_grad, no_grad
from rushlight.tensor import Tensor

from ._line_search import Point, strong_wolfe
from .optimizer import Optimizer, ParamsT, check_options

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Quasi-Newton steps from the last changes of the parameters and of the gradient.

    Each iteration of a step goes along ``d = -H g``, where H is the estimate of the inverse Hessian
    by at most `history_size` pairs of changes, by the length `lr` (at the first iteration no more
    than ``lr / |g|_1``) or by one that a line search finds. All parameters are one vector, so there
    is one group only.

    Args:
        params: tensors.
        lr: length of a step, or where the line search begins.
        max_iter: most iterations of one step.
        max_eval: most calls of the closure by one step; None is ``max_iter * 1.25``.
        tolerance_grad: a step ends when no element of the gradient is larger.
        tolerance_change: a step ends when the parameters or the loss change by less.
        history_size: pairs of changes that are kept.
        line_search_fn: ``"strong_wolfe"`` or None.

    Raises:
        ValueError: an option is negative, or there are several groups.

    Source: Nocedal and Wright, Numerical optimization (2006), algorithms 7.4 and 7.5.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_options({"learning rate": lr})
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:
        """Change the parameters by up to `max_iter` iterations.

        Args:
            closure: computes the loss anew, with gradients, and returns it.

        Returns:
            What the closure returned first.

        Raises:
            RuntimeError: for a line search of another name.
        """
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with enable_grad():
            first = closure()
        loss, grad, calls = float(first), self._flat_grad(), 1
        if _largest(grad) > group["tolerance_grad"]:
            calls = self._iterate(closure, group, state, loss, grad)
        state["func_evals"] += calls
        return first

    def _iterate(
        self, closure: Any, group: dict[str, Any], state: dict[str, Any], loss: float, grad: Tensor
    ) -> int:
        """Iterate from a point where the loss is known; return how often it was computed so far."""
        lr, calls = float(group["lr"]), 1
        for i in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            _remember(state, grad, group["history_size"])
            direction = state["d"]
            start = 1.0 if state["n_iter"] > 1 else min(1.0, 1.0 / grad.abs().sum().item())
            state["t"], state["prev_loss"] = start * lr, loss
            former = Point(0.0, loss, grad, grad.dot(direction).item())
            if former.slope > -group["tolerance_change"]:
                break
            last = i == group["max_iter"]
            if group["line_search_fn"] is not None:
                left = group["max_eval"] - calls
                found, spent = self._search(closure, former, state["t"], direction, left)
                state["t"], loss, grad = found.t, found.loss, found.grad
                self._move(direction, found.t)
                calls += spent
            else:
                self._move(direction, state["t"])
                if not last:
                    with enable_grad():
                        loss = float(closure())
                    grad = self._flat_grad()
                    calls += 1
            if (
                last
                or calls >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(direction) * abs(state["t"]) <= group["tolerance_change"]
                or abs(loss - former.loss) < group["tolerance_change"]
            ):
                break
        return calls

    def _search(
        self, closure: Any, start: Point, t: float, direction: Tensor, most: int
    ) -> tuple[Point, int]:
        before = [p.clone() for p in self._params]

        def at(t: float) -> Point:
            self._move(direction, t)
            with enable_grad():
                loss = float(closure())
            grad = self._flat_grad()
            for p, value in zip(self._params, before, strict=True):
                p.copy_(value)
            return Point(t, loss, grad, grad.dot(direction).item())

        return strong_wolfe(at, start, t, _largest(direction), most)

    def _flat_grad(self) -> Tensor:
        """Return a copy of all gradients as one vector, zeros for those that are None."""
        parts = [
            p.new_zeros(p.numel()) if p.grad is None else p.grad.detach() for p in self._params
        ]
        return ops.cat([part.reshape(-1) for part in parts])

    def _move(self, direction: Tensor, t: float) -> None:
        """Add ``t direction`` to the parameters."""
        parts = direction.split([p.numel() for p in self._params])
        for p, part in zip(self._params, parts, strict=True):
            p.add_(part.view_as(p), alpha=t)


def _remember(state: dict[str, Any], grad: Tensor, history_size: int) -> None:
    """Take the last change into the history, and set the next direction ``state["d"]``."""
    if state["n_iter"] == 1:
        state.update(d=-grad, old_dirs=[], old_stps=[], ro=[], H_diag=1)
    else:
        change, step = grad - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = change.dot(step)
        if curvature.item() > 1e-10:
            for key, value in (("old_dirs", change), ("old_stps", step), ("ro", 1.0 / curvature)):
                state[key] = [*state[key], value][-history_size:]
            state["H_diag"] = curvature / change.dot(change)
        state["d"] = _newton(state, grad, history_size)
    state["prev_flat_grad"] = grad


def _newton(state: dict[str, Any], grad: Tensor, history_size: int) -> Tensor:
    """Return minus the inverse Hessian of the history times the gradient, by two loops."""
    pairs = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
    along = state.setdefault("al", [None] * history_size)
    d: Tensor = -grad
    for i, (change, step, ro) in reversed(list(enumerate(pairs))):
        along[i] = step.dot(d) * ro
        d.sub_(change * along[i])
    d *= state["H_diag"]
    for i, (change, step, ro) in enumerate(pairs):
        d.add_(step * (along[i] - change.dot(d) * ro))
    return d


def _largest(x: Tensor) -> float:
    return float(x.abs().max().item())
