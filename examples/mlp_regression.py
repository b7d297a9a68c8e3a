"""A sine wave learnt from noisy points by a multilayer perceptron.

An ordinary PyTorch script. It prints the same with either library:

    python examples/mlp_regression.py
    rushlight run examples/mlp_regression.py
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    """Parse the arguments, train, and report every tenth epoch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x = torch.rand(512, 1) * 6 - 3
    y = torch.sin(2 * x) + 0.1 * torch.randn(512, 1)
    grid = torch.linspace(-3, 3, 101).unsqueeze(1)

    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-5)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    for epoch in range(1, args.epochs + 1):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
        if epoch == 1 or epoch % 10 == 0:
            with torch.no_grad():
                error = (model(grid) - torch.sin(2 * grid)).abs().max().item()
            print(f"epoch {epoch:3}  loss {loss.item():.4f}  greatest error {error:.4f}")


if __name__ == "__main__":
    main()
