"""The nets that the PyTorch programs train: for the benchmark (pytorch.py) and for what a step holds (bench/memory/pytorch.py)."""
import torch
import torch.nn.functional as F
from torch import nn


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2)
        self.dense1 = nn.Linear(64 * 49, 256)
        self.dense2 = nn.Linear(256, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.dense2(F.relu(self.dense1(x.flatten(1))))


def training_step(kind, batch, layout):
    """A function that trains one step on the same batch each time and gives the loss before it."""
    if kind == "cnn":
        net = Cnn().to(memory_format=layout)
        x = torch.randn(batch, 1, 28, 28).contiguous(memory_format=layout)
    else:
        net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
        x = torch.randn(batch, 784)
    y = torch.arange(batch) * 7 % 10
    rule = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def step():
        rule.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        rule.step()
        return loss.item()

    return step
