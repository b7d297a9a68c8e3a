"""Train with workers, a schedule and an average; stop, save, load, and go on as if not stopped."""

import os
import tempfile

import torch
import torch.backends.cudnn as cudnn
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, x):
        return self.body(x).squeeze(-1)


def build(device):
    model = Net().to(device)
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)
    schedule = OneCycleLR(optimizer, max_lr=0.05, total_steps=40)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=8)
    return model, optimizer, schedule, average, scaler


def train(parts, loader, epochs, device):
    model, optimizer, schedule, average, scaler = parts
    criterion = nn.MSELoss()
    for epoch in range(epochs):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", enabled=False):
                loss = criterion(model(x.to(device)), y.to(device))
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            average.update_parameters(model)
            total += loss.item()
        print(f"epoch {epoch} loss {total:.3f} rate {schedule.get_last_lr()[0]:.6f}")


def main():
    torch.manual_seed(3)
    cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = torch.randn(96, 4)
    y = torch.sin(x.sum(1))
    train_set, test_set = random_split(TensorDataset(x, y), [64, 32])
    loader = DataLoader(train_set, 16, shuffle=True, num_workers=2, persistent_workers=True)
    parts = build(device)
    train(parts, loader, 5, device)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pt")
        names = ("model", "optimizer", "schedule", "average", "scaler")
        torch.save({n: part.state_dict() for n, part in zip(names, parts, strict=True)}, path)
        checkpoint = torch.load(path, map_location=device)
    again = build(device)
    for name, part in zip(names, again, strict=True):
        part.load_state_dict(checkpoint[name])
    print("loaded", sorted(checkpoint), again[3].n_averaged.item(), again[4].get_scale())
    state = torch.get_rng_state()
    train(parts, loader, 2, device)
    torch.set_rng_state(state)
    train(again, loader, 2, device)
    pairs = zip(parts[3].parameters(), again[3].parameters(), strict=True)
    print("as if not stopped", all(torch.equal(p, q) for p, q in pairs))
    again[3].eval()
    with torch.no_grad():
        predicted = torch.cat([again[3](x) for x, _ in DataLoader(test_set, 8)])
    print(f"average of the test set {predicted.mean().item():.3f}")


if __name__ == "__main__":
    main()
