"""What modules do besides computing: hooks, lazy parameters, weights as functions of others."""

from __future__ import annotations

import copy
import importlib
import pickle
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import nn

RNG = np.random.default_rng(0)


def both(torch: Any, run: Any) -> None:
    """The same nested lists of numbers and words in both libraries."""
    for found, expected in zip(run(rushlight), run(torch), strict=True):
        if isinstance(expected, str | list | tuple | bool):
            assert found == expected, (found, expected)
        else:
            np.testing.assert_allclose(
                found.detach().numpy(), expected.detach().numpy(), 1e-4, 1e-5
            )


def listed(gradients: Any) -> Any:
    return [None if g is None else g.tolist() for g in gradients]


# ---- Hooks of the backward pass ----


def two_outputs(lib: Any) -> Any:
    class Two(lib.nn.Module):
        def forward(self, a, b, c=None):
            return a * b, (a + 1) * 2

    return Two()


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_backward_hooks_are_pytorchs(torch: Any) -> None:
    def run(lib: Any) -> Any:
        seen = []
        module = two_outputs(lib)
        module.register_full_backward_hook(
            lambda m, gi, go: seen.append((type(m).__name__, listed(gi), listed(go)))
        )
        module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 3, *gi[1:]), prepend=True)
        module.register_full_backward_pre_hook(lambda m, go: (go[0] * 2, go[1]))
        a = lib.ones(2, requires_grad=True)
        b = lib.full((2,), 3.0, requires_grad=True)
        x, y = module(a, b, 7)
        (x.sum() + y.sum()).backward()
        layer = lib.nn.Linear(2, 2)
        handle = layer.register_full_backward_hook(
            lambda m, gi, go: seen.append((listed(gi), listed(go)))
        )
        layer(lib.ones(1, 2)).sum().backward()
        handle.remove()
        layer(lib.ones(1, 2)).sum().backward()
        return [*seen, a.grad, b.grad, layer.weight.grad]

    both(torch, run)


def test_backward_hooks_check_what_they_return() -> None:
    module = nn.Linear(2, 2)
    module.register_full_backward_hook(lambda m, gi, go: (None, None))
    x = rushlight.ones(1, 2, requires_grad=True)
    with pytest.raises(
        RuntimeError, match="Backward hook returned an invalid number of grad_input"
    ):
        module(x).sum().backward()
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full"):
        module.register_backward_hook(lambda *a: None)


@pytest.mark.filterwarnings("ignore:Using a non-full backward hook")
def test_former_backward_hook(torch: Any) -> None:
    def run(lib: Any) -> Any:
        seen = []
        module = lib.nn.Tanh()
        module.register_backward_hook(lambda m, gi, go: seen.append((listed(gi), listed(go))))
        module(lib.zeros(2, requires_grad=True)).sum().backward()
        return seen

    both(torch, run)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_hooks_of_all_modules(torch: Any) -> None:
    def run(lib: Any) -> Any:
        of = importlib.import_module(f"{lib.__name__}.nn.modules.module")
        seen: list[Any] = []
        handles = [
            of.register_module_forward_pre_hook(
                lambda m, a: seen.append(("pre", type(m).__name__))
            ),
            of.register_module_forward_hook(
                lambda m, a, k, o: seen.append(("after", sorted(k))), with_kwargs=True
            ),
            of.register_module_full_backward_hook(
                lambda m, gi, go: seen.append(("back", type(m).__name__))
            ),
            of.register_module_parameter_registration_hook(
                lambda m, n, p: seen.append(("parameter", n))
            ),
            of.register_module_module_registration_hook(lambda m, n, c: seen.append(("module", n))),
            of.register_module_buffer_registration_hook(lambda m, n, b: seen.append(("buffer", n))),
        ]
        try:
            model = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.BatchNorm1d(2))
            model(lib.ones(3, 2)).sum().backward()
        finally:
            for handle in handles:
                handle.remove()
        count = len(seen)
        model(lib.ones(3, 2))
        assert len(seen) == count
        return seen

    both(torch, run)


# ---- Lazy modules ----


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_lazy_modules() -> None:
    lazy = nn.LazyLinear(3)
    assert repr(lazy.weight) == "<UninitializedParameter>"
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter"):
        lazy.weight.shape  # noqa: B018
    twin, copied = nn.LazyLinear(3), copy.deepcopy(lazy)
    assert twin.load_state_dict(lazy.state_dict()).missing_keys == []
    assert twin.has_uninitialized_params() and copied.has_uninitialized_params()
    assert lazy.double().weight.dtype is rushlight.float64
    lazy(rushlight.ones(2, 5, dtype=rushlight.float64))
    assert type(lazy) is nn.Linear and type(lazy.weight) is nn.Parameter
    assert lazy.weight.dtype is rushlight.float64 and not lazy._forward_pre_hooks
    twin.load_state_dict(lazy.state_dict())
    assert twin.weight.shape == (3, 5)
    out = twin(rushlight.ones(2, 5))
    assert type(twin) is nn.Linear and twin.in_features == 5 and out.shape == (2, 3)
    pickle.loads(pickle.dumps(copied.weight))
    with pytest.raises(RuntimeError, match=r"Expected 3D \(unbatched\) or 4D \(batched\)"):
        nn.LazyConv2d(2, 3)(rushlight.ones(2, 5))


# ---- Weights as functions ----

LAYERS = [("Linear", (4, 3), (2, 4)), ("Conv2d", (2, 3, 3), (1, 2, 4, 5)),
          ("ConvTranspose1d", (2, 3, 3), (1, 2, 4))]  # fmt: skip
WEIGHTS = ["weight_norm", "spectral_norm", "parametrizations.weight_norm",
           "parametrizations.spectral_norm"]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated")
@pytest.mark.parametrize("path", WEIGHTS)
@pytest.mark.parametrize(("name", "args", "shape"), LAYERS)
def test_weights_as_functions(torch: Any, path: str, name: str, args: Any, shape: Any) -> None:
    x = RNG.standard_normal(shape).astype(np.float32)

    def run(lib: Any) -> Any:
        utils = lib.nn.utils
        make = utils
        for part in path.split("."):
            make = getattr(make, part)
        lib.manual_seed(1)
        layer = make(getattr(lib.nn, name)(*args))
        results = [repr(layer), list(layer.state_dict())]
        for _ in range(2):
            layer(lib.tensor(x)).square().sum().backward()
        results += [*layer.state_dict().values(), *(p.grad for p in layer.parameters())]
        twin = make(getattr(lib.nn, name)(*args))
        twin.load_state_dict(layer.state_dict())
        twin.eval()
        results.append(twin(lib.tensor(x)))
        if path.startswith("parametrizations"):
            copied = copy.deepcopy(twin)
            assert lib.nn.utils.parametrize.is_parametrized(copied, "weight")
            results.append(copied(lib.tensor(x)))
            lib.nn.utils.parametrize.remove_parametrizations(twin, "weight")
        else:
            getattr(utils, "remove_" + path)(twin)
        return [*results, repr(twin), list(twin.state_dict()), twin(lib.tensor(x))]

    both(torch, run)


def test_parametrize(torch: Any) -> None:
    def run(lib: Any) -> Any:
        parametrize = lib.nn.utils.parametrize

        class Symmetric(lib.nn.Module):
            def forward(self, x):
                return x + x.transpose(0, 1)

        class Doubled(lib.nn.Module):
            calls = 0

            def forward(self, x):
                Doubled.calls += 1
                return x * 2

            def right_inverse(self, x):
                return x / 2

        lib.manual_seed(0)
        layer = lib.nn.Linear(3, 3)
        parametrize.register_parametrization(layer, "weight", Doubled())
        value = layer.weight
        layer.weight = lib.ones(3, 3)
        results = [value, layer.weight, layer.parametrizations.weight.original]
        parametrize.register_parametrization(layer, "weight", Symmetric())
        results += [repr(layer), layer.weight, list(layer.state_dict())]
        before = Doubled.calls
        with parametrize.cached():
            assert layer.weight is layer.weight
        assert Doubled.calls == before + 1
        assert parametrize.type_before_parametrizations(layer) is lib.nn.Linear
        with pytest.raises(RuntimeError, match="Serialization of parametrized modules"):
            pickle.dumps(layer)
        with pytest.raises(ValueError, match="does not have a parameter"):
            parametrize.register_parametrization(layer, "nothing", Doubled())
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
        return [*results, repr(layer), layer.weight]

    both(torch, run)


@pytest.mark.parametrize("name", ["Conv1d", "Conv2d", "ConvTranspose2d", "Linear"])
def test_fusion(torch: Any, name: str) -> None:
    shape = {"Conv1d": (2, 2, 5), "Linear": (3, 2)}.get(name, (2, 2, 5, 4))
    x = RNG.standard_normal(shape).astype(np.float32)

    def run(lib: Any) -> Any:
        lib.manual_seed(0)
        layer = getattr(lib.nn, name)(*((2, 4) if name == "Linear" else (2, 4, 3))).eval()
        norm = getattr(lib.nn, f"BatchNorm{max(len(shape) - 2, 1)}d")(4)
        norm.running_mean.add_(0.5)
        norm.running_var.mul_(3.0)
        norm.eval()
        fusion = lib.nn.utils.fusion
        if name == "Linear":
            fused = fusion.fuse_linear_bn_eval(layer, norm)
        else:
            fused = fusion.fuse_conv_bn_eval(layer, norm, name.startswith("ConvT"))
        np.testing.assert_allclose(
            fused(lib.tensor(x)).detach().numpy(),
            norm(layer(lib.tensor(x))).detach().numpy(), 1e-4, 1e-5,
        )  # fmt: skip
        return [fused.weight, fused.bias]

    both(torch, run)


def test_functional_call() -> None:
    call = nn.utils.stateless.functional_call
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval())
    weight = rushlight.eye(2, requires_grad=True)
    x = rushlight.tensor([[1.0, 2.0]])
    before = model[0].weight
    out = call(model, {"0.weight": weight, "1.running_mean": rushlight.ones(2)}, x)
    assert model[0].weight is before and model[1].running_mean.tolist() == [0.0, 0.0]
    expected = (x + model[0].bias - 1) / (1 + 1e-5) ** 0.5
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), 1e-6)
    out.sum().backward()
    assert weight.grad is not None and before.grad is None
    with pytest.raises(KeyError, match="nothing"):
        call(model, {"nothing": weight}, x)
    with pytest.raises(RuntimeError, match="Missing key"):
        call(model, {"0.weight": weight}, x, strict=True)


def test_skip_init_leaves_the_random_stream() -> None:
    rushlight.manual_seed(0)
    layer = nn.utils.skip_init(nn.Linear, 3, 4)
    assert layer.weight.shape == (4, 3)
    drawn = rushlight.rand(1).item()
    rushlight.manual_seed(0)
    assert rushlight.rand(1).item() == drawn
    with pytest.raises(RuntimeError, match="Module must support a 'device' arg"):
        nn.utils.skip_init(nn.ReLU)


def test_data_parallel_calls_its_module() -> None:
    model = nn.DataParallel(nn.Linear(2, 2))
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
    assert model(rushlight.ones(1, 2)).shape == (1, 2)
    with pytest.raises(NotImplementedError, match="device_ids"):
        nn.DataParallel(nn.Linear(2, 2), device_ids=[0, 1])


def test_refused_by_name() -> None:
    with pytest.raises(NotImplementedError, match="SyncBatchNorm"):
        nn.SyncBatchNorm(3)
    with pytest.raises(NotImplementedError, match="SyncBatchNorm"):
        nn.SyncBatchNorm.convert_sync_batchnorm(nn.Identity())
    with pytest.raises(NotImplementedError, match=r"prune\.l1_unstructured"):
        nn.utils.prune.l1_unstructured(nn.Linear(2, 2), "weight", 0.5)
    with pytest.raises(NotImplementedError, match="sparse=True"):
        nn.EmbeddingBag(3, 2, sparse=True)(rushlight.zeros(1, 1).long())
    with pytest.raises(NotImplementedError, match="DistributedDataParallel"):
        nn.parallel.DistributedDataParallel(nn.Identity())


def test_compile_does_nothing() -> None:
    layer = nn.Linear(2, 2)
    assert layer.compile(mode="max-autotune") is None
    assert layer(rushlight.ones(1, 2)).shape == (1, 2)


# ---- Norms ----


def test_cross_map_norm(torch: Any) -> None:
    x = RNG.standard_normal((2, 7, 2, 3)).astype(np.float32)
    both(torch, lambda lib: [lib.nn.CrossMapLRN2d(3, alpha=0.5)(lib.tensor(x))])


def test_running_statistics_of_several_batches(torch: Any) -> None:
    batches = RNG.standard_normal((3, 4, 2, 5)).astype(np.float32)

    def run(lib: Any) -> Any:
        results = []
        for momentum in (0.3, None):
            norm = lib.nn.BatchNorm1d(2, momentum=momentum)
            for batch in batches:
                norm(lib.tensor(batch))
            norm.eval()
            results += [*norm.state_dict().values(), norm(lib.tensor(batches[0]))]
            norm.reset_running_stats()
            results += list(norm.state_dict().values())
        return results

    both(torch, run)


def test_batch_norm_reads_states_without_a_count(torch: Any) -> None:
    def run(lib: Any) -> Any:
        state = lib.nn.BatchNorm1d(2).state_dict()
        del state["num_batches_tracked"]
        del state._metadata
        norm = lib.nn.BatchNorm1d(2)
        return [str(norm.load_state_dict(state)), norm.num_batches_tracked]

    both(torch, run)
