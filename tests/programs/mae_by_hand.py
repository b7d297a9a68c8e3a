"""The mean absolute error written out, and its gradient by hand."""

import torch

torch.manual_seed(0)
inputs = torch.rand(1000, 10)
targets = torch.rand(1000)
params = torch.rand(10, requires_grad=True)

predictions = (inputs * params).sum(axis=1)
loss = torch.abs(predictions - targets).mean()
loss.backward()
by_hand = (torch.sign(predictions - targets)[:, None] * inputs).mean(0)
print("loss", loss.item())
print("gradient", params.grad.tolist())
print("by hand", by_hand.tolist())
print("close", torch.allclose(params.grad, by_hand))

kink = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
kink.abs().sum().backward()
print("sign at the kink", kink.grad.tolist(), torch.sign(kink).tolist())
