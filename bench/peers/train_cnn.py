"""PyTorch's side of training.bench.ts. Arguments: threads, steps.

Prints {"ms": times of the steps, "sgemmGflops": what its BLAS reaches at 512}: a PyTorch on the reference BLAS is no peer.
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

threads, steps = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(0)


class Net(nn.Module):
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


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
x, y = torch.randn(128, 1, 28, 28), torch.arange(128) * 7 % 10


def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


times = []
first = step()
for i in range(steps + 3):
    start = time.perf_counter()
    last = step()
    if i >= 3:
        times.append((time.perf_counter() - start) * 1e3)
assert last < first, "the loss did not fall"
a, b = torch.randn(512, 512), torch.randn(512, 512)
sgemm = []
for _ in range(7):
    start = time.perf_counter()
    torch.mm(a, b)
    sgemm.append(time.perf_counter() - start)
print(json.dumps({"ms": times, "sgemmGflops": 2 * 512**3 / min(sgemm) / 1e9}))
