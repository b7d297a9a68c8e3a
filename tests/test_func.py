"""torch.func and vmap, beside PyTorch's: results, graphs, random numbers, errors."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import func, nn, vmap
from tests.cuda_device import cuda_device  # noqa: F401 - the fixture `device`

# PyTorch's forward mode compiles with what it deprecates itself.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

SHAPES = {
    "x": (4, 3), "y": (4, 3), "w": (3, 2), "b": (2,), "s": (4,), "v": (3,), "cube": (4, 3, 2),
}  # fmt: skip
VALUES = {
    name: np.random.default_rng(i).standard_normal(shape)
    for i, (name, shape) in enumerate(
        {
            "x": (4, 3),
            "y": (4, 3),
            "w": (3, 2),
            "b": (2,),
            "s": (4,),
            "v": (3,),
            "cube": (4, 3, 2),
        }.items()
    )
}


def tensors(module: ModuleType) -> Any:
    """The values as attributes: t.x, t.w, ..."""
    made = {k: module.tensor(a.tolist(), dtype=module.float64) for k, a in VALUES.items()}
    return type("Tensors", (), made)


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, tuple | list):
        return [leaf for item in tree for leaf in leaves(item)]
    return leaves(list(tree.values())) if isinstance(tree, dict) else [tree]


def structure(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: structure(item) for key, item in tree.items()}
    return type(tree)(map(structure, tree)) if isinstance(tree, tuple | list) else "*"


def assert_same(mine: Any, theirs: Any) -> None:
    assert structure(mine) == structure(theirs)
    for m, t in zip(leaves(mine), leaves(theirs), strict=True):
        assert tuple(m.shape) == tuple(t.shape) and str(m.dtype) == str(t.dtype)
        assert m.requires_grad == t.requires_grad
        tight = {"rtol": 1e-12, "atol": 1e-13} if m.dtype is rushlight.float64 else {"rtol": 1e-6}
        np.testing.assert_allclose(m.detach().numpy(), t.detach().numpy(), **tight)


def layer(m: Any, x: Any, w: Any, b: Any) -> Any:
    return m.nn.functional.linear(x, w.t(), b)


# Functions of a library and its tensors.
DERIVATIVES = {
    "gradient": lambda m, t: m.func.grad(lambda x: (x @ t.w).tanh().sum())(t.x),
    "of several arguments": lambda m, t: m.func.grad(lambda x, v, w: ((x * v) @ w).sum(), (0, -1))(
        t.x, t.v, t.w
    ),
    "of a dict": lambda m, t: m.func.grad(lambda p, x: layer(m, x, **p).exp().sum())(
        {"w": t.w, "b": t.b}, t.x
    ),
    "with the value": lambda m, t: m.func.grad_and_value(lambda x: (x**3).sum())(t.x),
    "with more": lambda m, t: m.func.grad(lambda x: ((x**3).sum(), x * 2), has_aux=True)(t.x),
    "with value and more": lambda m, t: m.func.grad_and_value(
        lambda x: ((x**3).sum(), {"a": x * 2}), has_aux=True
    )(t.x),
    "unused": lambda m, t: m.func.grad(lambda x, y: (x**2).sum(), (0, 1))(t.x, t.y),
    "of a constant": lambda m, t: m.func.grad(lambda x: x.detach().sum())(t.x),
    "second": lambda m, t: m.func.grad(lambda a: m.func.grad(lambda a: a**3)(a) ** 2)(t.s[0]),
    "no confusion": lambda m, t: m.func.grad(lambda a: a * m.func.grad(lambda c: a + c)(t.s[1]))(
        t.s[0]
    ),
    "under no_grad inside": lambda m, t: m.func.grad(lambda x: (x * frozen(m, x)).sum())(t.x),
    "vjp": lambda m, t: m.func.vjp(lambda x, w: {"a": x @ w, "b": x.sum()}, t.x, t.w)[1](
        {"a": t.x @ t.w, "b": t.s[0]}
    ),
    "vjp with more": lambda m, t: m.func.vjp(lambda x: (x**2, x), t.x, has_aux=True)[2],
    "jvp": lambda m, t: m.func.jvp(lambda x, w: (x @ w, w.exp()), (t.x, t.w), (t.y, t.w)),
    "jvp with more": lambda m, t: m.func.jvp(lambda x: (x**2, x), (t.x,), (t.y,), has_aux=True),
    "jacrev": lambda m, t: m.func.jacrev(lambda x: x.sin().sum(0))(t.x),
    "jacrev, nested": lambda m, t: m.func.jacrev(
        lambda x, v: {"a": x * v, "b": (x.sum(), v**2)}, (0, 1)
    )(t.x, t.v),
    "jacrev in chunks": lambda m, t: m.func.jacrev(lambda x: x.exp() * 2, chunk_size=5)(t.x),
    "jacrev of one in a tuple": lambda m, t: m.func.jacrev(lambda x, v: (x * v,), (1,))(t.x, t.v),
    "jacrev with more": lambda m, t: m.func.jacrev(lambda v: (v**2, v), has_aux=True)(t.v),
    "jacfwd": lambda m, t: m.func.jacfwd(lambda x: x.sin().sum(0))(t.x),
    "jacfwd, nested": lambda m, t: m.func.jacfwd(
        lambda x, v: {"a": x * v, "b": (x.sum(), v**2)}, (0, 1)
    )(t.x, t.v),
    "jacfwd with more": lambda m, t: m.func.jacfwd(lambda v: (v**2, v), has_aux=True)(t.v),
    "hessian": lambda m, t: m.func.hessian(lambda v: (v**3).sum() * v[0])(t.v),
    "hessian of two": lambda m, t: m.func.hessian(lambda v, b: (v**2).sum() * b.sum(), (0, 1))(
        t.v, t.b
    ),
    "third": lambda m, t: m.func.jacrev(m.func.hessian(lambda v: (v**4).sum()))(t.v),
}


def written(z: Any, x: Any) -> Any:
    z[1] = x[0]
    z[:1] = x[2:] * 2
    return z


def frozen(m: Any, x: Any) -> Any:
    with m.no_grad():
        return x * 2


BATCHES = {
    "gradients of samples": lambda m, t: m.vmap(
        m.func.grad(lambda w, x: ((x @ w + t.b).tanh() ** 2).sum()), (None, 0)
    )(t.w, t.x),
    "gradients of samples, of a dict": lambda m, t: m.vmap(
        m.func.grad(lambda p, x: layer(m, x, **p).exp().sum()), (None, 0)
    )({"w": t.w, "b": t.b}, t.x),
    "gradients of samples, classified": lambda m, t: m.vmap(
        m.func.grad(
            lambda w, x, i: m.nn.functional.cross_entropy((x @ w).unsqueeze(0), i.unsqueeze(0))
        ),
        (None, 0, 0),
    )(t.w, t.x, m.tensor([0, 1, 1, 0])),
    "gradients of samples, convolved": lambda m, t: m.vmap(
        m.func.grad(lambda w, x: (m.nn.functional.conv2d(x[None], w) ** 2).sum()), (None, 0)
    )(t.s.reshape(1, 1, 2, 2), t.x.reshape(2, 1, 2, 3)),
    "gradients of samples, embedded": lambda m, t: m.vmap(
        m.func.grad(lambda w, i: (w[i] ** 2).sum()), (None, 0)
    )(t.x, m.tensor([[0, 1], [2, 3], [1, 1]])),
    "gradient of a batch": lambda m, t: m.func.grad(
        lambda w: m.vmap(lambda x: (x @ w).sin().prod())(t.x).sum()
    )(t.w),
    "hessian of a batch": lambda m, t: m.func.hessian(
        lambda w: m.vmap(lambda x: ((x @ w).sin() + w[0]).prod())(t.x).sum()
    )(t.w),
    "hessians of samples": lambda m, t: m.vmap(m.func.hessian(lambda v: (v**3).sum() * v[0]))(t.x),
    "jacobians of samples": lambda m, t: m.vmap(m.func.jacrev(lambda v: v.sin() * v.sum()))(t.x),
    "jacobians of samples, forward": lambda m, t: m.vmap(
        m.func.jacfwd(lambda v: v.sin() * v.sum())
    )(t.x),
    "products of samples": lambda m, t: m.vmap(
        lambda x: m.func.vjp(lambda x: x @ t.w, x)[1](t.b)[0]
    )(t.x),
    "forward products of samples": lambda m, t: m.vmap(
        lambda x, y: m.func.jvp(lambda x: (x @ t.w).tanh(), (x,), (y,))
    )(t.x, t.y),
    "many cotangents": lambda m, t: m.vmap(m.func.vjp(lambda v: v.sin() * t.v, t.v)[1])(t.x),
    "nested": lambda m, t: m.vmap(m.vmap(lambda a, b: a * b, (0, None)), (None, 0))(t.v, t.s),
    "nested in the body": lambda m, t: m.vmap(
        lambda x: m.vmap(lambda y: (x * y).exp().sum() + x)(t.y)
    )(t.x),
    "nested, and a gradient": lambda m, t: m.vmap(
        lambda x: m.vmap(lambda y: m.func.grad(lambda x: (x * y).exp().sum())(x))(t.y)
    )(t.x),
    "gradient through nested": lambda m, t: m.func.grad(
        lambda w: m.vmap(lambda x: m.vmap(lambda y: (x + y) @ w)(t.y))(t.x).exp().sum()
    )(t.w),
    "out_dims": lambda m, t: m.vmap(
        lambda x: (x.unsqueeze(0) * x.unsqueeze(1), x), out_dims=(1, -1)
    )(t.x),
    "nested in_dims": lambda m, t: m.vmap(
        lambda p, q: p["a"] * q[0] + q[1], in_dims=({"a": 1}, (0, None))
    )({"a": t.x}, (t.v, t.b[0])),
    "shared output": lambda m, t: m.vmap(lambda x: (t.w * 2, x))(t.x),
    "output of None": lambda m, t: m.vmap(lambda x: (t.w, x), out_dims=(None, 0))(t.x),
    "in chunks": lambda m, t: m.vmap(lambda x: (x.sum(), x), out_dims=(0, 1), chunk_size=3)(t.x),
    "keyword argument": lambda m, t: m.vmap(lambda x, v=None: x * v)(t.x, v=t.v),
    "a mask": lambda m, t: m.vmap(lambda x, s: m.where(x > 0, x, s))(t.x, t.s),
    "types of numbers": lambda m, t: m.vmap(lambda x, s: (x.float() * s, s * 2, x > s))(t.x, t.s),
    "products": lambda m, t: m.vmap(lambda x, w: (x @ w, w.t() @ x, x @ x), (0, None))(t.x, t.w),
    "in place": lambda m, t: m.vmap(lambda x: x.clone().add_(1).mul_(x))(t.x),
    "like a sample": lambda m, t: m.vmap(
        lambda x: (m.zeros_like(x).add_(x), m.full_like(x, 3), x.new_ones(2, 2).mul_(x[0]))
    )(t.x),
    "like a sample, nested": lambda m, t: m.vmap(
        lambda x: m.vmap(lambda a: a.new_ones(3).add_(x).mul_(m.zeros_like(a).add_(a)))(x)
    )(t.x),
    "written by index": lambda m, t: m.vmap(lambda x: written(x * 0, x))(t.x),
    "scalars": lambda m, t: m.vmap(lambda a: a.softmax(-1) + a.sum(0) + a.amax())(t.s),
    "shapes": lambda m, t: m.vmap(
        lambda x: (x.t().flatten(), x.reshape(-1), x[..., None], x.expand(2, *x.shape), x[:, 1])
    )(t.x.reshape(2, 3, 2)),
    "joined": lambda m, t: m.vmap(lambda x: (m.cat([x, t.v]), m.stack([t.v, x], 1)))(t.x),
}


def changed(x: Any, v: Any, i: Any, mask: Any, index: Any) -> Any:
    """Written where no place is named twice with different values."""
    y = x + 0 * (v.sum() + i.sum() + mask.sum())
    y[index] = v.sum()
    return y


# Of x (2, 3, 4), v (2, 3) and i (2), and of a mask (2, 3, 4).
READ = {
    "rows": lambda m, x, v, i, mask: x[i],
    "columns": lambda m, x, v, i, mask: x[:, i],
    "pairs": lambda m, x, v, i, mask: x[i, i],
    "pairs that are parted": lambda m, x, v, i, mask: x[i, :, i],
    "broadcast": lambda m, x, v, i, mask: x[i[:, None], i],
    "of a view": lambda m, x, v, i, mask: x[1:, 0, i],
    "gathered": lambda m, x, v, i, mask: x.gather(1, i[:, None, None].expand(2, 1, 4)),
    "selected": lambda m, x, v, i, mask: x.index_select(2, i),
    "filled": lambda m, x, v, i, mask: x.index_fill(1, i, 7.0),
    "scattered": lambda m, x, v, i, mask: v.scatter_add(1, i[:, None], v * 2),
    "added": lambda m, x, v, i, mask: v.index_add(0, i, v, alpha=3),
    "put": lambda m, x, v, i, mask: x.index_put((i, i), v[:, :1], True),
    "written": lambda m, x, v, i, mask: changed(x, v, i, mask, (slice(None), slice(None), i)),
    "written, parted": lambda m, x, v, i, mask: changed(x, v, i, mask, (i, slice(None), i)),
    "written, of a view": lambda m, x, v, i, mask: changed(x, v, i, mask, (1, slice(1), i)),
    "written, masked": lambda m, x, v, i, mask: changed(x, v, i, mask, mask),
    "put, more dimensions": lambda m, x, v, i, mask: v.index_put((i,), v[None, None, 0], True),
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
@pytest.mark.parametrize("dims", ["0000", "0N0N", "00NN", "N0NN", "NN0N", "0NNN"])
def test_arrays_as_indices(read: Any, dims: str) -> None:
    """As for each sample by itself; inner samples under outer ones as well."""
    rng = np.random.default_rng(0)
    every = [rng.normal(size=(3, 2, 3, 4)), rng.normal(size=(3, 2, 3)),
             np.array([[0, 1], [1, 1], [-1, -2]]) % 2, rng.random((3, 2, 3, 4)) > 0.5]  # fmt: skip
    in_dims = tuple(0 if d == "0" else None for d in dims)
    given = [rushlight.tensor(a if d == 0 else a[0]) for a, d in zip(every, in_dims, strict=True)]
    run = functools.partial(read, rushlight)
    each = [run(*(t if d is None else t[k] for t, d in zip(given, in_dims, strict=True)))
            for k in range(3)]  # fmt: skip
    np.testing.assert_array_equal(vmap(run, in_dims)(*given), rushlight.stack(each))
    shared = tuple(None if d == 0 else 0 for d in in_dims)
    if 0 in shared:
        twice = [
            t if d is None else rushlight.stack([t, t]) for t, d in zip(given, shared, strict=True)
        ]
        nested = vmap(vmap(run, in_dims), shared)(*twice)
        np.testing.assert_array_equal(nested, rushlight.stack([rushlight.stack(each)] * 2))


def views_in_place(m: Any, x: Any) -> Any:
    y = x.clone()
    y[0].mul_(2)
    y[:, 1].add_(x[:, 0])
    return (y * y).sum()


def slices(m: Any, x: Any) -> Any:
    a, b = x.unbind(1)
    c = x.chunk(3)
    return (a * b).sum() + (c[0] * c[2]).sum()


def rows_written(m: Any, x: Any) -> Any:
    y = x * 2
    y[1] = x[0] * x[2]
    return y.prod()


def a_view_of_what_was_written(m: Any, x: Any) -> Any:
    y = x * 0
    y[0] = x[1]
    v = y[0]
    v.mul_(x[2])
    return (y.sum() * v).sum()


for _f in (views_in_place, slices, rows_written, a_view_of_what_was_written):
    BATCHES |= {
        f"{_f.__name__}, gradients": lambda m, t, f=_f: m.vmap(
            m.func.grad(functools.partial(f, m))
        )(t.cube),
        f"{_f.__name__}, of the batch": lambda m, t, f=_f: m.func.grad(
            lambda x: m.vmap(functools.partial(f, m))(x).sum()
        )(t.cube),
        f"{_f.__name__}, second derivatives": lambda m, t, f=_f: m.vmap(
            m.func.jacrev(m.func.grad(functools.partial(f, m)))
        )(t.cube),
    }


@pytest.mark.parametrize("call", [*DERIVATIVES.values(), *BATCHES.values()], ids=[
    *DERIVATIVES, *BATCHES
])  # fmt: skip
def test_as_in_pytorch(torch: Any, call: Any) -> None:
    assert_same(call(rushlight, tensors(rushlight)), call(torch, tensors(torch)))


# ---- Graphs outside ----


OUTSIDE = {
    "a tensor of the function": lambda m, t, w: m.func.grad(lambda x: (x @ w).exp().sum())(t.x),
    "the argument": lambda m, t, w: m.func.grad(lambda w: (w**3).sum())(w),
    "the value": lambda m, t, w: m.func.grad_and_value(lambda x: (x @ w).sum())(t.x)[1],
    "samples": lambda m, t, w: m.vmap(m.func.grad(lambda x: (x @ w).exp().sum()))(t.x),
    "cotangents": lambda m, t, w: m.func.vjp(lambda x: x @ t.w, t.x)[1](t.x @ w)[0],
    "a batch": lambda m, t, w: m.vmap(lambda x: x @ w)(t.x) ** 2,
    "a Jacobian": lambda m, t, w: m.func.jacrev(lambda x: (x @ w).tanh())(t.v),
    "a Jacobian, forward": lambda m, t, w: m.func.jacfwd(lambda x: (x @ w).tanh())(t.v),
}


@pytest.mark.parametrize("call", OUTSIDE.values(), ids=OUTSIDE)
def test_results_belong_to_the_graph_outside(torch: Any, call: Any) -> None:
    found = []
    for m in (rushlight, torch):
        w = tensors(m).w.requires_grad_()
        result = call(m, tensors(m), w)
        assert result.requires_grad
        found.append(m.autograd.grad(result.sum(), w))
    assert_same(*found)


def test_results_are_outside_of_graphs_otherwise() -> None:
    t = tensors(rushlight)
    x = t.x.requires_grad_()
    with rushlight.no_grad():
        assert not func.grad(lambda x: (x**3).sum())(x).requires_grad
    assert not func.grad(lambda y: (y**3).sum())(t.y).requires_grad
    assert not func.vjp(lambda y: y**3, t.y)[0].requires_grad
    assert x.grad is None


def test_linearize_is_jvp_called_again() -> None:
    t = tensors(rushlight)
    output, push = func.linearize(lambda x, w: (x @ w).sin(), t.x, t.w)
    for y in (t.y, t.y * 2):
        expected = func.jvp(lambda x, w: (x @ w).sin(), (t.x, t.w), (y, t.w))
        assert_same((output, push(y, t.w)), expected)
    with pytest.raises(RuntimeError, match=r"^Expected the tangents"):
        push(t.y)


def test_random_numbers_are_those_of_pytorch(torch: Any) -> None:
    draws = {
        "rand": lambda m, x: x + m.rand(2),
        "rand_like": lambda m, x: x * m.randn_like(x),
        "dropout": lambda m, x: m.nn.functional.dropout(x, 0.5),
        "dropout of what is shared": lambda m, x: x + m.nn.functional.dropout(m.ones(2), 0.5),
        "in place": lambda m, x: x.clone().uniform_(),
        "randint": lambda m, x: x + m.randint(0, 99, (2,)),
    }
    for name, draw in draws.items():
        for randomness in ("same", "different"):
            found = []
            for m in (rushlight, torch):
                m.manual_seed(3)
                mapped = m.vmap(functools.partial(draw, m), randomness=randomness)
                found.append(mapped(m.ones(3, 2)).numpy())
            np.testing.assert_array_equal(*found, err_msg=f"{name}, {randomness}")
            rows = found[0].tolist()
            assert (rows[0] == rows[1] == rows[2]) == (randomness == "same") or name == "dropout"
        with pytest.raises(RuntimeError, match=r"^vmap: called random operation while in random"):
            vmap(functools.partial(draw, rushlight))(rushlight.ones(3, 2))


def test_a_permutation_for_each_sample() -> None:
    found = vmap(lambda x: rushlight.randperm(9), randomness="different")(rushlight.ones(5))
    assert [sorted(row) for row in found.tolist()] == [list(range(9))] * 5
    assert len({tuple(row) for row in found.tolist()}) == 5


def test_same_random_numbers_in_all_chunks() -> None:
    draw = vmap(lambda x: x + rushlight.rand(2), randomness="same", chunk_size=2)
    rows = draw(rushlight.zeros(5, 2)).tolist()
    assert all(row == rows[0] for row in rows)


def test_on_a_device(device: Any) -> None:
    """Over the stand-in for CuPy, and a real device where there is one."""

    def loss(w: Any, x: Any) -> Any:
        return ((x @ w).tanh().softmax(-1)[0] + w.sum()) ** 2

    found = []
    for place in ("cpu", "cuda"):
        t = tensors(rushlight)
        x, w = t.x.to(place), t.w.to(place)
        mapped = vmap(func.grad(loss), (None, 0))(w, x)
        assert mapped.device.type == place
        total = func.grad(functools.partial(lambda x, w: vmap(loss, (None, 0))(w, x).sum(), x))(w)
        found.append([mapped.cpu().numpy(), total.cpu().numpy()])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


class Cube(rushlight.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


def test_custom_functions_need_no_rule() -> None:
    x = tensors(rushlight).x
    cubes = lambda x: Cube.apply(x).sum()  # noqa: E731
    plain = lambda x: (x**3).sum()  # noqa: E731
    for transform in (func.grad, func.hessian, func.jacfwd):
        mine, theirs = (vmap(transform(f))(x).numpy() for f in (cubes, plain))
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    shared = [
        func.grad(lambda w, f=f: vmap(lambda r: f(w * r))(x).sum())(x[0]).numpy()
        for f in (cubes, plain)
    ]
    np.testing.assert_allclose(*shared, rtol=1e-12)


def test_printing_shows_all_samples(torch: Any) -> None:
    def texts(m: Any) -> list[str]:
        shown: list[str] = []

        def show(x: Any) -> Any:
            shown.append(str(x))
            return x

        m.vmap(m.vmap(show))(m.arange(8.0).reshape(2, 2, 2))
        m.vmap(lambda x: m.vmap(lambda y: show(x))(x))(m.ones(2, 3))
        return shown

    assert texts(rushlight) == texts(torch)


def test_a_batch_without_samples() -> None:
    assert vmap(lambda x: (x * 2).exp() + x.sum())(rushlight.ones(0, 3)).shape == (0, 3)
    with pytest.raises(NotImplementedError, match="without samples"):
        vmap(lambda x: nn.functional.conv2d(x, x))(rushlight.ones(0, 1, 2, 3, 3))


# ---- Errors ----


def item(x: Any) -> Any:
    return x * x.sum().item()


def branch(x: Any) -> Any:
    return x if x.sum() > 0 else -x


MISUSE = {
    "item": lambda m, t: m.vmap(item)(t.x),
    "sizes": lambda m, t: m.vmap(lambda x, v: x)(t.x, t.v),
    "no input": lambda m, t: m.vmap(lambda: 1)(),
    "nothing to map": lambda m, t: m.vmap(lambda x: x, in_dims=(None,))(t.x),
    "in_dims": lambda m, t: m.vmap(lambda x: x, in_dims=(0, 0))(t.x),
    "in_dims of a type": lambda m, t: m.vmap(lambda x: x, in_dims="0")(t.x),
    "in_dim of a type": lambda m, t: m.vmap(lambda x: x, in_dims=("0",))(t.x),
    "in_dim of no tensor": lambda m, t: m.vmap(lambda x, n: x * n)(t.x, 2),
    "in_dim too large": lambda m, t: m.vmap(lambda x: x, in_dims=2)(t.x),
    "out_dims": lambda m, t: m.vmap(lambda x: (x, x), out_dims=(0, 0, 0))(t.x),
    "out_dims of a type": lambda m, t: m.vmap(lambda x: x, out_dims="0")(t.x),
    "out_dim too large": lambda m, t: m.vmap(lambda x: x, out_dims=3)(t.x),
    "out_dim None of a batch": lambda m, t: m.vmap(lambda x: x, out_dims=None)(t.x),
    "output no tensor": lambda m, t: m.vmap(lambda x: 3)(t.x),
    "in place": lambda m, t: m.vmap(lambda x: t.v.mul_(x))(t.x),
    "randomness": lambda m, t: m.vmap(lambda x: x, randomness="maybe")(t.x),
    "chunk_size": lambda m, t: m.vmap(lambda x: x, chunk_size=0)(t.x),
    "grad of a vector": lambda m, t: m.func.grad(lambda x: x)(t.v),
    "grad of no tensor": lambda m, t: m.func.grad(lambda x: 3.0)(t.v),
    "grad by a number": lambda m, t: m.func.grad(lambda n: t.v.sum() * n)(3.0),
    "argnums too large": lambda m, t: m.func.grad(lambda x: x.sum(), 1)(t.x),
    "argnums empty": lambda m, t: m.func.grad(lambda x: x.sum(), ())(t.x),
    "argnums twice": lambda m, t: m.func.grad(lambda x: x.sum(), (0, 0))(t.x),
    "argnums of a type": lambda m, t: m.func.grad(lambda x: x.sum(), "0")(t.x),
    "no aux": lambda m, t: m.func.grad(lambda x: x.sum(), has_aux=True)(t.x),
    "cotangents": lambda m, t: m.func.vjp(lambda x: x, t.x)[1]((t.x,)),
    "vjp of integers": lambda m, t: m.func.vjp(lambda x: x > 0, t.x),
    "tangents": lambda m, t: m.func.jvp(lambda x: x, (t.x,), (t.x, t.x)),
    "primals": lambda m, t: m.func.jvp(lambda x: x, t.x, t.x),
    "strict": lambda m, t: m.func.jvp(lambda x: t.y, (t.x,), (t.x,), strict=True),
    "jacrev in chunks of none": lambda m, t: m.func.jacrev(lambda x: x, chunk_size=0)(t.x),
}


@pytest.mark.parametrize("call", MISUSE.values(), ids=MISUSE)
def test_misuse(torch: Any, call: Any) -> None:
    errors = []
    for m in (rushlight, torch):
        with pytest.raises(Exception) as raised:
            call(m, tensors(m))
        errors.append((type(raised.value), str(raised.value)[:40]))
    assert errors[0] == errors[1]


def test_branches_on_values_are_refused() -> None:
    with pytest.raises(RuntimeError, match="data-dependent control flow"):
        vmap(branch)(rushlight.ones(3, 2))


def test_what_is_not_supported_says_so() -> None:
    with pytest.raises(NotImplementedError, match="functionalize"):
        func.functionalize(lambda x: x)
    with pytest.raises(NotImplementedError, match="vmap"):
        vmap(lambda x: rushlight.tensor(x.detach().numpy().sum()))(rushlight.ones(3, 2))


# ---- Modules ----


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2)
        self.register_buffer("scale", rushlight.ones(2))

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x).tanh()) * self.scale


def test_functional_call_replaces_and_restores() -> None:
    net, x = Net(), rushlight.rand(5, 3)
    before = net(x)
    zeros = {name: p.detach() * 0 for name, p in net.named_parameters()}
    assert func.functional_call(net, zeros, x).tolist() == [[0.0, 0.0]] * 5
    assert net(x).tolist() == before.tolist()
    assert func.functional_call(net, ({}, {"scale": rushlight.zeros(2)}), (x,)).sum() == 0
    with pytest.raises(ZeroDivisionError):
        func.functional_call(net, zeros, (Raises(),))
    assert net(x).tolist() == before.tolist()


class Raises:
    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError


def test_functional_call_misuse() -> None:
    net, x = Net(), rushlight.rand(5, 3)
    with pytest.raises(ValueError, match=r"appeared in multiple dictionaries"):
        func.functional_call(net, ({"scale": x}, {"scale": x}), x)
    with pytest.raises(ValueError, match=r"^Expected parameter_and_buffer_dicts to be a dict"):
        func.functional_call(net, 3, x)
    with pytest.raises(KeyError, match="nothing"):
        func.functional_call(net, {"nothing": x}, x)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*Missing key"):
        func.functional_call(net, {"nothing": x}, x, strict=True)


def test_tied_parameters_are_replaced_together() -> None:
    net = nn.Module()
    net.a = nn.Linear(2, 2, bias=False)
    net.b = nn.Linear(2, 2, bias=False)
    net.b.weight = net.a.weight
    net.forward = lambda x: net.b(net.a(x))
    eye = rushlight.eye(2) * 2
    x = rushlight.ones(1, 2)
    assert func.functional_call(net, {"a.weight": eye}, x).tolist() == [[4.0, 4.0]]
    untied = func.functional_call(net, {"a.weight": eye}, x, tie_weights=False)
    assert untied.tolist() != [[4.0, 4.0]]
    with pytest.raises(ValueError, match="multiple values"):
        func.functional_call(net, {"a.weight": eye, "b.weight": eye * 2}, x)


def test_an_ensemble_runs_as_one() -> None:
    models = [Net() for _ in range(3)]
    params, buffers = func.stack_module_state(models)
    assert params["first.weight"].shape == (3, 4, 3) and params["first.weight"].is_leaf
    assert params["first.weight"].requires_grad and not buffers["scale"].requires_grad
    x = rushlight.rand(5, 3)

    def run(params: Any, buffers: Any, x: Any) -> Any:
        return func.functional_call(models[0], (params, buffers), (x,))

    out = vmap(run, (0, 0, None))(params, buffers, x)
    expected = rushlight.stack([model(x) for model in models])
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), 1e-6, 1e-7)
    out.sum().backward()
    models[1](x).sum().backward()
    mine = params["first.weight"].grad[1].numpy()
    np.testing.assert_allclose(mine, models[1].first.weight.grad.numpy(), 1e-5, 1e-6)


def test_gradients_of_samples_of_a_module() -> None:
    """The gradient of each sample, as a backward pass for each would give it."""
    net, x = Net(), rushlight.rand(5, 3)
    params = {name: p.detach() for name, p in net.named_parameters()}

    def loss(params: Any, x: Any) -> Any:
        return (func.functional_call(net, params, (x.unsqueeze(0),)) ** 2).sum()

    found = vmap(func.grad(loss), (None, 0))(params, x)
    for i in range(5):
        net.zero_grad()
        (net(x[i].unsqueeze(0)) ** 2).sum().backward()
        for name, p in net.named_parameters():
            np.testing.assert_allclose(found[name][i].numpy(), p.grad.numpy(), 1e-5, 1e-6)


def test_stacking_misuse() -> None:
    with pytest.raises(RuntimeError, match=r"^stack_module_state: Expected at least one model"):
        func.stack_module_state([])
    with pytest.raises(RuntimeError, match="same class"):
        func.stack_module_state([Net(), nn.Linear(2, 2)])
    with pytest.raises(RuntimeError, match="same training/eval mode"):
        func.stack_module_state([Net(), Net().eval()])
    frozen_net = Net().requires_grad_(False)
    with pytest.raises(RuntimeError, match=r"to have the same \.requires_grad"):
        func.stack_module_state([Net(), frozen_net])
