"""One step of a linear model: backward makes the gradients, the optimizer moves the weights."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(3, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
inputs = torch.randn(8, 3)
targets = torch.randn(8, 1)

print("weight", model.weight.tolist(), "bias", model.bias.tolist())
print("before backward", model.weight.grad, model.bias.grad)
loss = criterion(model(inputs), targets)
print("loss", loss.item(), loss.shape, loss.dtype, loss.requires_grad)
before = model.weight.detach().clone()
loss.backward()
print("after backward", model.weight.grad.tolist(), model.bias.grad.tolist())
print("weights unchanged by backward", torch.equal(before, model.weight))
optimizer.step()
print("weights unchanged by step", torch.equal(before, model.weight))
print("weight", model.weight.tolist(), "bias", model.bias.tolist())
for _ in range(5):
    optimizer.zero_grad()
    loss = criterion(model(inputs), targets)
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
