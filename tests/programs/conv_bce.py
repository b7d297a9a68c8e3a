"""A small convolutional net with a binary loss; a second net stays out of it."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(4 * 4 * 4, 8)
        self.fc2 = nn.Linear(8, 1)

    def forward(self, x):
        x = self.pool(F.relu(self.conv(x)))
        x = torch.flatten(x, 1)
        return torch.sigmoid(self.fc2(F.relu(self.fc1(x))))


torch.manual_seed(0)
net, other = Net(), Net()
print(net)
inputs = torch.randn(6, 1, 8, 8)
targets = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])[:, None]
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

before = {name: value.clone() for name, value in net.state_dict().items()}
for step in range(4):
    optimizer.zero_grad()
    loss = criterion(net(inputs), targets)
    loss.backward()
    if step == 0:
        for name, parameter in net.named_parameters():
            print(name, tuple(parameter.grad.shape), parameter.grad.flatten()[:4].tolist())
    optimizer.step()
    print("loss", loss.item())
for name, value in net.state_dict().items():
    print(name, "moved", not torch.equal(value, before[name]))
print("the other net", [parameter.grad for parameter in other.parameters()])
