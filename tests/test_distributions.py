"""Distributions against PyTorch: samples for a seed, densities, moments, derivatives, errors.

They are made of these ops, which have no other tests: _sample_dirichlet, _standard_gamma,
binomial, dirichlet_grad, standard_gamma_grad.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import rushlight
import rushlight.distributions

pytestmark = pytest.mark.filterwarnings("ignore:Singular sample detected:UserWarning")

# Name and parameters.
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("Normal", {"loc": [0.0, 1.0], "scale": [1.0, 2.5]}),
    ("LogNormal", {"loc": [0.0, 1.0], "scale": [1.0, 0.5]}),
    ("HalfNormal", {"scale": [1.0, 2.0]}),
    ("Uniform", {"low": [0.0, -1.0], "high": [1.0, 3.0]}),
    ("Exponential", {"rate": [1.0, 2.0]}),
    ("Laplace", {"loc": [0.0, 1.0], "scale": [1.0, 2.0]}),
    ("Cauchy", {"loc": [0.0, 1.0], "scale": [1.0, 2.0]}),
    ("HalfCauchy", {"scale": [1.0, 2.0]}),
    ("Gamma", {"concentration": [0.5, 3.0], "rate": [1.0, 2.0]}),
    ("InverseGamma", {"concentration": [2.5, 3.0], "rate": [1.0, 2.0]}),
    ("Chi2", {"df": [1.0, 4.0]}),
    ("Beta", {"concentration1": [0.5, 3.0], "concentration0": [1.5, 2.0]}),
    ("Dirichlet", {"concentration": [[0.5, 3.0, 1.0], [2.0, 2.0, 4.0]]}),
    ("StudentT", {"df": [1.5, 4.0], "loc": [0.0, 1.0], "scale": [1.0, 2.0]}),
    ("FisherSnedecor", {"df1": [3.0, 5.0], "df2": [6.0, 7.0]}),
    ("Poisson", {"rate": [0.5, 12.0]}),
    ("Bernoulli", {"probs": [0.2, 0.9]}),
    ("Bernoulli", {"logits": [-1.0, 2.0]}),
    ("Geometric", {"probs": [0.2, 0.9]}),
    ("Geometric", {"logits": [-1.0, 2.0]}),
    ("Binomial", {"total_count": [10.0, 40.0], "probs": [0.3, 0.6]}),
    ("Binomial", {"total_count": 5, "logits": [0.3, -0.6]}),
    ("NegativeBinomial", {"total_count": [3.0, 10.0], "probs": [0.3, 0.6]}),
    ("NegativeBinomial", {"total_count": 4.0, "logits": [0.3, -0.6]}),
    ("Categorical", {"probs": [[1.0, 2.0, 1.0], [0.1, 0.7, 0.2]]}),
    ("Categorical", {"logits": [[1.0, 2.0, 1.0], [0.1, 0.7, 0.2]]}),
    ("OneHotCategorical", {"probs": [[1.0, 2.0, 1.0], [0.1, 0.7, 0.2]]}),
    ("OneHotCategoricalStraightThrough", {"logits": [[1.0, 2.0, 1.0], [0.1, 0.7, 0.2]]}),
    ("Multinomial", {"total_count": 5, "probs": [[1.0, 2.0, 1.0], [0.1, 0.7, 0.2]]}),
    ("Multinomial", {"total_count": 3, "logits": [0.5, 1.0, 0.0]}),
    ("ContinuousBernoulli", {"probs": [0.2, 0.5, 0.9]}),
    ("ContinuousBernoulli", {"logits": [-1.0, 0.001, 2.0]}),
    ("VonMises", {"loc": [0.0, 1.0], "concentration": [0.5, 4.0]}),
    ("Weibull", {"scale": [1.0, 2.0], "concentration": [1.2, 3.0]}),
    ("Pareto", {"scale": [1.0, 2.0], "alpha": [2.5, 3.0]}),
    ("GeneralizedPareto", {"loc": [0.0, 1.0], "scale": [1.0, 2.0], "concentration": [0.0, 0.3]}),
    ("Gumbel", {"loc": [0.0, 1.0], "scale": [1.0, 2.0]}),
    ("Kumaraswamy", {"concentration1": [1.5, 3.0], "concentration0": [1.2, 2.0]}),
    ("LogisticNormal", {"loc": [0.0, 1.0], "scale": [1.0, 0.5]}),
    ("RelaxedBernoulli", {"temperature": [0.7], "probs": [0.2, 0.9]}),
    ("RelaxedOneHotCategorical", {"temperature": [0.7], "logits": [0.2, 0.9, -1.0]}),
    (
        "MultivariateNormal",
        {"loc": [[0.0, 1.0], [2.0, 3.0]], "covariance_matrix": [[2.0, 0.3], [0.3, 1.0]]},
    ),
    ("MultivariateNormal", {"loc": [0.0, 1.0], "precision_matrix": [[2.0, 0.3], [0.3, 1.0]]}),
    ("MultivariateNormal", {"loc": [0.0, 1.0], "scale_tril": [[2.0, 0.0], [0.3, 1.0]]}),
    (
        "LowRankMultivariateNormal",
        {"loc": [0.0, 1.0, 2.0], "cov_factor": [[1.0], [0.5], [2.0]], "cov_diag": [1.0, 0.5, 2.0]},
    ),
    ("LKJCholesky", {"dim": 3, "concentration": [0.5, 2.0]}),
    ("Wishart", {"df": [4.0, 5.5], "covariance_matrix": [[2.0, 0.3], [0.3, 1.0]]}),
]
each_row = pytest.mark.parametrize(
    ("name", "parameters"), ROWS, ids=[f"{n}-{'-'.join(p)}" for n, p in ROWS]
)
WHOLE = ("total_count", "dim")
# Of the families that are drawn by rejection; PyTorch's derivative is an approximation.
APPROXIMATE = ("Gamma", "Chi2", "Beta", "Dirichlet", "StudentT", "FisherSnedecor", "InverseGamma",
               "Wishart")  # fmt: skip


def made(t: Any, name: str, parameters: Any, grad: bool = False, **options: Any) -> Any:
    """The distribution, and its tensors; float64 but where PyTorch takes float32 only."""
    dtype = t.float32 if name == "GeneralizedPareto" else t.float64
    given = {
        k: v if k in WHOLE and not isinstance(v, list) else t.tensor(v, dtype=dtype)
        for k, v in parameters.items()
    }
    leaves = [v.requires_grad_(grad) for v in given.values() if hasattr(v, "shape")]
    return getattr(t.distributions, name)(**given, **options), leaves


# PyTorch has approximations of Bessel functions, a term of an entropy in float32, a
# distribution of float32 numbers only.
LOOSE = {"VonMises": 1e-6, "Multinomial": 1e-6, "GeneralizedPareto": 1e-5}


def close(mine: Any, theirs: Any, what: str = "", tolerance: float = 1e-9) -> None:
    a, b = (np.asarray(x.numpy(force=True)) for x in (mine, theirs))
    assert a.shape == b.shape, what
    assert str(mine.dtype) == str(theirs.dtype), what
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def limit_of(name: str) -> float:
    return LOOSE.get(name, 1e-9)


def attempt(function: Callable[[], Any]) -> Any:
    """A result, or the type of what was raised."""
    try:
        return function()
    except (NotImplementedError, AttributeError, ValueError) as error:
        return type(error).__name__


def compare(
    mine: Callable[[], Any], theirs: Callable[[], Any], what: str, tolerance: float = 1e-9
) -> None:
    expected, found = attempt(theirs), attempt(mine)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected, what
    else:
        close(found, expected, what, tolerance)


def pair(torch: Any, name: str, parameters: Any, **options: Any) -> Any:
    return [made(t, name, parameters, **options)[0] for t in (rushlight, torch)]


@each_row
def test_samples_are_pytorchs_for_a_seed(name: str, parameters: Any, torch: Any) -> None:
    if name == "Wishart":
        pytest.skip("PyTorch draws again while samples are valid")
    mine, theirs = pair(torch, name, parameters)
    for shape in ((), (4,), (2, 3)):
        rushlight.manual_seed(7), torch.manual_seed(7)
        close(mine.sample(shape), theirs.sample(shape), f"sample {shape}", limit_of(name))
    assert mine.has_rsample == theirs.has_rsample or name == "RelaxedBernoulli"


@each_row
def test_densities_and_moments_are_pytorchs(name: str, parameters: Any, torch: Any) -> None:
    mine, theirs = pair(torch, name, parameters)
    limit = limit_of(name)
    assert tuple(mine.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(mine.event_shape) == tuple(theirs.event_shape)
    assert repr(mine) == repr(theirs)
    assert repr(mine.support) == repr(theirs.support)
    torch.manual_seed(3)
    value = theirs.sample((5,))
    own = rushlight.from_numpy(value.numpy())
    for method in ("log_prob", "cdf"):
        compare(
            lambda m=method: getattr(mine, m)(own),
            lambda m=method: getattr(theirs, m)(value),
            method,
            limit,
        )
    for what in ("mean", "mode", "variance", "stddev"):
        compare(lambda w=what: getattr(mine, w), lambda w=what: getattr(theirs, w), what, limit)
    compare(mine.entropy, theirs.entropy, "entropy", limit)
    levels = torch.tensor([[0.1], [0.5], [0.8]], dtype=torch.float64)
    compare(
        lambda: mine.icdf(rushlight.from_numpy(levels.numpy())),
        lambda: theirs.icdf(levels),
        "icdf",
        limit,
    )
    for expand in (True, False):
        compare(
            lambda e=expand: mine.enumerate_support(e),
            lambda e=expand: theirs.enumerate_support(e),
            "enumerate_support",
        )


@each_row
def test_expanded_distributions_are_pytorchs(name: str, parameters: Any, torch: Any) -> None:
    mine, theirs = pair(torch, name, parameters)
    batch = (3, *theirs.batch_shape)
    mine, theirs = mine.expand(batch), theirs.expand(batch)
    assert tuple(mine.batch_shape) == batch
    rushlight.manual_seed(5), torch.manual_seed(5)
    y = theirs.sample((2,))
    x = rushlight.from_numpy(y.numpy()) if name == "Wishart" else mine.sample((2,))
    close(x, y, "sample", limit_of(name))
    close(mine.log_prob(x), theirs.log_prob(y), "log_prob", limit_of(name))


@each_row
def test_derivatives_are_pytorchs(name: str, parameters: Any, torch: Any) -> None:
    """Of the density by value and parameters, and of samples by parameters."""
    torch.manual_seed(11)
    value = made(torch, name, parameters)[0].sample((3,))
    found = []
    for t in (rushlight, torch):
        d, leaves = made(t, name, parameters, grad=True)
        point = t.from_numpy(value.numpy()) if t is rushlight else value
        density = t.autograd.grad(d.log_prob(point).sum(), leaves, allow_unused=True)
        drawn = [None] * len(leaves)
        if d.has_rsample and name != "Wishart":
            d, leaves = made(t, name, parameters, grad=True)
            t.manual_seed(13)
            sample = d.rsample((4,))
            weights = t.arange(sample.numel(), dtype=sample.dtype).view(sample.shape).cos()
            drawn = t.autograd.grad((sample * weights).sum(), leaves, allow_unused=True)
        found.append((density, drawn))
    for what, mine, theirs in zip(("density", "sample"), *found, strict=True):
        limit = 5e-3 if what == "sample" and name in APPROXIMATE else max(limit_of(name), 1e-8)
        for a, b in zip(mine, theirs, strict=True):
            if b is not None and a is not None:
                close(a, b, what, limit)
            else:
                present = a if b is None else b
                assert present is None or not np.asarray(present.numpy()).any(), what


# ---- Made of others ----


def test_composed_distributions_are_pytorchs(torch: Any) -> None:
    def build(t: Any) -> list[Any]:
        d, tensor = t.distributions, lambda x: t.tensor(x, dtype=t.float64)
        normal = d.Normal(tensor([[0.0, 1.0], [2.0, 3.0]]), tensor([1.0, 2.0]))
        mixture = d.Categorical(probs=tensor([0.3, 0.7]))
        return [
            d.Independent(normal, 1),
            d.MixtureSameFamily(mixture, d.Normal(tensor([0.0, 3.0]), tensor([1.0, 0.5]))),
            d.MixtureSameFamily(mixture, d.Independent(normal, 1)),
            d.TransformedDistribution(
                d.Normal(tensor([0.0, 1.0]), tensor([1.0, 2.0])),
                [d.AffineTransform(1.0, -2.0), d.TanhTransform()],
            ),
            d.TransformedDistribution(normal, [d.StickBreakingTransform()]),
        ]

    for mine, theirs in zip(build(rushlight), build(torch), strict=True):
        rushlight.manual_seed(1), torch.manual_seed(1)
        x, y = mine.sample((4,)), theirs.sample((4,))
        close(x, y, repr(theirs))
        close(mine.log_prob(x), theirs.log_prob(y), repr(theirs))
        for what in ("mean", "variance"):
            compare(partial(getattr, mine, what), partial(getattr, theirs, what), what)
        compare(partial(mine.cdf, x), partial(theirs.cdf, y), "cdf")


TRANSFORMS: list[tuple[str, tuple[Any, ...], tuple[int, ...]]] = [
    ("ExpTransform", (), (3,)),
    ("AbsTransform", (), (3,)),
    ("SigmoidTransform", (), (3,)),
    ("SoftplusTransform", (), (3,)),
    ("TanhTransform", (), (3,)),
    ("SoftmaxTransform", (), (3,)),
    ("StickBreakingTransform", (), (2, 3)),
    ("LowerCholeskyTransform", (), (3, 3)),
    ("PositiveDefiniteTransform", (), (3, 3)),
    ("CorrCholeskyTransform", (), (2, 6)),
    ("AffineTransform", (1.0, 2.0), (3,)),
    ("ReshapeTransform", ((2, 3), (6,)), (4, 2, 3)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), TRANSFORMS)
def test_transforms_are_pytorchs(name: str, arguments: Any, shape: Any, torch: Any) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    mine = getattr(rushlight.distributions, name)(*arguments)
    theirs = getattr(torch.distributions, name)(*arguments)
    a, b = rushlight.tensor(x), torch.tensor(x)
    y, z = mine(a), theirs(b)
    close(y, z, "forward")
    close(mine.inv(y), theirs.inv(z), "inverse", 1e-6)
    compare(
        lambda: mine.log_abs_det_jacobian(a, y),
        lambda: theirs.log_abs_det_jacobian(b, z),
        "jacobian",
    )
    assert tuple(mine.forward_shape(a.shape)) == tuple(theirs.forward_shape(b.shape))
    assert mine.bijective == theirs.bijective
    assert repr(mine.codomain) == repr(theirs.codomain)
    assert repr(mine) == repr(theirs)


def test_caches_make_the_inverse_of_a_result_exact() -> None:
    transform = rushlight.distributions.SigmoidTransform(cache_size=1)
    x = rushlight.tensor([40.0])
    assert transform.inv(transform(x)) is x
    assert transform.inv.inv is transform


def test_constraints_have_transforms(torch: Any) -> None:
    x = np.random.default_rng(0).normal(size=(4, 4))
    for name in ("real", "positive", "unit_interval", "simplex", "lower_cholesky", "real_vector",
                 "positive_definite", "nonnegative"):  # fmt: skip
        for registry in ("biject_to", "transform_to"):
            results = []
            for t in (rushlight, torch):
                constraint = getattr(t.distributions.constraints, name)
                transform = attempt(partial(getattr(t.distributions, registry), constraint))
                results.append(transform if isinstance(transform, str) else transform(t.tensor(x)))
                assert isinstance(transform, str) or constraint.check(results[-1]).all()
            if isinstance(results[1], str):
                assert results[0] == results[1], (registry, name)
            else:
                close(*results, f"{registry} {name}")


def test_constraints_check_as_pytorchs(torch: Any) -> None:
    values = [
        [0.0, 1.0, 2.0], [0.2, 0.3, 0.5], [-1.0, 0.5, 1.5], [1.0, 0.0, 0.0],
        [[1.0, 0.0], [0.5, 2.0]], [[2.0, 0.5], [0.5, 1.0]], [[1.0, 2.0], [2.0, 1.0]],
    ]  # fmt: skip
    names = ("boolean", "one_hot", "nonnegative_integer", "positive_integer", "real", "positive",
             "nonnegative", "unit_interval", "simplex", "real_vector")  # fmt: skip
    matrices = ("lower_triangular", "lower_cholesky", "square", "symmetric", "positive_definite",
                "positive_semidefinite", "corr_cholesky")  # fmt: skip
    for value in values:
        for name in (*names, *(matrices if isinstance(value[0], list) else ())):
            mine = getattr(rushlight.distributions.constraints, name).check(rushlight.tensor(value))
            theirs = getattr(torch.distributions.constraints, name).check(torch.tensor(value))
            close(mine, theirs, f"{name} {value}")


# ---- Divergences ----

KL: list[tuple[str, dict[str, Any]]] = [
    ("Normal", {"loc": [0.3, 1.0], "scale": [1.0, 2.5]}),
    ("Laplace", {"loc": [0.0, 1.0], "scale": [1.0, 2.0]}),
    ("Gumbel", {"loc": [0.5, 1.0], "scale": [1.0, 2.0]}),
    ("Cauchy", {"loc": [0.0, 1.0], "scale": [1.0, 2.0]}),
    ("Uniform", {"low": [0.1, 0.2], "high": [0.7, 0.9]}),
    ("Uniform", {"low": [1.5, 2.0], "high": [3.0, 3.0]}),
    ("Exponential", {"rate": [1.0, 2.0]}),
    ("Gamma", {"concentration": [0.5, 3.0], "rate": [1.0, 2.0]}),
    ("Pareto", {"scale": [1.0, 2.0], "alpha": [2.5, 3.0]}),
    ("Beta", {"concentration1": [0.5, 3.0], "concentration0": [1.5, 2.0]}),
    ("ContinuousBernoulli", {"probs": [0.2, 0.9]}),
    ("Bernoulli", {"probs": [0.0, 0.9]}),
    ("Bernoulli", {"logits": [-1.0, 2.0]}),
    ("Binomial", {"total_count": 5, "probs": [0.3, 0.6]}),
    ("Geometric", {"probs": [0.2, 0.9]}),
    ("Poisson", {"rate": [0.5, 12.0]}),
    ("HalfNormal", {"scale": [1.0, 2.0]}),
    ("LogNormal", {"loc": [0.3, 1.0], "scale": [1.0, 2.5]}),
    ("Categorical", {"probs": [[1.0, 2.0, 0.0], [0.1, 0.7, 0.2]]}),
    ("OneHotCategorical", {"logits": [[1.0, 2.0, 1.0], [0.1, 0.7, 0.2]]}),
    ("Dirichlet", {"concentration": [[0.5, 3.0, 1.0], [2.0, 2.0, 4.0]]}),
    ("MultivariateNormal", {"loc": [0.0, 1.0, 0.5], "scale_tril": np.tri(3).tolist()}),
    (
        "LowRankMultivariateNormal",
        {"loc": [0.0, 1.0, 2.0], "cov_factor": [[1.0], [0.5], [2.0]], "cov_diag": [1.0, 0.5, 2.0]},
    ),
]


def test_divergences_are_pytorchs(torch: Any) -> None:
    """Of every pair, also where there is none."""
    for (name_p, p), (name_q, q) in itertools.product(KL, KL):
        results = []
        for t in (rushlight, torch):
            options = {"validate_args": False}
            first, second = made(t, name_p, p, **options)[0], made(t, name_q, q, **options)[0]
            results.append(
                attempt(lambda t=t, a=first, b=second: t.distributions.kl_divergence(a, b))
            )
        mine, theirs = results
        if isinstance(mine, str) or isinstance(theirs, str):
            assert mine == theirs, (name_p, name_q)
        else:
            a, b = np.asarray(mine.numpy(force=True)), np.asarray(theirs.numpy(force=True))
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10, err_msg=f"{name_p} {name_q}")


def test_registered_divergences_are_found() -> None:
    d = rushlight.distributions

    class Mine(d.Normal):
        pass

    @d.register_kl(Mine, d.Normal)
    def kl(p: Any, q: Any) -> Any:
        return rushlight.tensor(42.0)

    assert d.kl_divergence(Mine(0.0, 1.0), d.Normal(0.0, 1.0)).item() == 42.0
    with pytest.raises(TypeError, match="Expected type_p to be a Distribution subclass"):
        d.register_kl(int, d.Normal)


# ---- Errors ----

FLAWED: list[Callable[[Any], Any]] = [
    lambda t: t.distributions.Normal(0.0, -1.0),
    lambda t: t.distributions.Normal(t.zeros(3), t.tensor([1.0, 0.0, 1.0])),
    lambda t: t.distributions.Normal("a", 1.0),
    lambda t: t.distributions.Normal(0.0, 1.0).log_prob(1.0),
    lambda t: t.distributions.Normal(0.0, 1.0).log_prob(t.tensor(float("nan"))),
    lambda t: t.distributions.Normal(t.zeros(2), 1.0).log_prob(t.zeros(3)),
    lambda t: t.distributions.Uniform(1.0, 0.0),
    lambda t: t.distributions.Uniform(0.0, 1.0).log_prob(t.tensor(2.0)),
    lambda t: t.distributions.Bernoulli(),
    lambda t: t.distributions.Bernoulli(0.5, 0.5),
    lambda t: t.distributions.Bernoulli(1.5),
    lambda t: t.distributions.Bernoulli(0.5).log_prob(t.tensor(0.5)),
    lambda t: t.distributions.Categorical(t.tensor(0.5)),
    lambda t: t.distributions.Categorical(t.tensor([0.5, 0.5])).log_prob(t.tensor(2)),
    lambda t: t.distributions.Categorical(t.tensor([0.5, 0.5])).icdf(t.tensor(0.5)),
    lambda t: t.distributions.Dirichlet(t.tensor(0.5)),
    lambda t: t.distributions.Dirichlet(t.ones(3)).log_prob(t.ones(3)),
    lambda t: t.distributions.Dirichlet(t.ones(3)).log_prob(t.ones(2)),
    lambda t: t.distributions.MultivariateNormal(t.zeros(2)),
    lambda t: t.distributions.MultivariateNormal(t.zeros(2), -t.eye(2)),
    lambda t: t.distributions.Multinomial(5, t.ones(2)).log_prob(t.tensor([4.0, 4.0])),
    lambda t: t.distributions.Independent(t.distributions.Normal(0.0, 1.0), 1),
    lambda t: t.distributions.kl_divergence(
        t.distributions.Normal(0.0, 1.0), t.distributions.Categorical(t.ones(2))
    ),
    lambda t: t.distributions.Poisson(1.0).rsample(),
    lambda t: t.distributions.LKJCholesky(1),
]


@pytest.mark.parametrize("number", range(len(FLAWED)))
def test_errors_are_pytorchs(number: int, torch: Any) -> None:
    call = FLAWED[number]
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(type(theirs.value)) as mine:
        call(rushlight)
    assert str(mine.value).replace("rushlight", "torch") == str(theirs.value)


def test_validation_can_be_turned_off() -> None:
    d = rushlight.distributions
    assert d.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0
    d.Distribution.set_default_validate_args(False)
    try:
        d.Normal(0.0, -1.0)
    finally:
        d.Distribution.set_default_validate_args(True)
