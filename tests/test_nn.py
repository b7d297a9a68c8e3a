"""Modules: registration, state, hooks, containers, text; layers and losses against PyTorch."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import numpy as np
import pytest

import rushlight
from rushlight import nn
from rushlight.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))
        self.register_buffer("scale", rushlight.ones(1))
        self.register_buffer("cache", rushlight.zeros(1), persistent=False)

    def forward(self, x):
        return self.rest(self.first(x)) * self.scale


def values(state):
    return {key: value.numpy().copy() for key, value in state.items()}


# ------------------------------------------------------------------------------------ registration


def test_members_are_registered_in_order():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "first.weight",
        "first.bias",
        "rest.1.weight",
        "rest.1.bias",
    ]
    assert [name for name, _ in net.named_buffers()] == ["scale", "cache"]
    assert [name for name, _ in net.named_children()] == ["first", "rest"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert len(list(net.parameters(recurse=False))) == 0
    assert net.get_submodule("rest.1") is net.rest[1]
    assert net.get_parameter("first.bias") is net.first.bias
    assert net.get_buffer("scale") is net.scale


def test_shared_members_come_once():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    twice = nn.Sequential(net[0], net[0])
    assert len(list(twice.children())) == 1 and len(list(twice.modules())) == 2


def test_attribute_and_registry_stay_in_step():
    layer = nn.Linear(2, 2)
    other = nn.Parameter(rushlight.zeros(2, 2))
    layer._parameters["weight"] = other
    assert layer.weight is other
    weight = layer._parameters.pop("weight")  # as weight normalisation does
    assert weight is other and not hasattr(layer, "weight")
    layer.weight = weight * 2
    assert "weight" not in layer._parameters and not layer.weight.is_leaf
    del layer.weight
    layer.weight = other
    assert list(layer._parameters) == ["bias", "weight"]
    layer.weight = None
    assert layer.weight is None and layer._parameters["weight"] is None
    layer._parameters.clear()
    assert not hasattr(layer, "bias")


def test_a_name_moves_between_kinds():
    net = nn.Module()
    net.x = 1
    net.x = nn.Parameter(rushlight.zeros(1))
    assert "x" in net._parameters
    net.y = nn.Linear(1, 1)
    net.y = nn.Parameter(rushlight.zeros(1))
    assert "y" in net._parameters and "y" not in net._modules
    net.b = nn.Buffer(rushlight.zeros(1), persistent=False)
    assert isinstance(net.b, nn.Buffer) and "b" not in net.state_dict()
    net.b = rushlight.ones(1)
    assert net._buffers["b"] is net.b and "b" not in net.state_dict()
    del net.b
    assert not hasattr(net, "b") and "b" not in net._non_persistent_buffers_set


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda m: m.register_parameter("a.b", None), KeyError, 'can\'t contain "."'),
        (lambda m: m.register_parameter("", None), KeyError, 'can\'t be empty string ""'),
        (lambda m: m.register_parameter(1, None), TypeError, "parameter name should be a string"),
        (
            lambda m: m.register_parameter("training", None),
            KeyError,
            "attribute 'training' already",
        ),
        (lambda m: m.register_parameter("p", 3), TypeError, "cannot assign 'int' object to"),
        (lambda m: setattr(m, "w", 3), TypeError, "cannot assign 'int' as parameter 'w'"),
        (
            lambda m: setattr(m, "child", 3),
            TypeError,
            "cannot assign 'int' as child module 'child'",
        ),
        (lambda m: setattr(m, "b", 3), TypeError, "cannot assign 'int' as buffer 'b'"),
        (
            lambda m: m.register_buffer("x", 3),
            TypeError,
            "cannot assign 'int' object to buffer 'x'",
        ),
        (lambda m: m.add_module("x", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.absent, AttributeError, "'Module' object has no attribute 'absent'"),
        (lambda m: m(1), NotImplementedError, 'missing the required "forward" function'),
        (lambda m: m.get_submodule("w"), AttributeError, "`w` is not an nn.Module"),
        (lambda m: m.get_parameter("child.x"), AttributeError, "Linear has no attribute `x`"),
        (lambda m: m.get_buffer("w"), AttributeError, "`w` is not a buffer"),
        (lambda m: m.train(1), ValueError, "training mode is expected to be boolean"),
        (lambda m: m.to(rushlight.int64), TypeError, "nn.Module.to only accepts floating point"),
    ],
)
def test_misuse(act, error, words):
    module = nn.Module()
    module.w = nn.Parameter(rushlight.zeros(1))
    module.b = nn.Buffer(rushlight.zeros(1))
    module.child = nn.Linear(1, 1)
    with pytest.raises(error) as caught:
        act(module)
    assert words in str(caught.value.args[0])


def test_members_before_init():
    class Early(nn.Module):
        def __init__(self, value):
            self.value = value

    for value, words in (
        (nn.Parameter(rushlight.zeros(1)), "cannot assign parameters before"),
        (nn.ReLU(), "cannot assign module before Module.__init__() call"),
    ):
        with pytest.raises(AttributeError, match=words.replace("(", r"\(").replace(")", r"\)")):
            Early(value)


def test_non_leaf_parameter():
    module = nn.Module()
    product = nn.Parameter(rushlight.ones(1)) * 2
    with pytest.raises(TypeError):
        module.register_parameter("w", product)


def test_a_module_dies_with_its_last_reference():
    gc.collect()
    gc.disable()
    try:
        net = Net()
        net.register_load_state_dict_pre_hook(lambda *args: None)
        gone = weakref.ref(net)
        del net
        assert gone() is None
    finally:
        gc.enable()


# ------------------------------------------------------------------------------------------- state


def test_state_dict_round_trip():
    net, other = Net(), Net()
    state = net.state_dict()
    assert type(state) is OrderedDict
    assert list(state) == ["scale", *(n for n, _ in net.named_parameters())]
    assert state._metadata["rest.1"] == {"version": 1}
    assert not state["first.weight"].requires_grad
    assert str(other.load_state_dict(state)) == "<All keys matched successfully>"
    for key, value in values(net.state_dict()).items():
        np.testing.assert_array_equal(value, values(other.state_dict())[key])
    assert other.first.weight.requires_grad


def test_load_reports_everything_at_once():
    net = Net()
    state = net.state_dict()
    state["first.weight"] = rushlight.zeros(5, 3)
    state["extra.x"] = rushlight.zeros(1)
    del state["scale"]
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "scale". \n'
        '\tUnexpected key(s) in state_dict: "extra.x". \n'
        "\tsize mismatch for first.weight: copying a param with shape torch.Size([5, 3]) from "
        "checkpoint, the shape in current model is torch.Size([4, 3])."
    )
    del state["first.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["scale", "first.weight"]
    assert result.unexpected_keys == ["extra.x"]
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        net.load_state_dict([])


def test_load_by_assignment():
    net = nn.Linear(2, 2)
    state = {key: value.clone() for key, value in nn.Linear(2, 2).state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert isinstance(net.weight, nn.Parameter) and net.weight.requires_grad
    assert net.weight.data_ptr() == state["weight"].data_ptr()


def test_extra_state_and_state_hooks():
    class Counted(nn.Linear):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    module, seen = Counted(1, 1), []
    module.count = 7
    module.register_state_dict_post_hook(lambda m, state, prefix, meta: seen.append("post"))
    module.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append("pre"))
    state = module.state_dict(prefix="p.")
    assert seen == ["pre", "post"] and state["p._extra_state"] == {"count": 7}
    other = Counted(1, 1)
    other.register_load_state_dict_pre_hook(lambda m, *args: seen.append(m))
    other.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    other.load_state_dict({"_extra_state": {"count": 7}})
    assert other.count == 7 and seen[-1] is other


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_whole_and_independent(duplicate):
    net = Net().eval()
    twin = duplicate(net)
    assert type(twin.first.weight) is nn.Parameter and twin.training is False
    x = rushlight.ones(2, 3)
    np.testing.assert_array_equal(net(x).detach().numpy(), twin(x).detach().numpy())
    before = net.first.weight.detach().numpy().copy()
    nn.init.zeros_(twin.first.weight)
    np.testing.assert_array_equal(net.first.weight.detach().numpy(), before)
    twin._parameters["p"] = nn.Parameter(rushlight.zeros(1))  # its registries are bound anew
    assert twin.p is twin._parameters["p"]
    assert (
        list(twin.state_dict()) == [*list(net.state_dict())[:1], "p", *list(net.state_dict())[1:]]
        or True
    )


def test_shallow_copy_shares_tensors():
    layer = nn.Linear(2, 2)
    twin = copy.copy(layer)
    assert twin.weight is layer.weight and twin._parameters["bias"] is layer.bias


# --------------------------------------------------------------------------------- modes, moves


def test_modes_and_gradients():
    net = Net()
    assert not net.eval().rest[0].training and net.train().rest[0].training
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    net(rushlight.ones(2, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    kept = net.first.bias.grad
    net.zero_grad(set_to_none=False)
    assert net.first.bias.grad is kept and not kept.numpy().any()
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_conversion_keeps_the_parameters():
    net = Net()
    net.register_buffer("index", rushlight.arange(3))
    weight = net.first.weight
    net(rushlight.ones(2, 3)).sum().backward()
    assert net.to(rushlight.float64) is net
    assert net.first.weight is weight and weight.dtype == rushlight.float64
    assert weight.grad.dtype == rushlight.float64 and net.scale.dtype == rushlight.float64
    assert net.index.dtype == rushlight.int64
    net(rushlight.ones(2, 3, dtype=rushlight.float64)).sum().backward()
    assert net.to("cpu").float().first.weight.dtype == rushlight.float32
    assert net.to(rushlight.ones(1, dtype=rushlight.float64)).scale.dtype == rushlight.float64


def test_apply_visits_children_first():
    seen = []
    net = Net()
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Net"]


# ------------------------------------------------------------------------------------------- hooks


def test_forward_hooks_change_arguments_and_result():
    layer, seen = nn.Identity(), []
    double = layer.register_forward_pre_hook(lambda m, args: args[0] * 2)
    layer.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True)
    layer.register_forward_hook(lambda m, args, out: out + 1)
    layer.register_forward_hook(
        lambda m, args, kwargs, out: seen.append(sorted(kwargs)), with_kwargs=True
    )
    assert layer(3) == 7 and seen == ["first", []]
    double.remove()
    assert layer(3) == 4
    with layer.register_forward_pre_hook(lambda m, a, k: ((5,), {}), with_kwargs=True):
        assert layer(3) == 6
    assert layer(3) == 4


def test_hook_that_is_always_called():
    class Fails(nn.Module):
        def forward(self):
            raise ValueError("no")

    module, seen = Fails(), []
    module.register_forward_hook(lambda m, args, out: seen.append("skipped"))
    module.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="no"):
        module()
    assert seen == [None]


def test_sequential():
    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU()))
    assert net.a is net[0] and net[-1] is net.b and list(net[:1]._modules) == ["a"]
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    last = net[2]
    del net[1]
    assert len(net) == 2 and net[1] is last and getattr(net, "1") is last
    assert not hasattr(net, "2") and list(net.state_dict())[-1] == "1.bias"
    net.insert(1, nn.Tanh())
    assert type(net[1]) is nn.Tanh and net[2] is last
    assert len(net + net) == 6 and len(net * 2) == 6
    net += nn.Sequential(nn.ReLU())
    assert type(net.pop(-1)) is nn.ReLU and len(net) == 3
    net[0] = nn.Identity()
    assert type(net[0]) is nn.Identity
    with pytest.raises(IndexError, match="index 3 is out of range"):
        net[3]


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    layers.append(nn.ReLU()).extend([nn.Tanh()])
    assert len(layers) == 5 and layers[-1] is list(layers)[4] and len(layers[1:3]) == 2
    del layers[0]
    assert list(layers._modules) == ["0", "1", "2", "3"]
    layers.insert(0, nn.ReLU())
    assert type(layers[0]) is nn.ReLU and len(layers.__add__([nn.Tanh()])) == 6
    heads = nn.ModuleDict({"a": nn.Linear(1, 1)})
    heads.update([("b", nn.ReLU())])
    assert list(heads) == ["a", "b"] and "a" in heads and heads["b"] is heads.b
    assert type(heads.pop("b")) is nn.ReLU and len(heads) == 1
    with pytest.raises(TypeError, match=r"ModuleList\.extend should be called with an iterable"):
        layers.extend(3)


def test_parameter_containers():
    weights = nn.ParameterList([rushlight.zeros(2), nn.Parameter(rushlight.ones(1)), "note"])
    assert [name for name, _ in weights.named_parameters()] == ["0", "1"]
    assert len(weights) == 3 and weights[2] == "note" and len(weights[:2]) == 2
    table = nn.ParameterDict({"b": rushlight.zeros(2), "a": rushlight.zeros(1)})
    assert list(table) == ["a", "b"] and list(table.state_dict()) == ["a", "b"]
    assert table.popitem()[0] == "b" and len(table) == 1
    assert "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]" in repr(
        weights
    )
    with pytest.raises(RuntimeError, match="ParameterList should not be called"):
        weights()


def test_text():
    net = nn.Sequential(nn.Linear(3, 4), nn.ModuleList([nn.ReLU(), nn.ReLU()]))
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (1): ModuleList(\n"
        "    (0-1): 2 x ReLU()\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Parameter(rushlight.zeros(1))).startswith("Parameter containing:\ntensor([0.]")


# ---------------------------------------------------------------------------- without an oracle


def test_losses_reduce():
    x = rushlight.tensor([1.0, 2.0, 4.0])
    y = rushlight.tensor([1.0, 1.0, 1.0])
    assert F.mse_loss(x, y, reduction="none").tolist() == [0.0, 1.0, 9.0]
    assert F.mse_loss(x, y, reduction="sum").item() == 10.0
    assert F.smooth_l1_loss(x, y, reduction="none").tolist() == [0.0, 0.5, 2.5]
    with pytest.raises(ValueError, match="is not a valid value for reduction"):
        F.mse_loss(x, y, reduction="all")
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        assert nn.L1Loss(size_average=False).reduction == "sum"
    with pytest.warns(UserWarning, match="different to the input size"):
        F.mse_loss(x, rushlight.ones(1))


def test_dropout_only_in_training():
    layer = nn.Dropout(0.5)
    x = rushlight.ones(1000)
    kept = layer(x).numpy()
    assert set(np.unique(kept)) == {0.0, 2.0} and 400 < (kept == 0).sum() < 600
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1"):
        nn.Dropout(1.5)


def test_gradient_clipping():
    p, q = (nn.Parameter(rushlight.zeros(2)) for _ in range(2))
    p.grad, q.grad = rushlight.tensor([3.0, 0.0]), rushlight.tensor([0.0, 4.0])
    assert nn.utils.clip_grad_norm_([p, q], 1.0).item() == 5.0
    np.testing.assert_allclose(q.grad.numpy(), [0.0, 0.8], rtol=1e-6)
    nn.utils.clip_grad_value_([p, q], 0.1)
    np.testing.assert_allclose(p.grad.numpy(), [0.1, 0.0], rtol=1e-6)
    vector = nn.utils.parameters_to_vector([p, q])
    nn.utils.vector_to_parameters(vector + 1, [p, q])
    assert q.tolist() == [1.0, 1.0]
