# PyTorch's side of `npm run bench:memory`: the most bytes its allocator holds at once while it trains the benchmark's CNN, weights,
# gradients and momentum included, by its own profiler; and the resident memory of the process.
import json
import pathlib
import resource
import sys

try:
    import torch
except ImportError as error:
    print(json.dumps({"missing": str(error)}))
    sys.exit(0)

sys.dont_write_bytecode = True  # nothing is left beside the programs
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from nets import training_step  # noqa: E402

BATCH = int(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))


def peak(layout):
    # What an operator allocates and frees within itself is not seen: the figure is the least it can be.
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        step = training_step("cnn", BATCH, layout)
        for _ in range(4):
            step()
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
