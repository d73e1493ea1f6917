"""PyTorch as a peer of the benchmark, on the CPU or on the CUDA device that it is told: protocol in README.md. Debian's python3-torch brings it.

Every figure is of eager calls as a user makes them. Where PyTorch has several ways to do the same work (memory layouts, foreach
or a loop), each gets a short trial and the fastest is measured and named in `note`.
"""
import glob
import json
import math
import os
import platform
import subprocess
import sys
import time

# Old OpenBLAS builds can be wrong on processors newer than they are. Before torch is loaded with one, a child multiplies
# small integers, whose products are exact in float32, and compares with integer arithmetic.
CHECK = """
import numpy as np
r = np.random.default_rng(0)
for m, n, k in ((33, 65, 129), (257, 193, 385), (1, 1000, 300)):
    a, b = r.integers(-8, 9, (m, k)), r.integers(-8, 9, (k, n))
    x, y = a.astype(np.float32), b.astype(np.float32)
    for c in (x @ y, x @ np.ascontiguousarray(y.T).T, np.ascontiguousarray(x.T).T @ y):
        assert (c == a @ b).all()
"""
SAFE_CORES = ("SkylakeX", "Haswell")
# Below this, its sgemm is the reference BLAS, not an optimised one.
SLOW_BLAS_GFLOPS = 20
MIN_SAMPLES, MAX_SAMPLES = 5, 300


def use_right_blas():
    """Starts this program again with a core type that computes right, if the one OpenBLAS picks by itself does not."""
    if "ANNEAL_PEER_BLAS_CHECKED" in os.environ:
        return
    # Debian's PyTorch runs on whichever libblas.so.3 the system prefers: OpenBLAS, where there is one.
    folders = sorted(glob.glob(f"/usr/lib/{platform.machine()}-linux-gnu*/openblas-*"), reverse=True)
    path = ":".join([*folders, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])
    for core in (None, *SAFE_CORES):
        env = dict(os.environ, LD_LIBRARY_PATH=path, ANNEAL_PEER_BLAS_CHECKED=core or "own")
        if core:
            env["OPENBLAS_CORETYPE"] = core
        if subprocess.run([sys.executable, "-c", CHECK], env=env, stderr=subprocess.DEVNULL).returncode == 0:
            os.execve(sys.executable, [sys.executable, __file__], env)
    missing("its BLAS multiplies wrongly on this machine, with the core types SkylakeX and Haswell as well")


def emit(**fields):
    print(json.dumps(fields), flush=True)


def rounded(ms):
    return float(f"{ms:.6g}")


def missing(reason):
    emit(missing=reason)
    sys.exit(0)


def wait():
    """For what was enqueued on a GPU; on the CPU a call is over when it returns."""


def sample(f, budget_ms, least=MIN_SAMPLES):
    """Sorted times of f in ms: as many calls a sample as fill a millisecond, samples for budget_ms."""
    f()
    wait()
    start = time.perf_counter()
    f()
    wait()
    once = (time.perf_counter() - start) * 1e3
    inner = math.ceil(1 / max(once, 1e-4)) if once < 1 else 1
    end = time.perf_counter() + budget_ms / 1e4
    while time.perf_counter() < end:
        f()
        wait()
    ms = []
    end = time.perf_counter() + budget_ms / 1e3
    while len(ms) < MAX_SAMPLES and (len(ms) < least or time.perf_counter() < end):
        start = time.perf_counter()
        for _ in range(inner):
            f()
        wait()
        ms.append((time.perf_counter() - start) * 1e3 / inner)
    return sorted(ms)


def measure(variants, budget_ms):
    """Fields of the fastest variant, and the median of each in a trial when there are several."""
    trial = {}
    if len(variants) > 1:
        for name, make in variants.items():
            trial[name] = sample(make(), budget_ms / 4, least=3)
        best = min(trial, key=lambda name: trial[name][len(trial[name]) // 2])
    else:
        best = next(iter(variants))
    ms = sample(variants[best](), budget_ms)
    fields = {"msMedian": rounded(ms[len(ms) // 2]), "msMin": rounded(ms[0]), "msMax": rounded(ms[-1]), "samples": len(ms)}
    if trial:
        fields["note"] = best
        fields["variants"] = {name: rounded(t[len(t) // 2]) for name, t in trial.items()}
    return fields


use_right_blas()
request = json.load(sys.stdin)
try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError as error:
    missing(f"{error}; Debian's python3-torch brings it")
sys.dont_write_bytecode = True  # nothing is left beside the programs
from nets import training_step  # noqa: E402

torch.set_num_threads(request["threads"])
torch.manual_seed(request["seed"])
device = request.get("device", "cpu")
if device != "cpu":
    if not torch.cuda.is_available() or not hasattr(torch, "set_default_device"):
        missing(f"PyTorch {torch.__version__} has no CUDA here, or is older than 2.0")
    torch.set_default_device(device)
    wait = torch.cuda.synchronize
    matmul = {"f32": "highest", "tf32": "high", "bf16": "medium"}[request["precision"]]
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = request["precision"] != "f32"
    torch.backends.cudnn.benchmark = True


def forward_or_both(work, f, inputs):
    """A call of f(*inputs), or of f and its gradients for all inputs with a random gradient of its result."""
    if work["pass"] == "fwd":

        def forward():
            with torch.no_grad():
                f(*inputs)

        return forward
    for t in inputs:
        t.requires_grad_()
    with torch.no_grad():
        grad = torch.randn_like(f(*inputs))
    return lambda: torch.autograd.grad(f(*inputs), inputs, grad)


LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


def in_layouts(make):
    return {name: (lambda layout=layout: make(layout)) for name, layout in LAYOUTS.items()}


def sgemm(work):
    batch, m, n, k = work["batch"], work["m"], work["n"], work["k"]

    def make():
        a = torch.randn(batch, k, m).transpose(1, 2) if work["transA"] else torch.randn(batch, m, k)
        b = torch.randn(batch, n, k).transpose(1, 2) if work["transB"] else torch.randn(batch, k, n)
        if batch > 1:
            return lambda: torch.bmm(a, b)
        a, b = a[0], b[0]
        return lambda: torch.mm(a, b)

    return {"": make}


def conv(work):
    depthwise = work["kind"] == "depthwise_conv2d"

    def make(layout):
        x = torch.randn(work["n"], work["c"], work["h"], work["w"]).to(memory_format=layout)
        w = torch.randn(work["oc"], 1 if depthwise else work["c"], work["size"], work["size"]).to(memory_format=layout)
        options = {"stride": work["stride"], "padding": work["pad"], "groups": work["c"] if depthwise else 1}
        return forward_or_both(work, lambda x, w: F.conv2d(x, w, **options), [x, w])

    return in_layouts(make)


def pool(work):
    f = F.max_pool2d if work["mode"] == "max" else F.avg_pool2d

    def make(layout):
        x = torch.randn(work["n"], work["c"], work["h"], work["w"]).to(memory_format=layout)
        return forward_or_both(work, lambda x: f(x, work["size"], work["stride"]), [x])

    return in_layouts(make)


def batch_norm(work):
    # The rows are images of 56 x 56 pixels when they can be: its kernels look at the layout of an image.
    rows, columns = work["rows"], work["columns"]
    shape = (rows // 3136, columns, 56, 56) if rows % 3136 == 0 else (rows, columns, 1, 1)

    def make(layout):
        x = torch.randn(shape).to(memory_format=layout)
        mean, variance = torch.zeros(columns), torch.ones(columns)
        f = lambda x, w, b: F.batch_norm(x, mean, variance, w, b, training=True)
        return forward_or_both(work, f, [x, torch.randn(columns), torch.randn(columns)])

    return in_layouts(make)


def layer_norm(work):
    columns = work["columns"]

    def make():
        inputs = [torch.randn(work["rows"], columns), torch.randn(columns), torch.randn(columns)]
        return forward_or_both(work, lambda x, w, b: F.layer_norm(x, (columns,), w, b), inputs)

    return {"": make}


def cross_entropy(work):
    def make():
        y = torch.randint(0, work["columns"], (work["rows"],))
        return forward_or_both(work, lambda x: F.cross_entropy(x, y), [torch.randn(work["rows"], work["columns"])])

    return {"": make}


def elementwise(work):
    n = work["n"]
    calls = {
        "add": lambda a, b, c: a + b,
        "chain": lambda a, b, c: torch.relu(a * b + c),
        "relu": lambda a, b, c: torch.relu(a),
        "gelu": lambda a, b, c: F.gelu(a),
        "tanh": lambda a, b, c: torch.tanh(a),
    }
    # The same into a tensor that is already there: no fresh memory, whose first touch can cost more than the arithmetic.
    into = {
        "add": lambda a, b, c, out: torch.add(a, b, out=out),
        "chain": lambda a, b, c, out: torch.mul(a, b, out=out).add_(c).relu_(),
        "tanh": lambda a, b, c, out: torch.tanh(a, out=out),
    }

    def make(out):
        a, b, c = torch.randn(n), torch.randn(n), torch.randn(n)
        if out:
            f, result = into[work["op"]], torch.zeros(n)
            return lambda: f(a, b, c, result)
        f = calls[work["op"]]
        return lambda: f(a, b, c)

    # Without a choice there is no name to give.
    return {"new": lambda: make(False), "out=": lambda: make(True)} if work["op"] in into else {"": lambda: make(False)}


def optimizer(work):
    def make(foreach):
        parameters = [nn.Parameter(torch.randn(shape)) for shape in work["shapes"]]
        for p in parameters:
            p.grad = torch.randn_like(p)
        ema = [p.detach().clone() for p in parameters]
        data = [p.data for p in parameters]
        rules = {
            "sgd": lambda: torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, weight_decay=1e-4, foreach=foreach),
            "adamw": lambda: torch.optim.AdamW(parameters, lr=1e-6, weight_decay=1e-4, foreach=foreach),
        }
        rule = rules[work["rule"]]()

        def update():
            rule.step()
            if foreach:
                torch._foreach_mul_(ema, 0.999)
                torch._foreach_add_(ema, data, alpha=0.001)
            else:
                for average, p in zip(ema, data):
                    average.lerp_(p, 0.001)

        return update

    return {"foreach": lambda: make(True), "loop": lambda: make(False)}


def train(work):
    def make(layout):
        step = training_step(work["net"], work["batch"], layout)
        # A step that does not learn is not worth timing.
        first = step()
        for _ in range(3):
            last = step()
        assert last < first, f"expected the loss to fall on one batch, went from {first} to {last}"
        return step

    return in_layouts(make) if work["net"] == "cnn" else {"": lambda: make(None)}


def overhead(work):
    a, b = torch.randn(1), torch.randn(1)

    def chain():
        c = a
        for _ in range(work["times"]):
            c = c + b
        return c

    return {"": lambda: chain if work["times"] > 1 else lambda: a + b}


KINDS = {
    "sgemm": sgemm,
    "conv2d": conv,
    "depthwise_conv2d": conv,
    "pool2d": pool,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "softmax_cross_entropy": cross_entropy,
    "elementwise": elementwise,
    "optimizer": optimizer,
    "train": train,
    "overhead": overhead,
}


def main():
    a, b = torch.randn(512, 512), torch.randn(512, 512)
    gflops = 2 * 512**3 / sample(lambda: torch.mm(a, b), 60)[0] / 1e6
    if gflops < SLOW_BLAS_GFLOPS:
        missing(
            f"not a fair peer: its sgemm reaches {gflops:.1f} GFLOP/s, so it runs on the reference BLAS; "
            "Debian's libopenblas0-pthread brings a fast one"
        )
    core = os.environ["ANNEAL_PEER_BLAS_CHECKED"]
    detail = f"sgemm 512 at {gflops:.0f} GFLOP/s, {torch.get_num_threads()} threads"
    if device != "cpu":
        detail = f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    elif torch.backends.mkldnn.is_available():
        detail += ", oneDNN"
    if os.environ.get("MALLOC_MMAP_MAX_") == "0":
        detail += ", freed memory kept"
    if core != "own":
        detail += f"; OpenBLAS on core type {core}, since its own choice multiplies wrongly here"
    emit(peer="pytorch", version=torch.__version__, detail=detail)
    for work in request["works"]:
        name = work["work"]
        make = KINDS.get(work["kind"])
        if make is None:
            emit(work=name, skip=f"no program for {work['kind']}")
            continue
        print(name, file=sys.stderr, flush=True)
        try:
            emit(work=name, **measure(make(work), request["budgetMs"]))
        except Exception as error:
            emit(work=name, skip=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


main()
