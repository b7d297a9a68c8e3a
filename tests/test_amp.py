"""GradScaler step by step as PyTorch's; autocast and its state."""

from __future__ import annotations

import copy
import importlib
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


def test_older_names() -> None:
    for kind in ("cpu", "cuda"):
        amp = importlib.import_module(f"rushlight.{kind}.amp")
        with amp.autocast(enabled=False):
            assert not rushlight.is_autocast_enabled(kind)
        assert not amp.GradScaler(enabled=False).is_enabled()


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


# ---- Casts: where the generated operations make them ----

# Functions of the library, its functional module, and what makes a tensor of a shape.
CASTS = {
    "mm": lambda lib, F, x: x(3, 3).mm(x(3, 3)),
    "matmul operator": lambda lib, F, x: x(3, 3) @ x(3, 3),
    "addmm": lambda lib, F, x: lib.addmm(x(3, 3), x(3, 3), x(3, 3)),
    "bmm": lambda lib, F, x: lib.bmm(x(2, 3, 3), x(2, 3, 3)),
    "linear": lambda lib, F, x: F.linear(x(3, 3), x(3, 3), x(3)),
    "conv2d": lambda lib, F, x: F.conv2d(x(1, 1, 4, 4), x(1, 1, 3, 3)),
    "mse_loss": lambda lib, F, x: F.mse_loss(x(3).bfloat16(), x(3)),
    "nll_loss": lambda lib, F, x: F.nll_loss(x(2, 3).bfloat16(), lib.tensor([0, 1])),
    "cross_entropy": lambda lib, F, x: F.cross_entropy(x(2, 3).bfloat16(), lib.tensor([0, 1])),
    "prod": lambda lib, F, x: x(3).bfloat16().prod(),
    "cat": lambda lib, F, x: lib.cat([x(3).to(lib.get_autocast_dtype("cpu")), x(3)]),
    "stack": lambda lib, F, x: lib.stack([x(3).to(lib.get_autocast_dtype("cpu")), x(3)]),
    "add": lambda lib, F, x: x(3).bfloat16() + x(3),
    "softmax": lambda lib, F, x: x(3).bfloat16().softmax(0),
    "float64": lambda lib, F, x: x(3, 3).double() @ x(3, 3).double(),
    "in place": lambda lib, F, x: x(3, 3).mul_(x(3, 3)),
}


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CASTS)
def test_casts(torch: Any, name: str, kind: str) -> None:
    results = []
    for lib in (rushlight, torch):

        def tensor(*shape: int, lib: Any = lib) -> Any:
            values = np.random.default_rng(0).random(shape)
            return lib.from_numpy(values.astype(np.float32))

        with lib.autocast("cpu", dtype=getattr(lib, kind)):
            results.append(CASTS[name](lib, lib.nn.functional, tensor))
    found, expected = results
    assert str(found.dtype) == str(expected.dtype)
    np.testing.assert_allclose(found.float().numpy(), expected.float().numpy(), rtol=2e-2)


def test_autocast_in_training() -> None:
    layer = rushlight.nn.Linear(3, 2)
    x = rushlight.ones(4, 3)
    with rushlight.autocast("cpu"):
        first, second = layer(x), layer(x)
        assert first.dtype is rushlight.bfloat16
        with rushlight.autocast("cpu", enabled=False):
            assert layer(x).dtype is rushlight.float32
        with rushlight.autocast("cpu", dtype=rushlight.float16):
            assert layer(x).dtype is rushlight.float16
        assert first.grad_fn is not None
        (first.float() + second.float()).sum().backward()
        assert rushlight.get_autocast_dtype("cpu") is rushlight.bfloat16
    assert layer.weight.grad.dtype is rushlight.float32
    assert layer.weight.grad.tolist() == [[8.0] * 3] * 2
    assert layer(x).dtype is rushlight.float32
    with rushlight.no_grad():
        layer.weight.fill_(1.0)
    decorated = rushlight.autocast("cpu")(layer.forward)
    assert decorated(x).dtype is rushlight.bfloat16
    with rushlight.autocast("cpu"):
        layer(x)
        with rushlight.no_grad():  # a cast that was kept is not used for what has changed
            layer.weight.mul_(2.0)
        assert (layer(x) - layer.bias).float().sub(6).abs().max().item() < 0.1
