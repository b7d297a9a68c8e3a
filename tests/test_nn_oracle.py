"""Layers, losses and initial values, equal to PyTorch's for the same seed and data."""

from __future__ import annotations

import numpy as np
import pytest

import rushlight

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


# constructor's name, its arguments, shapes of the inputs
LAYERS = [
    ("Identity", (), {}, [(3, 4)]),
    ("Linear", (5, 3), {}, [(4, 5)]),
    ("Linear", (5, 3), {"bias": False}, [(2, 4, 5)]),
    ("Linear", (5, 3), {}, [(5,)]),
    ("Bilinear", (3, 4, 5), {}, [(6, 3), (6, 4)]),
    ("Conv1d", (2, 3, 3), {"padding": 1, "stride": 2}, [(2, 2, 9)]),
    ("Conv2d", (2, 4, 3), {}, [(2, 2, 7, 8)]),
    (
        "Conv2d",
        (2, 4, (3, 2)),
        {"stride": (2, 1), "padding": (1, 0), "bias": False},
        [(2, 2, 7, 8)],
    ),
    ("Conv2d", (4, 4, 3), {"groups": 2, "dilation": 2, "padding": "same"}, [(2, 4, 7, 8)]),
    ("Conv2d", (2, 3, (2, 4)), {"padding": "same"}, [(2, 2, 5, 6)]),
    ("Conv2d", (2, 3, 3), {"padding": 1}, [(2, 5, 5)]),
    ("MaxPool1d", (2,), {}, [(2, 3, 8)]),
    ("MaxPool2d", (2,), {}, [(2, 3, 6, 8)]),
    ("MaxPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, [(2, 3, 6, 8)]),
    ("AvgPool1d", (2,), {}, [(2, 3, 8)]),
    ("AvgPool2d", (2,), {}, [(2, 3, 6, 8)]),
    ("AvgPool2d", ((3, 2),), {"padding": 1, "count_include_pad": False}, [(2, 3, 6, 8)]),
    ("AdaptiveAvgPool2d", (1,), {}, [(2, 3, 6, 8)]),
    ("AdaptiveAvgPool2d", ((2, None),), {}, [(2, 3, 6, 8)]),
    ("Flatten", (), {}, [(2, 3, 4)]),
    ("Flatten", (0, 1), {}, [(2, 3, 4)]),
    ("Unflatten", (1, (2, -1)), {}, [(3, 6)]),
    ("ReLU", (), {}, [(3, 4)]),
    ("ReLU6", (), {}, [(3, 4)]),
    ("LeakyReLU", (0.2,), {}, [(3, 4)]),
    ("ELU", (1.5,), {}, [(3, 4)]),
    ("GELU", (), {}, [(3, 4)]),
    ("GELU", ("tanh",), {}, [(3, 4)]),
    ("SiLU", (), {}, [(3, 4)]),
    ("Mish", (), {}, [(3, 4)]),
    ("Hardtanh", (-0.5, 0.7), {}, [(3, 4)]),
    ("Hardsigmoid", (), {}, [(3, 4)]),
    ("Hardswish", (), {}, [(3, 4)]),
    ("Softplus", (2.0, 1.0), {}, [(3, 4)]),
    ("Softsign", (), {}, [(3, 4)]),
    ("LogSigmoid", (), {}, [(3, 4)]),
    ("Tanhshrink", (), {}, [(3, 4)]),
    ("Sigmoid", (), {}, [(3, 4)]),
    ("Tanh", (), {}, [(3, 4)]),
    ("Softmax", (1,), {}, [(3, 4, 2)]),
    ("Softmin", (-1,), {}, [(3, 4)]),
    ("LogSoftmax", (1,), {}, [(3, 4)]),
    ("Conv1d", (2, 4, 3), {"padding": 2, "padding_mode": "circular"}, [(2, 2, 6)]),
    ("Conv2d", (2, 4, (3, 2)), {"padding": "same", "padding_mode": "reflect"}, [(2, 2, 5, 6)]),
    ("Conv3d", (2, 4, 2), {"groups": 2, "stride": 2}, [(2, 2, 4, 5, 4)]),
    ("Conv3d", (2, 3, 3), {"padding": 1, "padding_mode": "replicate"}, [(2, 3, 3, 3)]),
    ("ConvTranspose1d", (2, 3, 4), {"stride": 2, "output_padding": 1}, [(2, 2, 5)]),
    ("ConvTranspose2d", (4, 2, 3), {"stride": (2, 1), "padding": 1, "groups": 2}, [(2, 4, 3, 4)]),
    ("ConvTranspose3d", (2, 3, 2), {"bias": False, "dilation": 2}, [(2, 2, 3, 3, 3)]),
    ("BatchNorm1d", (4,), {}, [(3, 4)]),
    ("BatchNorm1d", (4,), {"momentum": None, "affine": False}, [(3, 4, 5)]),
    ("BatchNorm2d", (4, 0.01, 0.3), {"bias": False}, [(3, 4, 5, 2)]),
    ("BatchNorm3d", (4,), {"track_running_stats": False}, [(2, 4, 2, 3, 2)]),
    ("InstanceNorm1d", (4,), {"affine": True}, [(4, 5)]),
    ("InstanceNorm2d", (4,), {"track_running_stats": True}, [(2, 4, 5, 3)]),
    ("InstanceNorm3d", (4,), {}, [(2, 4, 3, 2, 3)]),
    ("LayerNorm", ((4, 5),), {}, [(3, 4, 5)]),
    ("LayerNorm", (5,), {"bias": False, "eps": 0.1}, [(3, 4, 5)]),
    ("LayerNorm", (5,), {"elementwise_affine": False}, [(3, 4, 5)]),
    ("RMSNorm", (5,), {}, [(3, 4, 5)]),
    ("GroupNorm", (2, 4), {}, [(3, 4, 5)]),
    ("GroupNorm", (4, 4), {"affine": False}, [(3, 4, 2, 2)]),
    ("LocalResponseNorm", (3,), {"alpha": 0.5}, [(2, 5, 4)]),
    ("MaxPool3d", (2,), {"padding": 1}, [(2, 3, 4, 5, 3)]),
    ("AvgPool3d", (2,), {}, [(2, 3, 4, 5, 3)]),
    ("LPPool1d", (2.0, 3), {}, [(2, 3, 8)]),
    ("AdaptiveAvgPool1d", (3,), {}, [(2, 3, 8)]),
    ("AdaptiveAvgPool3d", ((2, None, 1),), {}, [(2, 3, 4, 5, 3)]),
    ("AdaptiveMaxPool1d", (3,), {}, [(2, 3, 8)]),
    ("AdaptiveMaxPool2d", ((2, 3),), {}, [(2, 3, 5, 7)]),
    ("AdaptiveMaxPool3d", (2,), {}, [(3, 5, 7, 4)]),
    ("FractionalMaxPool2d", (2,), {"output_size": 3}, [(2, 3, 7, 6)]),
    ("FractionalMaxPool3d", (2,), {"output_ratio": 0.5}, [(2, 3, 7, 6, 5)]),
    ("Upsample", (), {"scale_factor": 2.5, "mode": "bilinear"}, [(2, 3, 4, 5)]),
    ("UpsamplingNearest2d", (), {"scale_factor": 2}, [(2, 3, 4, 5)]),
    ("UpsamplingBilinear2d", ((7, 6),), {}, [(2, 3, 4, 5)]),
    ("ZeroPad1d", (2,), {}, [(2, 3, 5)]),
    ("ConstantPad2d", ((1, 2, 0, 1), 1.5), {}, [(2, 3, 5)]),
    ("ConstantPad3d", (1, 2.0), {}, [(2, 3, 2, 2, 2)]),
    ("ReflectionPad2d", (2,), {}, [(2, 3, 5, 4)]),
    ("ReplicationPad3d", (1,), {}, [(2, 3, 2, 3, 2)]),
    ("CircularPad1d", ((1, 3),), {}, [(2, 3, 5)]),
    ("PixelShuffle", (2,), {}, [(2, 8, 3, 2)]),
    ("PixelUnshuffle", (2,), {}, [(2, 2, 4, 6)]),
    ("ChannelShuffle", (2,), {}, [(2, 4, 3)]),
    ("Fold", ((4, 5), 2), {}, [(2, 8, 12)]),
    ("Unfold", (2,), {"padding": 1}, [(2, 2, 4, 5)]),
    ("PairwiseDistance", (), {"keepdim": True}, [(3, 4), (3, 4)]),
    ("CosineSimilarity", (0,), {}, [(3, 4), (3, 4)]),
    ("CELU", (0.5,), {}, [(3, 4)]),
    ("SELU", (), {}, [(3, 4)]),
    ("GLU", (1,), {}, [(3, 4)]),
    ("PReLU", (), {}, [(3, 4)]),
    ("PReLU", (4, 0.1), {}, [(3, 4, 2)]),
    ("RReLU", (), {}, [(3, 4)]),
    ("Hardshrink", (), {}, [(3, 4)]),
    ("Softshrink", (0.3,), {}, [(3, 4)]),
    ("Threshold", (0.1, 3.0), {}, [(3, 4)]),
    ("Softmax2d", (), {}, [(2, 3, 4, 2)]),
    ("AlphaDropout", (0.3,), {}, [(3, 4)]),
    ("FeatureAlphaDropout", (0.3,), {}, [(3, 4, 5)]),
    ("LazyLinear", (3,), {}, [(4, 5)]),
    ("LazyConv1d", (4, 3), {"groups": 2}, [(2, 2, 7)]),
    ("LazyConv2d", (4, 3), {"bias": False}, [(2, 5, 5)]),
    ("LazyConv3d", (4, 2), {}, [(2, 2, 3, 3, 3)]),
    ("LazyConvTranspose1d", (4, 3), {}, [(2, 2, 7)]),
    ("LazyConvTranspose2d", (4, 3), {"stride": 2}, [(2, 2, 4, 4)]),
    ("LazyConvTranspose3d", (4, 2), {}, [(2, 3, 3, 3)]),
    ("LazyBatchNorm1d", (), {}, [(3, 4)]),
    ("LazyBatchNorm2d", (), {"affine": False}, [(3, 4, 2, 2)]),
    ("LazyBatchNorm3d", (), {"track_running_stats": False}, [(3, 4, 2, 2, 2)]),
    ("LazyInstanceNorm1d", (), {}, [(3, 4, 5)]),
    ("LazyInstanceNorm2d", (), {"bias": False}, [(3, 4, 5, 2)]),
    ("LazyInstanceNorm3d", (), {}, [(3, 4, 5, 2, 2)]),
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize(("name", "args", "kwargs", "shapes"), LAYERS)
def test_layer(torch, name, args, kwargs, shapes):
    inputs = [normal(*shape) for shape in shapes]
    found, expected = (run_layer(lib, name, args, kwargs, inputs) for lib in (rushlight, torch))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, str):
            assert found[key] == value
        else:
            np.testing.assert_allclose(found[key], value, rtol=2e-5, atol=1e-6, err_msg=key)


def run_layer(lib, name, args, kwargs, inputs):
    """Text, initial values, output and all gradients of a layer made after manual_seed(0)."""
    lib.manual_seed(0)
    layer = getattr(lib.nn, name)(*args, **kwargs)
    result = {"repr": repr(layer)}
    if not name.startswith("Lazy"):
        result |= state(layer, "initial")
    xs = [lib.tensor(x, requires_grad=True) for x in inputs]
    out = layer(*xs)
    result["out"] = out.detach().numpy()
    weights = np.cos(np.arange(out.numel(), dtype=np.float32)).reshape(tuple(out.shape))
    (out * lib.tensor(weights)).sum().backward()
    result |= {f"grad of input {i}": x.grad.numpy() for i, x in enumerate(xs)}
    result |= {f"grad of {k}": p.grad.numpy() for k, p in layer.named_parameters()}
    result |= state(layer, "later")
    result["later repr"] = repr(layer)
    layer.eval()  # dropout is still, and norms go by their running statistics
    return result | {"out in evaluation": layer(*xs).detach().numpy()}


def state(layer, when):
    """Parameters and buffers, by name."""
    return {f"{when} {k}": v.numpy().copy() for k, v in layer.state_dict().items()}


def test_embedding(torch):
    def run(lib):
        lib.manual_seed(0)
        table = lib.nn.Embedding(7, 4, padding_idx=-2)
        rows = table(lib.tensor([[0, 5, 1], [1, 6, 5]]))
        (rows * rows).sum().backward()
        return repr(table), table.weight.detach().numpy(), table.weight.grad.numpy()

    (text, table, grad), (text2, table2, grad2) = run(rushlight), run(torch)
    assert text == text2
    np.testing.assert_allclose(table, table2, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(grad, grad2, rtol=1e-5, atol=1e-6)


PROBABILITIES = 1 / (1 + np.exp(-normal(4, 5)))
CLASSES = np.array([0, 4, 2, 2])
WEIGHT = np.abs(normal(5)) + 0.5


def soft(shape):
    e = np.exp(normal(*shape))
    return e / e.sum(1, keepdims=True)


# constructor's name, its keywords (arrays become tensors), input, target
LOSSES = [
    ("MSELoss", {}, normal(4, 5), normal(4, 5)),
    ("L1Loss", {}, normal(4, 5), normal(4, 5)),
    ("SmoothL1Loss", {}, normal(4, 5), normal(4, 5)),
    ("SmoothL1Loss", {"beta": 0.3}, normal(4, 5), normal(4, 5)),
    ("SmoothL1Loss", {"beta": 0.0}, normal(4, 5), normal(4, 5)),
    ("HuberLoss", {"delta": 0.7}, normal(4, 5), normal(4, 5)),
    ("BCELoss", {}, PROBABILITIES, (PROBABILITIES > 0.4).astype(np.float32)),
    ("BCELoss", {"weight": WEIGHT}, PROBABILITIES, PROBABILITIES[::-1].copy()),
    ("BCEWithLogitsLoss", {}, normal(4, 5) * 30, PROBABILITIES),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHT, "weight": WEIGHT}, normal(4, 5), PROBABILITIES),
    ("NLLLoss", {}, -np.abs(normal(4, 5)), CLASSES),
    ("NLLLoss", {"weight": WEIGHT, "ignore_index": 2}, -np.abs(normal(4, 5)), CLASSES),
    ("CrossEntropyLoss", {}, normal(4, 5), CLASSES),
    ("CrossEntropyLoss", {}, normal(5), np.array(3)),
    ("CrossEntropyLoss", {}, normal(2, 5, 3), RNG.integers(0, 5, (2, 3))),
    ("CrossEntropyLoss", {"weight": WEIGHT, "ignore_index": 2}, normal(4, 5), CLASSES),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, normal(4, 5), CLASSES),
    (
        "CrossEntropyLoss",
        {"label_smoothing": 0.1, "weight": WEIGHT, "ignore_index": 2},
        normal(4, 5),
        CLASSES,
    ),
    ("CrossEntropyLoss", {"weight": WEIGHT}, normal(4, 5), soft((4, 5))),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, normal(2, 5, 3), soft((2, 5, 3))),
    ("KLDivLoss", {}, np.log(soft((4, 5))), soft((4, 5))),
    ("KLDivLoss", {"log_target": True}, np.log(soft((4, 5))), np.log(soft((4, 5)))),
    ("PoissonNLLLoss", {"full": True}, normal(4, 5), np.abs(normal(4, 5)) * 3 + 0.1),
    ("SoftMarginLoss", {}, normal(4, 5), np.sign(normal(4, 5))),
]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("name", "kwargs", "input", "target"), LOSSES)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")
def test_loss(torch, name, kwargs, input, target, reduction):
    def run(lib):
        keywords = {k: lib.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
        loss = getattr(lib.nn, name)(reduction=reduction, **keywords)
        x = lib.tensor(input.astype(np.float32), requires_grad=True)
        kind = np.float32 if target.dtype.kind == "f" else np.int64
        out = loss(x, lib.tensor(target.astype(kind)))
        out.sum().backward()
        return repr(loss), out.detach().numpy(), x.grad.numpy()

    (text, value, grad), (text2, value2, grad2) = run(rushlight), run(torch)
    assert text == text2
    assert value.shape == value2.shape
    np.testing.assert_allclose(value, value2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(grad, grad2, rtol=1e-5, atol=1e-6)


INITIALISERS = [
    ("uniform_", (-2.0, 3.0), (5, 7)),
    ("normal_", (1.0, 2.0), (5, 7)),
    ("normal_", (), (3,)),
    ("trunc_normal_", (), (40, 7)),
    ("trunc_normal_", (0.0, 1.0, 2.0, 3.0), (40, 7)),
    ("constant_", (0.3,), (5, 7)),
    ("ones_", (), (5, 7)),
    ("zeros_", (), (5, 7)),
    ("eye_", (), (5, 7)),
    ("dirac_", (2,), (4, 2, 3, 3)),
    ("xavier_uniform_", (2.0,), (5, 7, 3)),
    ("xavier_normal_", (), (5, 7)),
    ("kaiming_uniform_", (0.1, "fan_out"), (5, 7)),
    ("kaiming_normal_", (0, "fan_in", "relu"), (5, 7, 3, 3)),
    ("orthogonal_", (), (5, 7)),
    ("orthogonal_", (2.0,), (7, 5)),
    ("sparse_", (0.3,), (6, 4)),
]


@pytest.mark.parametrize(("name", "args", "shape"), INITIALISERS)
@pytest.mark.parametrize("seed", [0, 42, 2**31 + 5])
def test_initialiser(torch, name, args, shape, seed):
    def run(lib):
        lib.manual_seed(seed)
        tensor = lib.full(shape, 9.0)
        assert getattr(lib.nn.init, name)(tensor, *args) is tensor
        return tensor.numpy(), lib.rand(1).item()  # the stream must have moved on equally

    (found, draw), (expected, draw2) = run(rushlight), run(torch)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    assert draw == draw2


def test_initialiser_misuse(torch):
    for lib in (rushlight, torch):
        init = lib.nn.init
        with pytest.raises(ValueError, match="Fan in and fan out can not be computed"):
            init.xavier_uniform_(lib.zeros(3))
        with pytest.raises(ValueError, match="Mode other not supported"):
            init.kaiming_normal_(lib.zeros(3, 3), mode="other")
        with pytest.raises(ValueError, match="Unsupported nonlinearity other"):
            init.calculate_gain("other")
        with pytest.warns(FutureWarning, match="`nn.init.constant` is now deprecated"):
            init.constant(lib.zeros(1), 1.0)
        assert init.calculate_gain("leaky_relu", 0.2) == pytest.approx(1.3867504905630728)


def test_state_dict_keys_and_messages(torch):
    def run(lib):
        net = lib.nn.Sequential(lib.nn.Conv2d(1, 2, 3), lib.nn.Sequential(lib.nn.Linear(2, 2)))
        messages = []
        for state in ({}, {"0.weight": lib.zeros(1), "x": lib.zeros(1)}):
            try:
                net.load_state_dict(state)
            except RuntimeError as error:
                messages.append(str(error))
        return list(net.state_dict()), messages, dict(net.state_dict()._metadata)

    assert run(rushlight) == run(torch)
