"""Handwritten digits with a small convolutional network.

An ordinary PyTorch script. It prints the same with either library:

    python examples/digits_cnn.py
    rushlight run examples/digits_cnn.py
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split

DIGITS = Path(__file__).parents[1] / "python" / "rushlight" / "datasets" / "digits.npz"


class Net(nn.Module):
    """Two convolutions, dropout, two linear layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        """The ten scores of each image of x, a tensor of shape (N, 1, 8, 8)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))


def load(path):
    """The digits as a dataset of images between 0 and 1 and their labels."""
    with np.load(path) as arrays:
        images = torch.from_numpy(arrays["images"]).float().unsqueeze(1) / 16
        labels = torch.from_numpy(arrays["labels"]).long()
    return TensorDataset(images, labels)


def train(model, loader, optimizer, device):
    """One epoch; returns the mean loss."""
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
    return total / len(loader.dataset)


def test(model, loader, device):
    """How many digits are named rightly."""
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            predicted = model(images.to(device)).argmax(dim=1)
            right += (predicted == labels.to(device)).sum().item()
    return right


def main():
    """Parse the arguments, train, and report every epoch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DIGITS)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    training, held_out = random_split(load(args.data), [0.8, 0.2])
    train_loader = DataLoader(training, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(held_out, batch_size=256)
    model = Net().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        loss = train(model, train_loader, optimizer, device)
        right = test(model, test_loader, device)
        print(f"epoch {epoch:3}  loss {loss:.4f}  right {right} of {len(held_out)}")


if __name__ == "__main__":
    main()
