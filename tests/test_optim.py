"""Optimizers and schedules: groups, state, hooks; every step equal to PyTorch's."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import rushlight
from rushlight import optim

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
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.1, "maximize": True}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "betas": (0.4, 0.8)}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"weight_decay": 0.1, "betas": (0.8, 0.9), "foreach": True}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1, "maximize": True, "betas": (0.5, 0.6)}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.3, "rho": 0.6, "weight_decay": 0.1, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 2.0), "step_sizes": (0.01, 0.3), "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "t0": 3, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "eps": (1e-3, 0.1), "d": 1.5}),
    ("Adafactor", {"beta2_decay": -0.3, "maximize": True}),
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


COMPOSED = ["NAdam", "RAdam", "Adamax", "Adadelta", "Rprop", "ASGD", "Adafactor"]


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", COMPOSED)
def test_steps_in_half_types(torch, name, kind):
    """Each operation rounds, here as there: a few of the last bits may differ after five steps."""
    results = []
    for lib in (rushlight, torch):
        dtype = getattr(lib, kind)
        params = [p.detach().to(dtype).requires_grad_() for p in leaves(lib, data(100))]
        optimizer = getattr(lib.optim, name)(params, lr=0.05)
        for seed in range(5):
            for p, gradient in zip(params, data(seed), strict=True):
                p.grad = lib.tensor(gradient).to(dtype)
            optimizer.step()
        assert {p.dtype for p in params} == {dtype}
        results.append([p.detach().float().numpy() for p in params])
    tolerance = 4e-2 if kind == "bfloat16" else 5e-3
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


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
        (lambda p: optim.Adam([p], foreach=True, lr=p), ValueError, "lr as a Tensor is not supp"),
        (lambda p: optim.Adam([p], betas=(0.9, p)), ValueError, "betas must be either both"),
        (lambda p: optim.SGD([p], lr=rushlight.ones(2)), ValueError, "Tensor lr must be 1-elem"),
        (lambda p: optim.Adadelta([p], rho=1.1), ValueError, "Invalid rho value: 1.1"),
        (lambda p: optim.Rprop([p], etas=(1.0, 0.5)), ValueError, "Invalid eta values: 1.0, 0.5"),
        (lambda p: optim.Adafactor([p], d=0), ValueError, "Clipping threshold d should be >= 1"),
        (lambda p: optim.Muon([p]), ValueError, "Muon only supports 2D parameters"),
        (lambda p: optim.SparseAdam([p]), NotImplementedError, "SparseAdam"),
        (lambda p: optim.LBFGS([{"params": p}, {"params": []}]), ValueError, "per-parameter"),
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
def test_copies_of_lbfgs(duplicate):
    p = rushlight.full((2,), 3.0, requires_grad=True)
    optimizer = optim.LBFGS([p])

    def run(optimizer):
        (q,) = optimizer.param_groups[0]["params"]

        def closure():
            optimizer.zero_grad()
            loss = (q * q).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return q.tolist()

    assert run(duplicate(optimizer)) == run(optimizer)


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


# ------------------------------------------------------------------------------- one of a kind


def test_muon(torch):
    """The iteration is in bfloat16 in PyTorch: three digits agree."""
    for kwargs in ({}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3}):
        results = []
        for lib in (rushlight, torch):
            p, q = leaves(lib, [data(0)[0], data(0)[2].T.copy()])
            optimizer = lib.optim.Muon([p, q], lr=0.1, **kwargs)
            for seed in range(3):
                gradients = data(seed)
                p.grad, q.grad = lib.tensor(gradients[0]), lib.tensor(gradients[2].T.copy())
                optimizer.step()
            results.append([x.detach().numpy() for x in (p, q)])
        for found, expected in zip(*results, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-2)


def test_muon_makes_singular_values_equal():
    x = rushlight.tensor(data(1)[0]).double()
    found = optim._muon.orthogonalized(x, (3.4445, -4.775, 2.0315), 5, 1e-7).numpy()
    u, _, v = np.linalg.svd(x.numpy(), full_matrices=False)
    np.testing.assert_allclose(u.T @ found @ v.T, np.eye(5), atol=0.5)
    assert (np.linalg.svd(found)[1] > 0.5).all()


def rosenbrock(p):
    return ((1 - p[:-1]) ** 2 + 100 * (p[1:] - p[:-1] ** 2) ** 2).sum()


@pytest.mark.parametrize(
    "kwargs",
    [
        {"lr": 1e-3},
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "history_size": 3, "max_iter": 7, "max_eval": 9},
        {"lr": 0.5, "line_search_fn": "strong_wolfe", "tolerance_grad": 1e-2},
    ],
)
def test_lbfgs(torch, kwargs):
    """Down a curved valley, with PyTorch's number of calls of the closure, and its state."""
    runs = []
    for lib in (rushlight, torch):
        p = lib.tensor(np.array([-1.2, 1.0, 0.5, -0.3]), requires_grad=True)
        optimizer, losses = lib.optim.LBFGS([p], **kwargs), []

        def closure(lib=lib, p=p, optimizer=optimizer, losses=losses):
            optimizer.zero_grad()
            loss = rosenbrock(p)
            loss.backward()
            losses.append(loss.item())
            return loss

        for i in range(4):
            assert optimizer.step(closure) is not None
            if i == 1:
                twin = lib.optim.LBFGS([p], **kwargs)
                twin.load_state_dict(optimizer.state_dict())
                optimizer = twin
        state = optimizer.state_dict()["state"][0]
        runs.append((losses, p.detach().numpy(), state))
    (losses, p, state), (expected, q, other) = runs
    np.testing.assert_allclose(losses, expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(p, q, rtol=1e-6)
    assert set(state) == set(other)
    assert (state["n_iter"], state["func_evals"]) == (other["n_iter"], other["func_evals"])


def test_lbfgs_survives_what_has_no_minimum():
    for loss in (lambda p: p.sum() * math.nan, lambda p: p.sum(), lambda p: (p * 0).sum()):
        p = rushlight.ones(3, requires_grad=True)
        optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe")

        def closure(p=p, loss=loss):
            p.grad = None
            value = loss(p)
            value.backward()
            return value

        optimizer.step(closure)
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        optim.LBFGS([p], line_search_fn="armijo").step(closure)
