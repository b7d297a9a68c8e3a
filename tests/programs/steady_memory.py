"""10,000 training steps with and without clearing the gradients take no more memory than 1,000."""

import resource

import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.randn(64, 16)
targets = torch.randn(64, 1)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def train(steps, clear):
    model = nn.Linear(16, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    for _ in range(steps):
        if clear:
            optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
    return loss.item()


train(1000, clear=True)
start = peak()
for clear in (True, False):
    loss = train(10_000, clear)
    print("clearing", clear, "loss is finite", loss == loss)
# One float32 batch a step kept would be 40 MB, one graph node a step 10 MB.
print("grew by less than 4 MB", peak() - start < 4096)
