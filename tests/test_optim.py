"""Optimizers and schedules: groups, state, hooks; every step equal to PyTorch's."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import rushlight
from rushlight import optim
from rushlight.optim import lr_scheduler

STEPS = 20
SHAPES = [(5, 6), (5,), (3, 5), (), (40, 1000)]

# class, its keywords
OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "foreach": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.01, "betas": (0.4, 0.8), "eps": 1e-3}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "maximize": True, "fused": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"centered": True, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"alpha": 0.4, "momentum": 0.9}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.9, "centered": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
]


def data(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


def leaves(lib, arrays):
    return [lib.tensor(array, requires_grad=True) for array in arrays]


def advance(lib, optimizer, params, seed, dtype=np.float32):
    for i, (p, gradient) in enumerate(zip(params, data(seed, dtype), strict=True)):
        p.grad = None if i == 1 and seed % 3 == 0 else lib.tensor(gradient)
    optimizer.step()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "kwargs"), OPTIMIZERS)
def test_steps(torch, name, kwargs, dtype):
    """20 steps; one parameter has no gradient in every third."""
    pairs = []
    for lib in (rushlight, torch):
        params = leaves(lib, data(100, dtype))
        pairs.append((lib, params, getattr(lib.optim, name)(params, **kwargs)))
    for seed in range(STEPS):
        for lib, params, optimizer in pairs:
            advance(lib, optimizer, params, seed, dtype)
        for found, expected in zip(pairs[0][1], pairs[1][1], strict=True):
            np.testing.assert_allclose(
                found.detach().numpy(),
                expected.detach().numpy(),
                rtol=1e-5 if dtype == np.float32 else 1e-12,
                atol=1e-6 if dtype == np.float32 else 1e-12,
            )
    found, expected = (optimizer.state_dict() for _, _, optimizer in pairs)
    assert found["param_groups"] == expected["param_groups"]
    assert {k: list(v) for k, v in found["state"].items()} == {
        k: list(v) for k, v in expected["state"].items()
    }


@pytest.mark.parametrize(("name", "kwargs"), OPTIMIZERS)
def test_state_crosses(torch, name, kwargs):
    """Five steps here, the state handed to PyTorch and back, five more on both sides."""

    def convert(value, lib):
        if isinstance(value, dict):
            return {k: convert(v, lib) for k, v in value.items()}
        if hasattr(value, "detach"):
            return lib.tensor(value.detach().numpy().copy())
        return value

    params = leaves(rushlight, data(100))
    optimizer = getattr(optim, name)(params, **kwargs)
    for seed in range(5):
        advance(rushlight, optimizer, params, seed)
    others = leaves(torch, [p.detach().numpy().copy() for p in params])
    other = getattr(torch.optim, name)(others, **kwargs)
    state = optimizer.state_dict()
    other.load_state_dict({**state, "state": convert(state["state"], torch)})
    back = leaves(rushlight, [p.detach().numpy().copy() for p in params])
    third = getattr(optim, name)(back, **kwargs)
    returned = other.state_dict()
    third.load_state_dict({**returned, "state": convert(returned["state"], rushlight)})
    for seed in range(5, 10):
        advance(rushlight, optimizer, params, seed)
        advance(torch, other, others, seed)
        advance(rushlight, third, back, seed)
    for p, q, r in zip(params, others, back, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(p.detach().numpy(), r.detach().numpy())


def test_text(torch):
    def run(lib):
        return repr(lib.optim.Adam([lib.zeros(1, requires_grad=True)], lr=0.01))

    assert run(rushlight) == run(torch)


# -------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad"])
def test_any_layout(name):
    """Strided parameters and gradients take the steps that dense ones take."""
    rng = np.random.default_rng(0)
    weight, gradient = rng.standard_normal((2, 6, 4)).astype(np.float32)
    big = np.zeros((6, 8), np.float32)
    big[:, ::2] = weight
    layouts = [
        (weight, gradient),
        (np.asfortranarray(weight), gradient),
        (weight, gradient[::-1][::-1]),
        (big[:, ::2], np.asfortranarray(gradient)),
    ]
    results = []
    for w, g in layouts:
        p = rushlight.from_numpy(w.copy() if w is weight else w).requires_grad_()
        optimizer = getattr(optim, name)([p], lr=0.1)
        for _ in range(3):
            p.grad = rushlight.from_numpy(g)
            optimizer.step()
        results.append(p.detach().numpy())
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    assert not big[:, 1::2].any()


def test_large_parameters_are_split_over_threads():
    rng = np.random.default_rng(0)
    weight, gradient = rng.standard_normal((2, 100_003))
    p = rushlight.from_numpy(weight.copy()).requires_grad_()
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = rushlight.from_numpy(gradient)
    optimizer.step()
    np.testing.assert_array_equal(p.detach().numpy(), weight - 0.1 * gradient)


def test_a_step_is_an_in_place_change():
    p = rushlight.ones(2, requires_grad=True)
    loss = (p * p).sum()
    p.grad = rushlight.ones(2)
    version = p._version
    optim.SGD([p], lr=0.1).step()
    assert p._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_read_only_memory_is_refused():
    p = rushlight.ones(2)
    p.numpy().flags.writeable = False
    p.requires_grad_()
    p.grad = rushlight.ones(2)
    with pytest.raises(RuntimeError, match="read-only"):
        optim.SGD([p], lr=0.1).step()


# -------------------------------------------------------------------------------- groups, state


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda p: optim.SGD(p), TypeError, "params argument given to the optimizer should be"),
        (lambda p: optim.SGD([]), ValueError, "optimizer got an empty parameter list"),
        (lambda p: optim.SGD([3]), TypeError, "optimizer can only optimize Tensors"),
        (lambda p: optim.SGD([p * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda p: optim.SGD([{"params": {p}}]), TypeError, "optimizer parameters need to be"),
        (
            lambda p: optim.SGD([{"params": [p]}, {"params": p}]),
            ValueError,
            "some parameters appear in more than one parameter group",
        ),
        (lambda p: optim.SGD([p], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda p: optim.SGD([p], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda p: optim.SGD([p], nesterov=True), ValueError, "Nesterov momentum requires"),
        (lambda p: optim.Adam([p], betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at"),
        (lambda p: optim.Adam([p], capturable=True), NotImplementedError, "capturable"),
        (lambda p: optim.AdamW([p], differentiable=True), NotImplementedError, "differentiable"),
        (
            lambda p: optim.Optimizer([p], {"lr": optim.optimizer.required}),
            ValueError,
            "parameter group didn't specify a value of required optimization parameter lr",
        ),
        (lambda p: optim.SGD([p]).load_state_dict({"param_groups": []}), ValueError, "different"),
    ],
)
def test_misuse(make, error, words):
    with pytest.raises(error) as caught:
        make(rushlight.ones(1, requires_grad=True))
    assert words in str(caught.value)


def test_groups():
    p, q, r = leaves(rushlight, data(0)[:3])
    optimizer = optim.SGD([{"params": [("p", p)]}, {"params": [("q", q)], "lr": 0.5}], lr=1.0)
    optimizer.add_param_group({"params": [("r", r)], "weight_decay": 0.1})
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.5, 1.0]
    assert [group["param_names"] for group in optimizer.param_groups] == [["p"], ["q"], ["r"]]
    with pytest.raises(ValueError, match="should be with/without names"):
        optimizer.add_param_group({"params": rushlight.ones(1)})
    before = q.detach().numpy().copy()
    q.grad = rushlight.ones(5)
    optimizer.step()
    np.testing.assert_allclose(q.detach().numpy(), before - 0.5, rtol=1e-6)
    assert p.grad is None and q.grad is not None
    optimizer.zero_grad(set_to_none=False)
    assert not q.grad.numpy().any()
    optimizer.zero_grad()
    assert q.grad is None


def test_closure_and_hooks():
    p = rushlight.ones(1, requires_grad=True)
    optimizer, seen = optim.SGD([p], lr=0.5), []

    def closure():
        optimizer.zero_grad()
        loss = (p * 3).sum()
        loss.backward()
        return loss

    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", len(args))))
    handle = optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("post"))
    with rushlight.no_grad():
        assert optimizer.step(closure).item() == 3.0
    assert p.item() == -0.5 and seen == [("pre", 1), "post"]
    handle.remove()
    optimizer.step()
    assert len(seen) == 3

    class Own(optim.Optimizer):
        def step(self, closure=None):
            return "own"

    own = Own([p], {})
    own.register_step_post_hook(lambda o, args, kwargs: seen.append("own"))
    assert own.step() == "own" and seen[-1] == "own"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies(duplicate):
    p = rushlight.ones(2, requires_grad=True)
    optimizer = optim.Adam([p], lr=0.1)
    p.grad = rushlight.ones(2)
    optimizer.step()
    twin = duplicate(optimizer)
    (q,) = twin.param_groups[0]["params"]
    for optimizer_, parameter in ((optimizer, p), (twin, q)):
        parameter.grad = rushlight.ones(2)
        optimizer_.step()
    assert q is not p and q.tolist() == p.tolist()


def test_tensor_as_learning_rate():
    p = rushlight.ones(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=rushlight.tensor(0.5))
    p.grad = rushlight.ones(1)
    optimizer.step()
    assert p.item() == 0.5


# ------------------------------------------------------------------------------------- schedules

SCHEDULES = [
    ("LambdaLR", {"lr_lambda": lambda t: 0.95**t}),
    ("MultiplicativeLR", {"lr_lambda": lambda t: 0.95}),
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.5}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 4}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.8, "total_iters": 7}),
    ("LinearLR", {}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 6, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 6, "eta_min": 0.001}),
    ("CosineAnnealingLR", {"T_max": 20}),
]


def two_groups(lib):
    p, q = (lib.ones(2, requires_grad=True) for _ in range(2))
    return lib.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.02}], lr=0.05)


def rates(optimizer):
    return [float(group["lr"]) for group in optimizer.param_groups]


@pytest.mark.parametrize(("name", "kwargs"), SCHEDULES)
def test_schedule(torch, name, kwargs):
    def run(lib):
        optimizer = two_groups(lib)
        schedule = getattr(lib.optim.lr_scheduler, name)(optimizer, **kwargs)
        history = [rates(optimizer)]
        for _ in range(18):
            optimizer.step()
            schedule.step()
            history.append(rates(optimizer))
        assert schedule.get_last_lr() == history[-1]
        return np.array(history), sorted(schedule.state_dict())

    (found, keys), (expected, keys2) = run(rushlight), run(torch)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert keys == keys2


@pytest.mark.parametrize(
    "kwargs",
    [
        {"factor": 0.5, "patience": 2},
        {"mode": "max", "factor": 0.3, "patience": 1, "threshold": 0.05, "cooldown": 2},
        {"threshold_mode": "abs", "patience": 0, "min_lr": [0.01, 0.005]},
    ],
)
def test_plateau(torch, kwargs):
    def run(lib):
        optimizer = two_groups(lib)
        schedule = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **kwargs)
        history = []
        for metric in np.abs(np.random.default_rng(5).standard_normal(18)) + 1:
            schedule.step(metric)
            history.append(rates(optimizer))
        return history

    np.testing.assert_allclose(run(rushlight), run(torch), rtol=1e-12)


def test_schedule_resumes():
    optimizer = two_groups(rushlight)
    schedule = lr_scheduler.StepLR(optimizer, 2, 0.5)
    for _ in range(5):
        optimizer.step()
        schedule.step()
    twin = lr_scheduler.StepLR(two_groups(rushlight), 2, 0.5)
    twin.load_state_dict(schedule.state_dict())
    assert twin.last_epoch == 5 and twin.get_last_lr() == schedule.get_last_lr()
    again = lr_scheduler.StepLR(optimizer, 2, 0.5, last_epoch=5)
    assert again.base_lrs == [0.05, 0.02]
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified"):
        lr_scheduler.StepLR(two_groups(rushlight), 2, last_epoch=3)


def test_schedule_misuse():
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        lr_scheduler.StepLR(3, 2)
    schedule = lr_scheduler.StepLR(two_groups(rushlight), 2)
    with pytest.warns(UserWarning, match=r"before `optimizer\.step\(\)`"):
        schedule.step()
    with pytest.warns(UserWarning, match=r"please use `get_last_lr\(\)`"):
        schedule.get_lr()
    with pytest.raises(ValueError, match=r"Factor should be < 1\.0\."):
        lr_scheduler.ReduceLROnPlateau(two_groups(rushlight), factor=1.0)
    with pytest.raises(ValueError, match="Expected 2 lr_lambdas, but got 1"):
        lr_scheduler.LambdaLR(two_groups(rushlight), [math.exp])
