"""GradScaler step by step as PyTorch's; autocast and its state."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight.amp import GradScaler


def scaled_training(lib: Any) -> list[Any]:
    """Ten passes, two of which overflow; the state halfway goes to a new scaler."""
    layer = lib.nn.Linear(3, 2)
    with lib.no_grad():
        for p in layer.parameters():
            p.fill_(0.5)
    optimizer = lib.optim.SGD(layer.parameters(), 0.1)
    scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    history: list[Any] = []
    for i in range(10):
        optimizer.zero_grad()
        loss = layer(lib.ones(1, 3)).square().sum()
        if i in (3, 4):
            loss = loss * float("inf")
        scaler.scale(loss).backward()
        if i % 2:
            scaler.unscale_(optimizer)
            history.append(layer.weight.grad.sum().item())
        assert scaler.step(optimizer) is None
        scaler.update()
        history.append((scaler.get_scale(), layer.weight.detach().sum().item()))
        if i == 5:
            state = copy.deepcopy(scaler.state_dict())
            history.append(state)
            scaler = lib.amp.GradScaler("cpu")
            scaler.load_state_dict(state)
    return history


def test_scaler_as_pytorch(torch: Any) -> None:
    for found, expected in zip(scaled_training(rushlight), scaled_training(torch), strict=True):
        if isinstance(found, dict):
            assert found == expected
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_scaler_misuse() -> None:
    p = rushlight.ones(1, requires_grad=True)
    optimizer = rushlight.optim.SGD([p], 0.1)
    scaler = GradScaler("cpu")
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to update"):
        scaler.update()
    with pytest.raises(AssertionError, match="No inf checks were recorded for this optimizer"):
        scaler.step(optimizer)
    scaler = GradScaler("cpu")
    p.grad = rushlight.ones(1)
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match=r"unscale_\(\) has already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"unscale_\(\) is being called after step\(\)"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(optimizer, closure=list)
    with pytest.raises(RuntimeError, match="The source state dict is empty"):
        scaler.load_state_dict({})
    with pytest.raises(ValueError, match="outputs must be a Tensor"):
        scaler.scale(3)
    with pytest.raises(AssertionError, match="The growth factor must be > 1"):
        GradScaler("cpu", growth_factor=1.0)
    with pytest.raises(NotImplementedError, match="device='xla'"):
        GradScaler("xla")


def test_scaler_that_is_off() -> None:
    scaler = GradScaler("cpu", enabled=False)
    x = rushlight.ones(1)
    assert scaler.scale(x) is x and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    scaler.update()
    if not rushlight.cuda.is_available():
        with pytest.warns(UserWarning, match="but CUDA is not available"):
            assert not GradScaler().is_enabled()


def test_scaling_of_lists() -> None:
    scaler = GradScaler("cpu", init_scale=4.0)
    first, (second,) = scaler.scale([rushlight.ones(1), (rushlight.full((1,), 2.0),)])
    assert (first.item(), second.item()) == (4.0, 8.0)


def test_autocast_that_is_off() -> None:
    with rushlight.autocast("cpu", enabled=False):
        assert not rushlight.is_autocast_enabled("cpu")
        assert rushlight.ones(2, 2).mm(rushlight.ones(2, 2)).dtype is rushlight.float32
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        rushlight.autocast(3)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'tpu'"):
        rushlight.autocast("tpu")
    with pytest.warns(UserWarning, match="CPU Autocast only supports dtype of torch.bfloat16"):
        rushlight.autocast("cpu", dtype=rushlight.float64)
