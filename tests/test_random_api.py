"""Generators and their states; arguments, errors and the graph of random operations."""

from __future__ import annotations

import concurrent.futures
import copy
import pickle

import numpy as np
import pytest

import rushlight


def values(tensor):
    return tensor.detach().numpy()


# ---- Generators ----


def test_generator_is_a_stream_of_its_own():
    rushlight.manual_seed(0)
    expected = values(rushlight.rand(4)).copy()
    g = rushlight.Generator(device="cpu")
    assert g.initial_seed() == 67280421310721
    assert g.manual_seed(0) is g
    assert g.device == rushlight.device("cpu")
    rushlight.rand(100, generator=g.clone_state())
    np.testing.assert_array_equal(values(rushlight.rand(4, generator=g)), expected)
    assert not np.array_equal(values(rushlight.rand(4, generator=g)), expected)


def test_every_draw_takes_a_generator():
    p = rushlight.full((3,), 0.5)
    draws = (
        lambda g: rushlight.rand(3, generator=g),
        lambda g: rushlight.randn(3, generator=g),
        lambda g: rushlight.randint(9, (3,), generator=g),
        lambda g: rushlight.randperm(9, generator=g),
        lambda g: rushlight.bernoulli(p, generator=g),
        lambda g: rushlight.normal(p, 1.0, generator=g),
        lambda g: rushlight.normal(0.0, 1.0, (3,), generator=g),
        lambda g: rushlight.multinomial(p, 2, generator=g),
        lambda g: rushlight.poisson(p, generator=g),
        lambda g: rushlight.rand_like(p, generator=g),
        *(
            lambda g, name=name: getattr(rushlight.zeros(3), name)(generator=g)
            for name in ("uniform_", "normal_", "random_", "bernoulli_", "exponential_", "cauchy_")
        ),
    )
    before = rushlight.get_rng_state()
    for draw in draws:
        g = rushlight.Generator()
        first, second = draw(g.manual_seed(1)), draw(g.manual_seed(1))
        np.testing.assert_array_equal(values(first), values(second))
        assert g.get_state().tolist() != rushlight.Generator().manual_seed(1).get_state().tolist()
        with pytest.raises(TypeError, match=r"must be torch\.Generator"):
            draw(1)
    assert rushlight.get_rng_state().tolist() == before.tolist()


def test_state_is_kept_by_copies_and_pickles():
    g = rushlight.Generator().manual_seed(3)
    rushlight.randn(3, generator=g)
    copies = (g.clone_state(), copy.deepcopy(g), pickle.loads(pickle.dumps(g)))
    expected = values(rushlight.randn(5, generator=g))
    for other in copies:
        np.testing.assert_array_equal(values(rushlight.randn(5, generator=other)), expected)


def test_fork_rng():
    rushlight.manual_seed(0)
    state = rushlight.get_rng_state()
    with rushlight.random.fork_rng():
        rushlight.rand(3)
    assert rushlight.get_rng_state().tolist() == state.tolist()
    with rushlight.random.fork_rng(enabled=False):
        rushlight.rand(3)
    assert rushlight.get_rng_state().tolist() != state.tolist()


def test_seed_cannot_be_foretold():
    first, second = rushlight.seed(), rushlight.seed()
    assert first != second
    assert rushlight.initial_seed() == second


def test_bad_states():
    g = rushlight.Generator()
    with pytest.raises(TypeError, match=r"expected a torch\.ByteTensor, but got list"):
        g.set_state([1])
    with pytest.raises(TypeError, match=r"RNG state must be a torch\.ByteTensor"):
        g.set_state(rushlight.zeros(5056))
    with pytest.raises(RuntimeError, match=r"State of size 5056 but found .* to be 10"):
        g.set_state(rushlight.zeros(10, dtype=rushlight.uint8))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        g.set_state(rushlight.zeros(5056, dtype=rushlight.uint8))


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_out_of_range(seed):
    with pytest.raises(ValueError, match="Overflow when unpacking long long"):
        rushlight.manual_seed(seed)
    with pytest.raises(RuntimeError, match="manual_seed expected a long, but got float"):
        rushlight.Generator().manual_seed(1.5)


def test_threads_share_a_generator():
    """Each draw is one piece of the stream, whatever the number of threads."""
    g = rushlight.Generator().manual_seed(0)
    whole = values(rushlight.rand(8 * 50_000, generator=g)).reshape(8, -1)
    g.manual_seed(0)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: values(rushlight.rand(50_000, generator=g)), range(8)))
    assert sorted(map(bytes, parts)) == sorted(map(bytes, whole))


# ---- Arguments, errors, graph ----

FAILURES = [
    (RuntimeError, r"uniform_ expects to return a \[from, to\)", lambda x: x.uniform_(1, 0)),
    (RuntimeError, "from is out of bounds for float", lambda x: x.uniform_(-1e39, 0)),
    (RuntimeError, "uniform_ expects to-from <=", lambda x: x.uniform_(-3e38, 3e38)),
    (RuntimeError, "normal expects std >= 0.0, but found std -1", lambda x: x.normal_(0, -1)),
    (RuntimeError, "bernoulli_ expects p to be in", lambda x: x.bernoulli_(1.5)),
    (RuntimeError, "Expected p_in >= 0 && p_in <= 1", lambda x: x.bernoulli_(x + 2)),
    (NotImplementedError, "bernoulli_tensor_cpu_p_", lambda x: x.bernoulli_(x.long())),
    (RuntimeError, "exponential_ expects lambda > 0.0", lambda x: x.exponential_(0)),
    (RuntimeError, "geometric_ expects p to be in", lambda x: x.geometric_(1)),
    (RuntimeError, "log_normal_ expects std > 0.0", lambda x: x.log_normal_(0, 0)),
    (RuntimeError, "cauchy_ expects sigma > 0.0", lambda x: x.cauchy_(0, 0)),
    (RuntimeError, "random_ expects 'from' to be less than 'to'", lambda x: x.random_(5, 5)),
    (RuntimeError, "to - 1 is out of bounds for int", lambda x: x.int().random_(2**40)),
    (RuntimeError, "from is out of bounds for unsigned char", lambda x: x.byte().random_(-1, 3)),
    (RuntimeError, "random_full_64_bits", lambda x: x.int().random_(-(2**63), None)),
    (NotImplementedError, "check_uniform_bounds", lambda x: x.long().uniform_()),
    (NotImplementedError, "normal_kernel_cpu", lambda x: x.long().normal_()),
    (RuntimeError, "Exponential distribution is a continuous", lambda x: x.long().exponential_()),
    (RuntimeError, "more than one element of the written-to", lambda x: x[:1].expand(3).uniform_()),
    (TypeError, "received an invalid combination", lambda x: rushlight.rand()),
    (TypeError, "received an invalid combination", lambda x: rushlight.randint(2.5, (3,))),
    (TypeError, "received an invalid combination", lambda x: rushlight.randint(0, 9, 3)),
    (TypeError, "received an invalid combination", lambda x: rushlight.normal(0.0, 1.0)),
    (NotImplementedError, "out", lambda x: rushlight.normal(x, out=x)),
    (NotImplementedError, "Generator: device", lambda x: rushlight.Generator("cuda")),
    (RuntimeError, "negative dimension -1", lambda x: rushlight.rand(-1)),
    (RuntimeError, "negative dimension -1", lambda x: rushlight.randperm(-1)),
    (RuntimeError, "cannot be converted", lambda x: rushlight.randperm(256, dtype=rushlight.uint8)),
    (NotImplementedError, "randperm", lambda x: rushlight.randperm(3, dtype=rushlight.bool)),
    (RuntimeError, "normal expects all elements", lambda x: rushlight.normal(0.0, x - 1)),
    (RuntimeError, "invalid Poisson rate", lambda x: rushlight.poisson(x - 1)),
    (RuntimeError, "prob_dist must be 1 or 2 dim", lambda x: rushlight.multinomial(x[0], 1)),
    (RuntimeError, "only supports floating-point", lambda x: x.long().multinomial(1)),
    (RuntimeError, "cannot sample n_sample <= 0", lambda x: x.multinomial(0)),
    (RuntimeError, "cannot sample n_sample > prob_dist", lambda x: x.multinomial(4)),
    (RuntimeError, "sum of probabilities <= 0", lambda x: x.multinomial(1)),
    (RuntimeError, "contains either `inf`, `nan`", lambda x: (x - 1).multinomial(1)),
    (RuntimeError, "probability entry < 0", lambda x: (x - 1).multinomial(2, True)),
    (RuntimeError, "entry = infinity or NaN", lambda x: (x / 0).multinomial(2, True)),
    (RuntimeError, "dropout probability has to be", lambda x: rushlight.dropout(x, 1.5, True)),
    (RuntimeError, "can't be cast", lambda x: rushlight.dropout(x.long(), 0.5, True)),
]


@pytest.mark.parametrize(("kind", "words", "call"), FAILURES)
def test_failures(kind, words, call):
    with pytest.raises(kind, match=words):
        call(rushlight.zeros(3))


def test_shapes_and_options():
    assert rushlight.rand(2, 3).shape == (2, 3)
    assert rushlight.randn((2, 3)).shape == (2, 3)
    assert rushlight.rand(()).shape == ()
    assert rushlight.rand(size=(4,)).shape == (4,)
    assert rushlight.randint(low=1, high=2, size=[2]).tolist() == [1, 1]
    assert rushlight.randint(3, size=(2, 0)).shape == (2, 0)
    x = rushlight.zeros(3, dtype=rushlight.float64)
    assert rushlight.rand(3, out=x) is x and (x != 0).all()
    assert rushlight.rand(2, requires_grad=True).is_leaf
    assert rushlight.randn(2, dtype=rushlight.float64, requires_grad=True).requires_grad
    assert rushlight.randint(5, (2,)).dtype is rushlight.int64
    assert rushlight.rand_like(rushlight.zeros(2), dtype=rushlight.float64).dtype.itemsize == 8


def test_filling_and_the_graph():
    x = rushlight.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.uniform_()
    with rushlight.no_grad():
        assert x.uniform_() is x
    y = x * 3
    version = y._version
    y.normal_()
    assert y._version > version
    (y * 2 + x).sum().backward()
    assert x.grad.tolist() == [1, 1, 1]  # nothing through the values that were overwritten


def test_values_of_parameters_have_gradient_zero():
    p = rushlight.full((4,), 0.5, requires_grad=True)
    for draw in (rushlight.bernoulli, rushlight.poisson, rushlight.normal):
        p.grad = None
        draw(p).sum().backward()
        assert p.grad.tolist() == [0, 0, 0, 0]


def test_dropout_scales_and_passes_gradients():
    x = rushlight.ones(1000, requires_grad=True)
    y = rushlight.dropout(x, 0.25, True)
    assert type(y.grad_fn).__name__ == "MulBackward0"
    assert set(y.tolist()) == {0.0, float(np.float32(1) / np.float32(0.75))}
    y.sum().backward()
    np.testing.assert_array_equal(values(x.grad), values(y))
    assert rushlight.dropout(x, 0.25, False) is x
