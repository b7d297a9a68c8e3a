"""Training steps: zero_grad, forward, loss, backward, optimizer; one text for both libraries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

GROUP = "Training step"
CHECKED_STEPS = 10
# Adam's first steps have one size for every weight, whose direction the rounding of a gradient near
# zero decides.
TOLERANCES = {"SGD": 1e-5, "Adam": 1e-4}


@dataclass(frozen=True)
class Task:
    """A model, its data and its optimizer.

    Attributes:
        sizes: Widths of a fully connected net, or None for the convolutional net.
        classes: Whether the targets are classes (cross-entropy) or values (mean squared error).
    """

    name: str
    sizes: tuple[int, ...] | None
    batch: int
    optimizer: str
    classes: bool = False

    @property
    def flops(self) -> float:
        """Of one step: forward, the weights' gradients, and the inputs' but the first layer's."""
        if self.sizes is None:
            widths = [28 * 28 * 9 * 32, 14 * 14 * 9 * 32 * 64, 3136 * 128, 128 * 10]
        else:
            widths = [m * n for m, n in pairwise(self.sizes)]
        return 2.0 * self.batch * (3 * sum(widths) - widths[0])


TASKS = [
    Task("Linear(3, 1), MSE, batch 32, SGD", (3, 1), 32, "SGD"),
    Task("MLP 4-16-16-1, batch 32, SGD", (4, 16, 16, 1), 32, "SGD"),
    Task("MLP 4-16-16-1, batch 32, Adam", (4, 16, 16, 1), 32, "Adam"),
    Task("MLP 17-64-64-6, batch 64, SGD", (17, 64, 64, 6), 64, "SGD"),
    Task("MLP 17-64-64-6, batch 64, Adam", (17, 64, 64, 6), 64, "Adam"),
    Task("MLP 784-256-128-10, batch 64, SGD", (784, 256, 128, 10), 64, "SGD", classes=True),
    Task("MLP 784-256-128-10, batch 64, Adam", (784, 256, 128, 10), 64, "Adam", classes=True),
    Task("MLP 1024-1024-1024-1024, batch 256, SGD", (1024,) * 4, 256, "SGD"),
    Task("MLP 1024-1024-1024-1024, batch 256, Adam", (1024,) * 4, 256, "Adam"),
    Task("MNIST conv net, batch 64, Adam", None, 64, "Adam", classes=True),
]


def build(lib: Any, task: Task) -> Call:
    """One training step of `task` as a call that returns the loss."""
    lib.manual_seed(0)
    model = conv_net(lib) if task.sizes is None else mlp(lib, task.sizes)
    inputs, targets = data(lib, task)
    criterion = lib.nn.CrossEntropyLoss() if task.classes else lib.nn.MSELoss()
    optimizer = getattr(lib.optim, task.optimizer)(model.parameters(), lr=1e-3)

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def mlp(lib: Any, sizes: tuple[int, ...]) -> Any:
    """Fully connected layers with ReLU between them; a lone layer stands by itself."""
    layers: list[Any] = []
    for m, n in pairwise(sizes):
        layers += [lib.nn.Linear(m, n), lib.nn.ReLU()]
    layers.pop()
    return lib.nn.Sequential(*layers) if len(layers) > 1 else layers[0]


def conv_net(lib: Any) -> Any:
    """Two convolutions with pooling and two linear layers, for images of 28x28."""
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def data(lib: Any, task: Task) -> tuple[Any, Any]:
    """Random inputs and targets of the task's shapes, the same for every library."""
    rng = np.random.default_rng(0)
    shape = (1, 28, 28) if task.sizes is None else task.sizes[:1]
    inputs = rng.standard_normal((task.batch, *shape)).astype(np.float32)
    targets: np.ndarray[Any, Any]
    if task.classes:
        targets = rng.integers(0, 10, task.batch)
    else:
        assert task.sizes is not None
        targets = rng.standard_normal((task.batch, task.sizes[-1])).astype(np.float32)
    return lib.from_numpy(inputs), lib.from_numpy(targets)


CASES = [
    Case(
        GROUP,
        task.name,
        partial(build, task=task),
        rtol=TOLERANCES[task.optimizer],
        checked_calls=CHECKED_STEPS,
        flops=task.flops,
    )
    for task in TASKS
]
