# PyTorch's side of `npm run bench:memory`: the most bytes its allocator holds at once while it trains the benchmark's CNN, weights,
# gradients and momentum included, by its own profiler; and the resident memory of the process.
import json
import resource
import sys

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as error:
    print(json.dumps({"missing": str(error)}))
    sys.exit(0)

BATCH = int(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))


class Cnn(nn.Module):
    """As in bench/peers/pytorch.py, which runs when it is imported."""

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


def train(layout):
    net = Cnn().to(memory_format=layout)
    rule = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    x = torch.randn(BATCH, 1, 28, 28).contiguous(memory_format=layout)
    y = torch.arange(BATCH) * 7 % 10
    for _ in range(4):
        rule.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        rule.step()
        del loss


def peak(layout):
    # What an operator allocates and frees within itself is not seen: the figure is the least it can be.
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        train(layout)
    events = sorted(profile.function_events, key=lambda event: event.time_range.start)
    changes = [event.self_cpu_memory_usage for event in events if event.self_cpu_memory_usage != 0]
    assert len(changes) > 100, f"expected the profiler to tell of allocations, received {len(changes)}"
    held = most = 0
    for change in changes:
        held += change
        most = max(most, held)
    return most


layouts = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
name = sys.argv[3]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
bytes_held = peak(layouts[name])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"version": torch.__version__, "peakBytes": bytes_held, "residentGrowth": after - before}))
