"""Whole training runs, step by step: the same seed and data give PyTorch's losses and weights."""

from __future__ import annotations

import numpy as np
import pytest

import rushlight

STEPS = 20


def mlp(nn):
    return nn.Sequential(
        nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
    )


def classifier(nn):
    return nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, 3))


def conv_net(nn):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3),
        nn.LeakyReLU(0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


def inputs(*shape):
    return np.random.default_rng(1).standard_normal((STEPS, 8, *shape)).astype(np.float32)


REAL = np.random.default_rng(2).standard_normal((STEPS, 8, 1)).astype(np.float32)
CLASSES = np.random.default_rng(2).integers(0, 3, (STEPS, 8))

# network, loss, inputs, targets
RUNS = {
    "mlp": (mlp, "MSELoss", inputs(4), REAL),
    "mlp with bce": (mlp, "BCEWithLogitsLoss", inputs(4), (REAL > 0).astype(np.float32)),
    "classifier": (classifier, "CrossEntropyLoss", inputs(4), CLASSES),
    "conv net": (conv_net, "CrossEntropyLoss", inputs(1, 8, 8), CLASSES),
}

OPTIMIZERS = {
    "sgd": lambda optim, params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda optim, params: optim.Adam(params, lr=0.01),
    "adamw": lambda optim, params: optim.AdamW(params, lr=0.01, amsgrad=True),
    "rmsprop": lambda optim, params: optim.RMSprop(params, lr=0.001, centered=True),
}


def train(lib, make, loss_name, xs, ys, make_optimizer):
    """Losses of all steps and the weights after them."""
    lib.manual_seed(3)
    net = make(lib.nn)
    criterion = getattr(lib.nn, loss_name)()
    optimizer = make_optimizer(lib.optim, net.parameters())
    schedule = lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
    losses = []
    for x, y in zip(xs, ys, strict=True):
        optimizer.zero_grad()
        loss = criterion(net(lib.tensor(x)), lib.tensor(y))
        loss.backward()
        lib.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses, [value.numpy() for value in net.state_dict().values()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("run", RUNS)
def test_run(torch, run, optimizer):
    arguments = (*RUNS[run], OPTIMIZERS[optimizer])
    (losses, weights), (losses2, weights2) = (train(lib, *arguments) for lib in (rushlight, torch))
    np.testing.assert_allclose(losses, losses2, rtol=1e-4)
    for found, expected in zip(weights, weights2, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
