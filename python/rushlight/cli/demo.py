"""``rushlight demo``: train a network on handwritten digits, and draw what happened."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tqdm import tqdm

import rushlight
from rushlight import nn, optim
from rushlight.datasets import load_digits
from rushlight.tensor import Tensor
from rushlight.utils.data import DataLoader, Subset, TensorDataset, random_split
from rushlight.utils.viz import make_dot

Digits = Subset[tuple[Tensor, ...]]


def main(args: argparse.Namespace) -> int:
    """Train, report each epoch, and write the loss curve and the graph of the loss.

    Args:
        args: `epochs`, `batch_size`, `lr`, `seed`, `device`, `output`.

    Returns:
        0, or 1 when the device is not there.
    """
    if args.device == "cuda" and not rushlight.cuda.is_available():
        print("rushlight demo: no CUDA device; `rushlight info` says why", file=sys.stderr)
        return 1
    rushlight.manual_seed(args.seed)
    train, test = random_split(TensorDataset(*load_digits()), [0.8, 0.2])
    net = build_net().to(args.device)
    print(f"{len(train)} digits to train on, {len(test)} to test with, on {args.device}")

    started = time.perf_counter()
    losses = _train(net, train, test, args)
    print(f"trained in {time.perf_counter() - started:.1f} s")
    print(f"final test accuracy: {100 * accuracy(net, test, args.device):.2f} %")

    output = Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    _draw_losses(losses, output / "loss.png")
    images, labels = next(iter(DataLoader(train, args.batch_size)))
    loss = nn.CrossEntropyLoss()(net(images.to(args.device)), labels.to(args.device))
    _draw_graph(loss, net, output)
    return 0


def build_net() -> nn.Sequential:
    """A network for images of shape (N, 1, 8, 8) and ten classes: 21,386 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 2 * 2, 10),
    )


def accuracy(net: nn.Module, dataset: Digits, device: str) -> float:
    """The share of a dataset's images that the network names rightly."""
    net.eval()
    right = 0
    with rushlight.no_grad():
        for images, labels in DataLoader(dataset, batch_size=256):
            predicted = net(images.to(device)).argmax(dim=1)
            right += int((predicted == labels.to(device)).sum().item())
    net.train()
    return right / len(dataset)


def _train(net: nn.Module, train: Digits, test: Digits, args: argparse.Namespace) -> list[float]:
    """Adam with a learning rate that falls to zero; the loss of every step."""
    loader = DataLoader(train, args.batch_size, shuffle=True)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), lr=args.lr)
    total = args.epochs * len(loader)
    losses: list[float] = []
    # disable=None: no bar where the output is not a terminal.
    with tqdm(total=total, unit="step", disable=None, leave=False) as bar:
        for epoch in range(1, args.epochs + 1):
            for images, labels in loader:
                optimizer.param_groups[0]["lr"] = args.lr * (1 - len(losses) / total)
                loss = criterion(net(images.to(args.device)), labels.to(args.device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                bar.update()
            mean = sum(losses[-len(loader) :]) / len(loader)
            right = accuracy(net, test, args.device)
            bar.write(f"epoch {epoch:3}  loss {mean:.4f}  test accuracy {100 * right:.2f} %")
    return losses


def _draw_losses(losses: list[float], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no loss curve: it needs matplotlib, pip install 'rushlight[plot]'")
        return
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="cross-entropy", yscale="log")
    axes.plot(losses, linewidth=0.8, color="#9ab8d8", label="each step")
    window = max(1, len(losses) // 30)
    means = [sum(losses[i : i + window]) / window for i in range(len(losses) - window + 1)]
    steps = [i + window / 2 for i in range(len(means))]
    axes.plot(steps, means, color="#1f4e8c", label=f"mean of {window} steps")
    axes.set_title("Training loss, handwritten digits")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    print(f"loss curve: {path}")


def _draw_graph(loss: Tensor, net: nn.Module, folder: Path) -> None:
    graph = make_dot(loss, dict(net.named_parameters()))
    print(f"graph of the loss: {graph.save(folder / 'graph.svg')}")
