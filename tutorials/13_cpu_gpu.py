# %% [markdown]
# # 13 · CPU and GPU
#
# *Where does the time of a training step go, and what can be done about it, on a processor and on a graphics card?*
#
# **Time** 45 minutes to read, 12 s to run on two cores. For programmers; it can be skipped.

# %% [markdown]
# ## The question
#
# **This chapter is for programmers.** It derives no new gradient, and no other chapter needs it. Whoever came for the mathematics
# can go on with [chapter 14](14_errors.py).
#
# You have derived every formula of a training step. Now run it a million times. Two programs with the same formulas
# may differ in time by a large factor, and the difference is in none of the formulas. It lies in how often each number
# travels between memory and processor, in how many small orders Python gives, and in how many cores have nothing to
# do.
#
# This chapter measures all three, on the machine that it runs on. So the milliseconds that you see belong to the
# machine that built this page, and yours will print others. What is *asserted* here is only what holds everywhere:
# that the fast way computes the same numbers.
#
# What was run where? The library runs on NVIDIA GPUs through CuPy. Every run of its tests checks that part on a stand-in for a GPU
# (you will build one below); and it has been run, tested and measured on one real GPU, an H200, whose figures stand at the
# end. If the machine that runs this chapter has a GPU, the last tables have a column for it; otherwise they say why not.

# %%
import os
import re
import subprocess
import sys
import textwrap
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np

import scratchae as sae
from scratchae import backend, plots
from scratchae.backend import (
    array_module,
    blas_threads,
    cores,
    device_module,
    in_blocks,
    recycle_memory,
)
from scratchae.backend.cuda.graph import Recorded
from scratchae.backend.kernels import SOURCE, Kernels, host
from scratchae.bench import machine
from scratchae.bench.by_layer import by_layer
from scratchae.bench.flops import flops, traffic
from scratchae.bench.work import work
from scratchae.data import pixels
from scratchae.errors import DeviceError
from scratchae.layers import activations
from scratchae.models import parallel
from scratchae.optimizers import adam
from scratchae.presets import PRESETS
from scratchae.training.steps import HostSteps, RecordedSteps, steps_for
from scratchae.tutorial import dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)
PATIENCE = quick(0.15, 0.03)  # seconds for each measurement
a = rng.standard_normal((128, 784), dtype=np.float32)  # 392 KiB: a batch of images


def best(work, device="cpu"):
    """Seconds of the fastest of many runs: what disturbs a run makes it slower, never faster."""
    return machine.shortest(work, device, PATIENCE)


def textbook():
    return 1 / (1 + np.exp(-a))  # four passes over the numbers


recycle_memory()  # as `fit` does: the section *Memory that comes back* shows what it is for

# %% [markdown]
# ## A picture of it: where a step spends its time
#
# `by_layer` runs training steps of a model with a clock around each layer. We use it for the preset `deep`, 784-128-64-32
# and back, and for `conv`, on 128 images each.
#
# **While you read** (★, 2 minutes): which two layers of `deep` take longest? Count their numbers before you look.

# %%
data = dataset()  # strokes, or what --data names
x = pixels(data.train_images)[:4096]
found = {}
for name in ("deep", "conv"):
    preset = PRESETS[name]
    model = preset.build(np.random.default_rng(0))
    batch = (
        np.ascontiguousarray(x[:128]) if name == "deep" else x[:128].reshape(-1, 28, 28, 1)
    )
    found[name] = by_layer(model, sae.Adam(1e-3), batch, "cpu", quick(0.6, 0.1))
    each = found[name]
    parts = [layer[k] for layer in each["layers"] for k in ("forward_ms", "backward_ms")]
    outside = sum(each["rest"].values())
    print(
        f"{name}: {each['step_ms']:.2f} ms a step: layers {sum(parts):.2f}, loss and rest "
        f"{outside:.2f}, Adam {each['optimizer_ms']:.2f}"
    )
    assert min(parts) >= 0 and each["step_ms"] > 0

# %% tags=["hide-input"]
drawn, grid = figure(
    7, 6.2, rows=2, height_ratios=[len(f["layers"]) + 2 for f in found.values()]
)
for axes, (name, each) in zip(grid, found.items(), strict=True):
    labels = [layer["layer"].partition("(")[0] for layer in each["layers"]] + [
        "loss, rest",
        "Adam",
    ]
    forward = [layer["forward_ms"] for layer in each["layers"]] + [
        each["rest"]["forward_ms"],
        0,
    ]
    backward = [layer["backward_ms"] for layer in each["layers"]] + [
        each["rest"]["backward_ms"],
        0,
    ]
    places = np.arange(len(labels))
    forward, backward = np.maximum(forward, 0), np.maximum(backward, 0)
    axes.barh(places, forward, color=plots.BLUE, label="forward")
    axes.barh(
        places,
        backward,
        left=forward,
        color=plots.ORANGE,
        hatch="///",
        edgecolor="white",
        label="backward",
    )
    axes.barh(places[-1], each["optimizer_ms"], color=plots.GREY, label="update")
    axes.set_yticks(places, labels, fontsize=9)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(ylabel=name, xlabel="milliseconds in a step of 128 images")
grid[1].legend(loc="lower right")
show(
    drawn,
    "by_layer",
    "Two panels of bars, one bar for each layer of deep and of conv: the layers that touch the image take most, Adam takes a visible share of deep, the "
    "bottleneck hardly anything.",
    "A step layer by layer, without splitting the batch among the cores. Look for the longest bars: the layers with the widest arrays cost most, not the deepest ones.",
)

# %% [markdown]
# ## Forward, backward: count what has to be done
#
# Two quantities are needed. **FLOPs** are floating-point operations: products, sums, exponentials. **Bytes** are how much
# has to move between memory and processor. For one dense layer $y = xW$ with $x$ of $(N, I)$ and $W$ of $(I, O)$ in
# float32, 4 bytes a number:
#
# $$
# \underset{(N, O)}{y} = \underset{(N, I)}{x}\,\underset{(I, O)}{W} \qquad 2NIO \text{ operations}
# $$
#
# forward, a product and an addition for each $(n, i, o)$; backward
#
# $$
# \underset{(I, O)}{dW} = \underset{(I, N)}{x^\top}\,\underset{(N, O)}{dy}, \qquad
# \underset{(N, I)}{dx} = \underset{(N, O)}{dy}\,\underset{(O, I)}{W^\top} \qquad 2NIO \text{ each} .
# $$
#
# Forward moves $4\,(NI + IO + NO)$ bytes: $x$ and $W$ are read, $y$ is written.
#
# The backward pass takes twice the operations of the forward pass, because it has two products of the same size. (The first layer needs
# no $dx$.) The operations for each byte that is moved are the **[arithmetic intensity](glossary.md#arithmetic-intensity)**; forward it is
#
# $$
# \frac{2NIO}{4\,(NI + IO + NO)} \;=\; \frac{1}{2}\,\frac{1}{\frac1O + \frac1N + \frac1I} \;\approx\; \frac N2 \quad \text{for } N \ll I, O .
# $$
#
# With one image at a time, half an operation is done for each byte. With a batch of 128, each weight that is fetched from memory is used
# for 128 images. **That is why batches are fast.**
#
# A machine that does at most $P$ operations and moves at most $B$ bytes a second needs at least the larger of two times. Dividing the operations by
# both sides gives the second form:
#
# $$
# t \ge \max\!\left(\frac{\text{operations}}{P}, \frac{\text{bytes}}{B}\right)
# \quad\Longleftrightarrow\quad
# \text{operations per second} \le \min(P,\ B \cdot \text{intensity}) .
# $$
#
# Drawn over the intensity, the right side is a **[roofline](glossary.md#roofline)**
# ([Williams et al. 2009](bibliography.md#williams-2009)): a slope, where memory is the limit, and a flat roof, where
# arithmetic is; they meet at the *ridge*. The library counts operations and bytes from the layers' formulas, in `scratchae/bench/flops.py`:

# %%
source(traffic)
layer = sae.Dense(2048, 1024)
for N in (1, 16, 128, 1024):
    forward, backward = flops(layer, (N, 2048), (N, 1024))
    read_written, _ = traffic(layer, (N, 2048), (N, 1024))
    intensity = 0.5 / (1 / 1024 + 1 / N + 1 / 2048)
    print(
        f"N = {N:>4}: forward {forward / 1e6:7.1f} MFLOP, backward {backward / 1e6:7.1f}, "
        f"{forward / read_written:6.2f} for each byte, formula {intensity:6.2f}"
    )
    # the library counts the bias too: N·O additions, O numbers
    assert (
        forward == 2 * N * 2048 * 1024 + N * 1024
        and backward == 2 * 2 * N * 2048 * 1024 + N * 1024
    )
    assert np.isclose(forward / read_written, intensity, rtol=0.01)

# %% [markdown]
# ### The roof of this machine
#
# $P$ is measured by multiplying large square matrices, $B$ by adding vectors that fit into no cache (a cache is a small, fast memory inside the processor). The points in the
# picture are those of one dense layer, forward, with more and more examples, and those of whole steps of `deep`. All matrix
# products run on one core here, those of the roof too, because then it matters less what else the machine does.

# %%
layer = sae.Dense(quick(3072, 1024), quick(3072, 1024))
deep, optimizer = PRESETS["deep"].build(np.random.default_rng(0)), sae.Adam(1e-3)


def one_step(model, batch, optimizer=optimizer):
    """A training step on the whole batch."""
    metrics = model.objective(batch)
    model.backward()
    optimizer.update(model.parameters, model.gradient)
    return float(metrics["loss"])


points, deep_points, per_step = [], [], {}
with blas_threads().limit(limits=1):
    roofs = machine.roofs("cpu", PATIENCE)
    P, B = roofs["gflops_per_second"], roofs["gb_per_second"]
    print(machine.processor())
    print(
        f"peak P = {P:.0f} GFLOP/s (matrices of {roofs['size']}), memory B = {B:.1f} "
        "GB/s:\n"
        f"they meet at {P / B:.1f} operations for each byte"
    )
    for N in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        v = np.ones((N, len(layer.W)), np.float32)
        operations, moved = (
            flops(layer, v.shape, v.shape)[0],
            traffic(layer, v.shape, v.shape)[0],
        )
        seconds = best(lambda v=v: layer.forward(v))
        points.append((operations / moved, 1e-9 * operations / seconds))
        if N in (1, 16, 256):
            print(
                f"{layer}, N = {N:>3}: {1e6 * seconds / N:7.1f} µs an example, "
                f"{points[-1][1]:6.1f} GFLOP/s"
            )
    for N in (1, 8, 32, 128, 512):
        batch = np.ascontiguousarray(x[:N])
        per_step[N] = best(lambda batch=batch: one_step(deep, batch))
        todo = work(deep, optimizer, x, N)
        deep_points.append((todo.flops / todo.bytes, 1e-9 * todo.flops / per_step[N]))
        print(
            f"deep, batch {N:>3}: {1e3 * per_step[N]:6.2f} ms a step, "
            f"{1e6 * per_step[N] / N:6.1f} µs an image, {deep_points[-1][1]:5.1f} GFLOP/s"
        )
assert points[0][0] < 0.6 and points[-1][0] > 50

# %% tags=["hide-input"]
drawn, axes = figure(6.5, 4)
span = np.array([0.2, P / B, 1.3 * max(points[-1][0], 2 * P / B)])
axes.loglog(span, np.minimum(P, B * span), color="black", linewidth=2)
axes.annotate(
    f"P = {P:.0f} GFLOP/s", (span[2], P), (0, 5), textcoords="offset points", ha="right"
)
axes.annotate(
    f"B = {B:.0f} GB/s ",
    (0.7 * P / B, 0.7 * P),
    (-6, 0),
    textcoords="offset points",
    ha="right",
)
for name, found_points, line, colour in (
    (f"{layer}, N = 1 to 256", points, "o-", plots.BLUE),
    ("a step of deep, batch 1 to 512", deep_points, "s--", plots.RED),
):
    axes.loglog(
        *zip(*found_points, strict=True), line, color=colour, label=name, markersize=5
    )
axes.set(xlabel="arithmetic intensity, operations for each byte", ylabel="GFLOP/s reached")
axes.legend(loc="lower right", fontsize=9)
show(
    drawn,
    "roofline",
    "A roofline: a slope that bends into a flat roof. The points of the dense layer climb along the slope as the batch grows and come near the roof; those of whole steps "
    "climb as well and stay further below.",
    "The roofline (black) of the machine that built this page, and what is reached (points): see how far a point is below the black line. A point above the slope works from the caches.",
)

# %% [markdown]
# The distance from a point up to the black line is the speed that is lost: to elementwise work, to small matrices, to Python. The rest
# of the chapter goes through these losses one by one.
#
# ## Memory that comes back
#
# The textbook sigmoid, $1 / (1 + e^{-x})$, on a batch of images makes temporary arrays of 392 KiB. The C library
# (glibc, on Linux) takes large arrays fresh from the system, at first those above 128 KiB, and gives their memory back when they are freed. The
# system hands out memory page by page, 4 KiB each, at the moment when a page is first touched. This is a
# **[page fault](glossary.md#page-fault)**: it interrupts the program while the system finds a page and clears it, and nothing is computed meanwhile.
# `recycle_memory`, which `fit` calls, asks the C library to keep memory that is freed. An array of 392 KiB has 98 pages. Guess how many page faults a call of
# the textbook sigmoid causes, and how many are left after `recycle_memory`. What a C library does with memory depends on all that a process has done
# before, so each of the two is measured in a process of its own:

# %%
source(recycle_memory)
PROGRAM = """
import sys, time
import numpy as np
from scratchae.backend import recycle_memory

try:
    import resource
except ImportError:  # Windows
    resource = None
if "recycled" in sys.argv:
    recycle_memory()
a = np.random.default_rng(0).standard_normal((128, 784), dtype=np.float32)
seconds, faults = [], []
for _ in range(50):
    start = time.perf_counter()
    1 / (1 + np.exp(-a))
    seconds.append(time.perf_counter() - start)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt if resource else 0)
print(min(seconds), (faults[-1] - faults[0]) / 49 if faults[-1] else "nan")
"""


def fresh_process(*told):
    """Seconds of the fastest call, and page faults a call (not a number where they cannot be counted), of a new process."""
    around = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", PROGRAM, *told]
    said = subprocess.run(command, env=around, capture_output=True, text=True, check=True)
    return map(float, said.stdout.split())


(plain, faults), (recycled, faults_left) = fresh_process(), fresh_process("recycled")
for name, seconds, count in (
    ("as it comes", plain, faults),
    ("recycled", recycled, faults_left),
):
    print(
        f"textbook sigmoid, memory {name:<11}: {1e6 * seconds:7.1f} µs, page faults a call: {count:6.1f}"
    )
print(f"ratio of times: {plain / recycled:.2f}")
slow = faults > 50  # this C library gives memory back
print(
    f"Here {faults - faults_left:.0f} page faults of each call were saved."
    if slow
    else "The C library of this machine keeps freed memory by itself, or the faults cannot be counted."
)
if slow:
    assert faults_left < faults / 10

# %% [markdown]
# ## Fewer passes over the numbers
#
# An elementwise formula in NumPy makes a pass over the whole array for each operation. For $-x$, $\exp$, $1 + {}$ and
# $1 / {}$ the array is read four times and written four times. The library's `sigmoid` makes one array and works in it. Predict the ratio of the two times:

# %%
source(activations.sigmoid)
for rows in (128, 4096):
    v = rng.standard_normal((rows, 784), dtype=np.float32)
    assert np.allclose(activations.sigmoid(v), 1 / (1 + np.exp(-v)), rtol=1e-6)
    textbooks, ours = (
        best(lambda v=v: 1 / (1 + np.exp(-v))),
        best(lambda v=v: activations.sigmoid(v)),
    )
    print(
        f"sigmoid of {rows:>4} × 784 numbers ({v.nbytes / 2**20:4.1f} MiB): textbook / "
        f"library {textbooks / ours:.2f}"
    )

# %% [markdown]
# On a quiet machine the ratio is near 1, perhaps to your surprise. Inside one expression NumPy reuses a temporary array that nobody else holds, so
# the textbook line makes no more than two arrays. What makes it slow in a process that gives memory back are page faults, not the way
# it is written. (So measure before you make code ugly.) Four passes remain. The section on kernels makes one pass of them.
#
# **Adam, in blocks.** Adam's update makes a dozen passes over four vectors, each of which has a number for every parameter: in `science2006`
# these are 2,837,314 numbers, or 11 MB, in each vector. Instead, take 32,768 numbers at a time, make all passes over them, and go on: then each
# block comes from memory once and stays in the core's own cache. How much this gains depends on your caches. A second gain is that all
# cores can work at once, each on its own blocks. The result is the same to the last bit, because every number is computed by itself.

# %%
source(in_blocks)
n = quick(2_837_314, 600_000)
vectors = [rng.standard_normal(n, dtype=np.float32) for _ in range(4)]
vectors[3] = abs(vectors[3])
coefficients = sae.Adam(1e-9).coefficients(0)


def update(θ, g, m, v):
    adam(θ, g, m, v, coefficients, 0.9, 0.999)


def blockwise(*vectors, block=backend.BLOCK):
    for start in range(0, n, block):
        update(*(v[start : start + block] for v in vectors))


copies = [[v.copy() for v in vectors] for _ in range(3)]
times = {
    "whole vectors": best(lambda: update(*copies[0])),
    "in blocks, one core": best(lambda: blockwise(*copies[1])),
    "in_blocks, all cores": best(lambda: in_blocks(update, *copies[2])),
}
for name, seconds in times.items():
    print(
        f"Adam, {n:,} parameters, {name:<20}: {1e3 * seconds:6.2f} ms, "
        f"whole / this {times['whole vectors'] / seconds:.2f}"
    )
whole, parted = ([v.copy() for v in vectors] for _ in range(2))
update(*whole)
in_blocks(update, *parted)
assert all((one == two).all() for one, two in zip(whole, parted, strict=True))

# %% [markdown]
# ## All cores
#
# NumPy hands matrix products to a BLAS, a library that uses all cores. Everything elementwise runs on one core, while the
# others wait. The remedy needs no new layer, because the loss is a mean over the $N$ examples of the batch. Split the batch into
# parts of $N_1 + N_2 + \dots = N$ examples:
#
# $$
# L = \frac1N \sum_{n=1}^N \ell_n = \sum_p \frac{N_p}{N} \underbrace{\frac{1}{N_p} \sum_{n \in p} \ell_n}_{L_p}
# \qquad\Rightarrow\qquad
# \frac{\partial L}{\partial\theta} = \sum_p \frac{N_p}{N} \frac{\partial L_p}{\partial\theta} .
# $$
#
# So every core runs forward and backward on a part, with a BLAS of one thread, on a twin of the model that shares its
# parameters; then the gradients are added. (This is wrong where examples depend on each other, as in batch normalisation or in a
# sparsity that is measured over the batch. There the library does not split.)

# %%
source(parallel.training_step)
conv = PRESETS["conv"].build(np.random.default_rng(0))
batch = x[:128].reshape(-1, 28, 28, 1)
parts = parallel.count_parts(conv, batch, None)


def as_a_whole():
    metrics = conv.objective(batch)
    conv.backward()
    return metrics


metrics, alone = as_a_whole(), conv.gradient.copy()
shared = parallel.training_step(conv, batch, None, max(parts, 2))
error = np.abs(conv.gradient - alone).max() / np.abs(alone).max()
print(
    f"conv, batch 128: {parts} parts on {cores()} cores; losses "
    f"{float(metrics['loss']):.4f} and "
    f"{float(shared['loss']):.5f}; gradients differ by {error:.0e} of the largest"
)
assert error < 1e-4 and np.isclose(float(metrics["loss"]), float(shared["loss"]), rtol=1e-5)
whole_batch = best(as_a_whole)
split = best(lambda: parallel.training_step(conv, batch, None, max(parts, 2)))
with blas_threads().limit(limits=1):
    one_core = best(as_a_whole)
print(
    f"whole batch / split: {whole_batch / split:.2f}; one core / split: "
    f"{one_core / split:.2f}"
)

# %% [markdown]
# ## One pass: compiled kernels
#
# A **[kernel](glossary.md#kernel-program)** is a small compiled program that makes one number of the result, run for
# all of them. It does a whole formula in one pass. The library has kernels for a handful of formulas, in one file,
# `scratchae/backend/kernels/kernels.cu`, in the C++ dialect of CUDA. A GPU runs it; and where a C++ compiler is at hand, *the
# same source* is built for the CPU. Each kernel has a plain twin in NumPy, which computes the same, and which you have read already. Here are
# two of the kernels, and a twin:


# %%
def kernel_source(name):
    return re.search(rf"^KERNEL {name}\(.*?^}}", SOURCE, re.MULTILINE | re.DOTALL).group()


print(kernel_source("sigmoid"))
print(kernel_source("adam"))
source(adam)

# %% [markdown]
# `EACH(i, n)` is a loop on a CPU; on a GPU it is "thread number $i$ takes number $i$". `sae.compile_kernels()` builds
# the library once (this takes some seconds, and the result is kept in your cache folder) and uses it from then on in this process. The kernels are off
# unless you ask for them, because the last digits of their results differ from NumPy's.

# %%
plain = {
    "sigmoid": best(lambda: activations.sigmoid(a)),
    "Adam": times["in_blocks, all cores"],
}
try:
    with sae.compile_kernels():  # NumPy again, for the rest of the chapter
        y = activations.sigmoid(a)
        gap = np.abs(y - textbook()).max()
        θ = [v.copy() for v in vectors]
        in_blocks(update, *θ)
        θ_gap = max(np.abs(one - two).max() for one, two in zip(θ, whole, strict=True))
        compiled = {
            "sigmoid": best(lambda: activations.sigmoid(a)),
            "Adam": best(lambda: in_blocks(update, *copies[2])),
        }
        print(f"largest difference to NumPy: sigmoid {gap:.0e}, Adam {θ_gap:.0e}")
        for name, seconds in compiled.items():
            print(f"{name:<8} NumPy / compiled kernel: {plain[name] / seconds:.2f}")
        assert gap < 1e-6 and θ_gap < 1e-5
except DeviceError as error:
    print("DeviceError:", error)

# %% [markdown]
# ## How much memory a step needs
#
# Before you buy a larger GPU, count. Two kinds of numbers have to be there at the same time, 4 bytes each in float32:
#
# - four for each *parameter*: $\theta$, its gradient $g$, and Adam's $m$ and $v$. They do not depend on the batch.
# - for each *example* what the layers keep from forward to backward. A dense layer keeps its input $x$, and ReLU and sigmoid keep their
#   output $y$, which is the next layer's $x$ and counts once. The loss keeps its derivative by the prediction.
#
# For `deep` these are $128 + 64 + 32 + 64 + 128$ outputs of ReLU, 784 of the sigmoid and 784 derivatives: 1,984 numbers for each example. (The first layer's $x$ is the batch, which is there anyway.) The next cell
# asks Python how much memory the forward pass has kept.

# %%
deep = PRESETS["deep"].build(np.random.default_rng(0))
count, kept = deep.parameters.size, {}
assert deep.encoder.layers[0].W.size + deep.decoder.layers[-2].W.size > 0.9 * count
for N in (128, 512):
    batch = rng.random((N, 784), dtype=np.float32)
    fresh_deep = PRESETS["deep"].build(np.random.default_rng(0))  # has kept nothing yet
    tracemalloc.start()
    fresh_deep.objective(batch)
    kept[N] = tracemalloc.get_traced_memory()[0] / 4 / N
    tracemalloc.stop()
    print(
        f"batch {N}: parameters, gradient and Adam {16 * count / 2**20:.2f} MiB; "
        f"kept for backward {4 * N * kept[N] / 2**20:.2f} MiB, {kept[N]:,.0f} numbers "
        "an example"
    )
    assert np.isclose(kept[N], 416 + 784 + 784, rtol=0.02)
print(f"both are equal at a batch of {4 * count / 1984:.0f}")
fresh_conv = PRESETS["conv"].build(np.random.default_rng(0))
tracemalloc.start()
fresh_conv.objective(batch.reshape(-1, 28, 28, 1))
of_conv = tracemalloc.get_traced_memory()[0] / 4 / len(batch)
tracemalloc.stop()
print(
    f"conv has {fresh_conv.parameters.size:,} parameters, and keeps {of_conv:,.0f} "
    "numbers an example"
)
assert 5 < of_conv / kept[512] < 7 and fresh_conv.parameters.size < count

# %% [markdown]
# So a batch that is twice as large needs twice as much of the second kind. `conv` has fewer parameters than `deep` and keeps more than five times as much for an example,
# because each weight is used at many places, and the numbers of all places are kept. (The patches of a batch as large as this are not kept. They are made once more.) If a step does not fit, make the batch smaller first.
#
# **Half of the bytes: mixed precision.** GPUs multiply matrices of 16-bit numbers several times as fast as those of 32-bit numbers, and half of the bytes move. But
# float16 keeps 11 binary digits, which are about three decimal ones, and its smallest positive number is $6 \cdot 10^{-8}$. Three things go wrong. A step that is small beside its parameter is lost in rounding, so
# one keeps $\theta$ in float32 and makes a 16-bit copy for each step. Small gradients become 0, so one multiplies the loss by a large number and
# divides the gradient by it afterwards. And long sums stop growing, so products are taken in 16 bits and added up in 32. This is **mixed precision**. This library
# does not do it: all its arrays are float32, or float64 for gradient checks. Predict the four results of the next cell:

# %%
half = np.float16
lost = half(1) + half(0.0004)  # a parameter and a step
gone, saved = half(1e-8), half(1e-8 * 2**14)  # a gradient, and the same of a scaled loss
total = half(0)
for _ in range(5000):
    total += half(1)
print(
    f"1 + 0.0004 = {lost}; 1e-8 = {gone}; scaled and back {saved / np.float32(2**14):.1e}"
)
print(f"5,000 ones added up one by one: {total:.0f}")
assert lost == 1 and gone == 0 and np.isclose(saved / np.float32(2**14), 1e-8, rtol=0.01)
assert total == 2048

# %% [markdown]
# ## The same code on a GPU
#
# A GPU does nothing by itself. The program on the processor, the *host*, sends it an order: run this kernel on these arrays. Such an order is a
# **launch**. The arrays lie in the GPU's own memory.
#
# Not one layer of this library asks where it runs. Each asks *its array*:

# %%
source(array_module, sae.Dense.forward, sae.Dense.backward)

# %% [markdown]
# For a CuPy array, `array_module` gives CuPy's functions, which have NumPy's names. `fit(..., device="gpu")` moves
# model and data, and this is the whole difference for you. What happens where there is no GPU?

# %%
try:
    gpu = device_module("gpu")
    print("a GPU:", machine.gpu()["name"])
except DeviceError as error:
    gpu = None
    print(textwrap.fill(f"DeviceError: {error}", 88))
    try:
        sae.fit(
            deep,
            x[:128],
            epochs=1,
            batch_size=128,
            optimizer=sae.Adam(),
            device="gpu",
            progress=False,
        )
        raise AssertionError("it should have been refused")
    except DeviceError:
        print("and `fit` raises the same: it never falls back without a word")

# %% [markdown]
# ### A GPU of cardboard
#
# You can watch what a GPU would be asked to do, without one. All that the library demands of an array is that it
# names its module (`__array_namespace__`). So here is a device of our own. Its arrays hold memory that NumPy may not
# touch, and its module runs each function as one launch, which it counts. It can also
# take notes of the orders, which the section on graphs needs. You can leave its code folded: all that matters is that each function of NumPy, called on its arrays, is
# one launch. (The library's tests have a stricter device, `tests/strict.py`,
# that knows which names and arguments CuPy has; the whole test suite runs on it.)


# %% tags=["hide-input"]
class Device:
    """An array module: NumPy's functions, each call a launch; some only look at memory in another way."""

    FREE = ("empty", "broadcast_to")

    def __init__(self):
        self.launches, self.notes = 0, None

    def launch(self, function, *inputs, out=None):
        """Do it, count it, and note it down if somebody records."""
        raw = [memory_of(v) for v in inputs]
        self.launches += 1
        if out is None:
            out = DeviceArray(np.asarray(function(*raw)))
        else:
            out.memory[...] = function(*raw)
        if self.notes is not None:
            self.notes.append((function, raw, out.memory))
        return out

    def __getattr__(self, name):
        function = getattr(np, name)  # AttributeError for what NumPy does not have
        if not callable(function) or isinstance(function, type):
            return function
        if name == "ascontiguousarray":  # costs something only where it has to copy
            return lambda v: v if v.flags.c_contiguous else self.launch(function, v)
        if name in self.FREE:
            return lambda *v, **named: DeviceArray(function(*map(memory_of, v), **named))

        def launched(*inputs, out=None, **named):
            if name == "asarray" and self.notes is not None:
                raise RuntimeError("data from the host, while a step is recorded")
            return self.launch(lambda *raw: function(*raw, **named), *inputs, out=out)

        return launched


def memory_of(v):
    return v.memory if isinstance(v, DeviceArray) else v


class DeviceArray:
    """Memory on the device. Shapes are known to the host, numbers are not."""

    def __init__(self, memory):
        self.memory = memory

    shape, dtype, ndim, size, flags = (
        property(lambda self, name=name: getattr(self.memory, name))
        for name in ("shape", "dtype", "ndim", "size", "flags")
    )
    T = property(lambda self: DeviceArray(self.memory.T))

    def __len__(self):
        return len(self.memory)

    def __array_namespace__(self):
        return DEVICE

    def __array__(self, *_, **__):
        raise TypeError("NumPy may not touch the memory of a device: call .get()")

    def reshape(self, *shape):
        return DeviceArray(self.memory.reshape(*shape))

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        return DeviceArray(self.memory[key if Ellipsis in key else (*key, ...)])  # a view

    def __setitem__(self, key, value):
        DEVICE.launch(np.positive, value, out=self[key])

    def get(self):
        """A copy for the host, which has to wait for it."""
        if DEVICE.notes is not None:
            raise RuntimeError("the host wants to read a number, while a step is recorded")
        return self.memory.copy()

    def __float__(self):
        return float(self.get())

    def __bool__(self):
        return bool(self.get())

    def all(self):
        return DEVICE.launch(np.all, self)

    def astype(self, dtype, copy=True):
        return DEVICE.launch(lambda raw: raw.astype(dtype), self)


def operator(name, function):
    """a + b is a launch; a += b is one into the memory of a."""
    setattr(DeviceArray, f"__{name}__", lambda a, b: DEVICE.launch(function, a, b))
    setattr(DeviceArray, f"__r{name}__", lambda a, b: DEVICE.launch(function, b, a))
    setattr(DeviceArray, f"__i{name}__", lambda a, b: DEVICE.launch(function, a, b, out=a))


for name, function in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
}.items():
    operator(name, function)
DeviceArray.__neg__ = lambda a: DEVICE.launch(np.negative, a)
DEVICE = Device()


def to_cardboard(model):
    """Parameters and gradients onto our device: what `model.to("gpu")` does."""
    for _, layer, name in list(model.named_parameters()):
        for attribute in (name, "d" + name):
            setattr(layer, attribute, DeviceArray(getattr(layer, attribute).copy()))
    model.gather()
    return model


# %% [markdown]
# Not a line of the library was changed for this device. Does it run? And how many launches do you expect of a training step of `deep`, with six dense layers and an update
# by Adam?

# %%
host_model = PRESETS["deep"].build(np.random.default_rng(0))
model = to_cardboard(PRESETS["deep"].build(np.random.default_rng(0)))
batch = np.ascontiguousarray(x[:128])
DEVICE.launches = 0
loss = model.training_step(DeviceArray(batch.copy()))["loss"]
in_step = DEVICE.launches
adam_there = sae.Adam(1e-3)
adam_there.prepare(model.parameters, model.gradient)
DEVICE.launches = 0
adam_there.update(model.parameters, model.gradient)
in_update = DEVICE.launches

host_loss = one_step(host_model, batch, sae.Adam(1e-3))
difference = np.abs(host_model.parameters - model.parameters.get()).max()
print(
    f"loss on the host {host_loss:.6f}, on the device {float(loss):.6f};\n"
    f"parameters after a step differ by {difference:.0e}"
)
print(f"launches: {in_step} for forward, loss and backward, {in_update} for Adam")
assert np.isclose(host_loss, float(loss), rtol=1e-5) and difference < 1e-5
try:
    np.exp(model.parameters)
    raise AssertionError("it should have been refused")
except TypeError as error:
    print("TypeError:", error)

# %% [markdown]
# ### The arithmetic of launches
#
# A GPU works through its orders on its own; the host only gives them, one by one. Giving one takes time, however small the arrays
# are: call it $t_\ell$. With $n$ launches in a step, and with $t_k$ for what kernel $k$ itself takes, the host and
# the device work side by side, and a step lasts at least
#
# $$
# t \;\ge\; \max\!\Big(n\,t_\ell,\ \sum_{k=1}^{n} t_k\Big) .
# $$
#
# For small arrays the first of the two is the larger, so the GPU waits for Python most of the time. NumPy has such a cost as
# well, and it can be measured here.

# %%
one = np.ones(1, np.float32)
t_call = best(lambda: [np.multiply(one, one, out=one) for _ in range(1000)]) / 1000
calls = in_step + in_update
print(
    f"a NumPy call on one number takes {1e6 * t_call:.2f} µs; {calls} of them "
    f"{1e3 * calls * t_call:.3f} ms"
)
print(
    f"a step of deep on one image: {1e3 * per_step[1]:.3f} ms, on 512 images: "
    f"{1e3 * per_step[512]:.3f} ms, "
    f"a ratio of {per_step[512] / per_step[1]:.0f}"
)
print("\nif a launch costs the host            5 µs     10 µs     20 µs")
for name, count in (("as written", calls), ("half as many", calls // 2), ("one", 1)):
    least = "".join(f"{count * t / 1e3:7.3f} ms" for t in (5, 10, 20))
    print(f"{name:<13} {count:>3} launches, at least{least}")

# %% [markdown]
# The three costs of a launch are suppositions, to see what follows from them; measure those of your machine. There are two ways to wait less: fewer
# launches, and one launch for many.
#
# **Fewer launches: kernels.** With the kernels from above a whole formula is one launch. `one_kernel`, which stands in the line
# above the definitions of `sigmoid` and `adam`, asks the array's module whether it has a kernel of this name:

# %%
source(backend.one_kernel)


def launch_kernel(name, dtype, n, *arguments):
    """Run a compiled kernel on the device's memory: on a GPU that is CuPy's RawKernel."""
    DEVICE.launches += 1
    host.launch(name, dtype, n, *map(memory_of, arguments))


launches = {"as written": calls}
try:
    host.library("float32")
    DEVICE.kernels = Kernels(DEVICE, launch_kernel)
    DEVICE.launches = 0
    fused = to_cardboard(PRESETS["deep"].build(np.random.default_rng(0)))
    fused_adam = sae.Adam(1e-3)
    fused_adam.prepare(fused.parameters, fused.gradient)
    DEVICE.launches = 0
    fused.training_step(DeviceArray(batch.copy()))
    fused_adam.update(fused.parameters, fused.gradient)
    launches["with kernels"] = DEVICE.launches
    assert np.abs(fused.parameters.get() - host_model.parameters).max() < 1e-4
except DeviceError as error:
    print("DeviceError:", error)
finally:
    vars(DEVICE).pop("kernels", None)
for name, count in launches.items():
    print(f"{name:<13} {count:>4} launches a step")
assert launches.get("with kernels", 0) < launches["as written"]

# %% [markdown]
# ## One launch for a step: CUDA graphs
#
# The orders of a training step are the same every time. So record them once, and from then on say "again". CUDA calls
# such a recording a **[graph](glossary.md#cuda-graph)**. It is a list of kernels with the *addresses* of what they
# read and write, so a replay runs no Python, no layer, no `if`. On our device a graph takes a few lines, because its notes of the orders are the
# graph.


# %%
class CardboardGraph:
    """`graph()` does what `function()` does: by running it twice, then by its notes."""

    def __init__(self, function):
        self.function, self.calls, self.notes = function, 0, None

    def __call__(self):
        if self.notes is None and self.calls >= 2:  # the third time: take notes
            DEVICE.notes = self.notes = []
            try:
                self.function()
            finally:
                DEVICE.notes = None
            self.calls += 1
            return
        if self.notes is None:
            self.function()
        else:
            DEVICE.launches += 1  # one order, for the whole list
            for kernel, inputs, output in self.notes:
                output[...] = kernel(*inputs)
        self.calls += 1


# %% [markdown]
# And this is the library's graph, for a real GPU. There, while a step is recorded its kernels are *not* run, so the graph is
# launched right afterwards. And temporary arrays come from a memory pool that lives as long as the graph, because their
# addresses are in it.

# %%
source(Recorded)

# %% [markdown]
# What may a recorded step not do? It may not use anything that differs from one step to the next and lives on the host, such as which images
# are in the batch, or which number Adam's $t$ has reached, because a replay knows only addresses. So the library keeps all this
# on the device: the order of the examples, a table of Adam's coefficients for each step, and a counter that each step
# raises itself. `RecordedSteps` is what `fit` runs on a GPU:

# %%
source(RecordedSteps.one_step)

# %% [markdown]
# `RecordedSteps` runs on cardboard too, given a random generator whose counter lies on the device. The next cell compares two recorded epochs of training
# with two on the host:


# %%
class Counter:
    """What RecordedSteps needs of a random generator, where no layer draws."""

    def __init__(self):
        self.position = DeviceArray(np.zeros((), np.int64))

    def random(self, size=None, dtype=None):
        raise AssertionError("no layer here draws")

    def reseed(self, seed):
        self.position[...] = 0

    def advance(self):
        self.position += 1


DEVICE.random = SimpleNamespace(default_rng=lambda seed: Counter())
images = np.ascontiguousarray(x[: quick(1000, 500)])


def two_epochs(steps):
    for epoch in range(2):
        steps.begin(0, epoch)
        for _ in range(steps.count):
            steps.step()
        metrics = steps.metrics()
    return metrics["loss"]


host_model = PRESETS["deep"].build(np.random.default_rng(0))
device_model = to_cardboard(PRESETS["deep"].build(np.random.default_rng(0)))
expected = two_epochs(HostSteps(host_model, images, 100, sae.Adam(1e-3)))
steps = RecordedSteps(
    device_model, DeviceArray(images.copy()), 100, sae.Adam(1e-3), CardboardGraph
)
replayed = two_epochs(steps)
(graph,) = steps.run.values()
difference = np.abs(host_model.parameters - device_model.parameters.get()).max()
print(
    f"{graph.calls} steps, of which {graph.calls - 3} replayed; the graph holds "
    f"{len(graph.notes)} launches"
)
print(
    f"loss {expected:.6f} on the host, {replayed:.6f} replayed; parameters differ by "
    f"{difference:.0e}"
)
assert np.isclose(expected, replayed, rtol=1e-4) and difference < 1e-3

# %% [markdown]
# **Break it.** Record a step with `optimizer.update`, which computes Adam's coefficients on the host. In the notes they are plain
# numbers, those of the third step, so that $t = 3$ for ever. No error is raised. Predict: will the parameters after 30 steps differ from those of a training
# that is not recorded?

# %%


def final_parameters(make_step, count=30):
    model, optimizer = (
        to_cardboard(PRESETS["deep"].build(np.random.default_rng(0))),
        sae.Adam(1e-3),
    )
    there = DeviceArray(batch.copy())

    def step():
        model.training_step(there)
        optimizer.update(model.parameters, model.gradient)

    run = make_step(step)
    for _ in range(count):
        run()
    return model.parameters.get(), optimizer.t


(eager, t_eager), (frozen, t_frozen) = (
    final_parameters(lambda step: step),
    final_parameters(CardboardGraph),
)
print(
    f"eager: t = {t_eager}; recorded: t = {t_frozen}, as nothing of Python runs in a replay"
)
print(f"parameters differ by {np.abs(eager - frozen).max():.1e}, and should by nothing")
assert t_eager == 30 and t_frozen == 3
assert np.abs(eager - frozen).max() > 1e-3


def peeking():
    float(device_model.parameters[0])


try:
    graph = CardboardGraph(peeking)
    for _ in range(3):
        graph()
    raise AssertionError("it should have been refused")
except RuntimeError as error:
    print("RuntimeError:", error)

# %% [markdown]
# The parameters differ, and no message says so. The refusal in the last line printed shows a second rule: while a step is recorded the host may not ask for a number,
# because none is computed yet. So the loss is added up on the device, and read a few times a second.
#
# ## An experiment: CPU against GPU
#
# We measure steps as `fit` takes them, at growing batches: on a CPU one after the other, on a GPU recorded. A batch of 1,024 has 64 times the images of a batch of
# 16. How many times as long, do you think, does its step take?

# %%
sizes = quick((16, 128, 1024), (16, 256))
devices = ["cpu"] + ["gpu"] * (gpu is not None)


def milliseconds(device, batch_size):
    """A step of an epoch through 2,048 images, the second epoch: the first compiles and records."""
    model, xp = (
        PRESETS["deep"].build(np.random.default_rng(0)).to(device),
        device_module(device),
    )
    steps = steps_for(model, xp.asarray(x[:2048]), batch_size, sae.Adam(1e-3))
    for epoch in range(2):
        steps.begin(0, epoch)
        start = time.perf_counter()
        for _ in range(steps.count):
            steps.step()
        loss = steps.metrics()["loss"]  # a number on the host: waits until all is done
    return 1e3 * (time.perf_counter() - start) / steps.count, loss


print("batch    " + "".join(f"{device}, ms a step   images/s   " for device in devices))
measured = {}
for batch_size in sizes:
    line = f"{batch_size:>5}    "
    for device in devices:
        measured[device, batch_size] = ms, loss = milliseconds(device, batch_size)
        line += f"{ms:14.2f} {1e3 * batch_size / ms:10,.0f}   "
    print(line)
    if gpu is not None:
        assert np.isclose(
            measured["cpu", batch_size][1], measured["gpu", batch_size][1], rtol=1e-2
        )
if gpu is None:
    print("no GPU column: see the DeviceError above")
print(f"cores of this machine: {cores()}")

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
for device, line, colour in zip(
    devices, ("o-", "s--"), (plots.BLUE, plots.RED), strict=False
):
    rates = [1e3 * size / measured[device, size][0] for size in sizes]
    axes.loglog(sizes, rates, line, color=colour, label=device.upper())
ideal = 1e3 * np.array(sizes) / measured["cpu", sizes[0]][0]
axes.loglog(
    sizes, ideal, ":", color=plots.GREY, label="if a step cost the same at any size"
)
axes.set(xlabel="images in a batch", ylabel="images a second")
axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
axes.minorticks_off()
axes.legend()
show(
    drawn,
    "throughput",
    "Images a second against batch size on logarithmic axes: the line climbs with the batch and falls behind the dotted line of slope 1.",
    "See where a curve falls behind the dotted line. Larger batches spread the cost of launches, Python and Adam over more images, until arithmetic is the limit.",
)

# %% [markdown]
# On the dotted line a step costs the same whatever its size, so its whole cost is overhead. Where the curve
# leaves this line, arithmetic and memory begin to count. A GPU has a much higher roof and a higher cost for each order. So it
# stays near its dotted line for longer, and is the faster one from the batch size on at which the curves cross. `scratchae bench` draws
# this picture for all presets, on your machine, with roofline and layers.
#
# For comparison, published figures: on two cores of an AMD EPYC (Zen 5, `python benchmarks/training_step.py --rounds 5`) a
# step of `deep` took 0.98 ms, PyTorch in eager mode (it runs one operation after the other) 1.52 times as long, JAX 1.01 times; a step of `simple`
# took JAX 0.67 times as long, a step of `conv` (6.4 ms) PyTorch 2.15 times and JAX 4.05 times. JAX wins on `simple` because its compiler
# fuses the elementwise work, which is what the kernels of this chapter do by hand.
#
# And on a GPU, an NVIDIA H200 (`python benchmarks/on_gpu.py`): sent kernel by kernel, a step of `deep` at batch 128 took
# 5.4 ms, longer than on two cores. Recorded as a graph it took 0.161 ms, **34 times less, for the same kernels**: the
# rest of the time had gone into launches. PyTorch in eager mode took 12.7 times as long as the recorded step, JAX, which also sends a step as
# one, 1.49 times. At batch 8,192 arithmetic counts, and JAX was 2.2 times as fast as we are.
#
# ## What to change for MNIST
#
# `scratchae tutorial 13 --data mnist`. Nothing changes, because the shapes are the same, and the time of a step does not
# depend on the pixels.
#
# ## Exercises
#
# 1. ★★, 15 minutes. Is a matrix product bound by arithmetic or by memory? After *Forward, backward: count what has to be done*.

# %%
exercise("13_roofline")

# %% [markdown]
# Without code:
#
# 2. ★, 2 minutes. The question in *A picture of it*: which layers of `deep` take longest?
# 3. ★★, 5 minutes. Adam does 12 operations for each parameter and moves 7 numbers of 4 bytes (it reads θ, g, m, v; it writes θ, m, v).
#    What limits it? After *The roof of this machine*.
# 4. ★, 5 minutes. A step has 60 launches of 10 µs and 200 µs of work on the GPU. How many times as fast is the recorded step, if one launch of
#    the graph costs 10 µs? After *One launch for a step: CUDA graphs*.
# 5. ★★, 5 minutes. Batch normalisation is not in the list of layers whose batch may be split. What would go wrong? After *All cores*.
# 6. ★, 5 minutes. A model has 100 million parameters. How many bytes do parameters, gradient and Adam take? And with mixed precision, where $\theta$, $m$, $v$ are kept in
#    32 bits, and the gradient and a copy of $\theta$ in 16? After *How much memory a step needs*.
#
# Derive:
#
# 7. ★★, 10 minutes. For which batch size does a layer 1024 × 1024 reach the ridge of this machine, where $B \cdot \text{intensity} = P$?
#    After *The roof of this machine*.
#
# Explore:
#
# 8. ★★, 20 minutes. Run `scratchae bench` on your machine. Which preset is nearest to its roof, and which layer of `conv` is farthest from it? After
#    *An experiment: CPU against GPU*.
# 9. ★★★, 30 minutes. Count by hand what `conv` keeps for each example, as was done for `deep`, and compare with `tracemalloc`. After *How much memory a step needs*.

# %% tags=["hide-cell"]
# Answers, in numbers
ridge = P / B
adam_intensity = 12 / (7 * 4)
print(
    f"3. {adam_intensity:.2f} operations a byte, the ridge is at {ridge:.1f}: memory "
    f"({100 * adam_intensity / ridge:.0f} % of the peak at best)"
)
assert adam_intensity < ridge
before, after = max(60 * 10, 200), max(10, 200)
print(f"4. {before} µs before, {after} µs after: {before / after:.0f} times as fast")
assert before / after == 3
norm = sae.BatchNorm(3)
numbers = rng.standard_normal((8, 3)).astype(np.float32)
both = norm.forward(numbers, rng=rng)
halves = np.concatenate(
    [norm.forward(half, rng=rng) for half in (numbers[:4], numbers[4:])]
)
print(
    "5. outputs of the whole batch and of its halves differ by "
    f"{np.abs(both - halves).max():.2f}"
)
assert np.abs(both - halves).max() > 0.05
assert not sae.BatchNorm.examples_apart
print(f"6. {1e8 * 16 / 1e9:.1f} GB, and {1e8 * (3 * 4 + 2 * 2) / 1e9:.1f} GB")
slots = 1 / (2 * ridge) - 2 / 1024  # from ½ / (1/N + 2/1024) = ridge
told = f"N = {1 / slots:.0f}" if slots > 0 else "never: it has too few rows and columns"
print(f"7. intensity {ridge:.1f} is needed: {told}")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 2\. The first and the last, 784 × 128 and 128 × 784: they have 90 % of all weights.
#
# 3\. Memory limits it: the intensity of the update lies far below the ridge, whatever the machine.
#
# 4\. Three times as fast: before, 600 µs of launches are the limit, and after it 200 µs of work.
#
# 5\. Batch normalisation subtracts the mean *of the batch*. The halves have other means, so the parts would compute another function.
#
# 6\. 1.6 GB, and 1.6 GB: mixed precision saves nothing here. It saves half of what is kept for each example, and half of the traffic of products.
#
# 7\. Solve $\frac12 / (\frac1N + \frac2{1024}) = P / B$ for $N$. If $P/B$ is above 256, no batch is large enough.
#
# </details>
#
# ## Further reading
#
# - [Williams et al. 2009](bibliography.md#williams-2009): the roofline.
#
# ## What to read in the source next
#
# - `scratchae/backend/`: memory, blocks, cores, and `one_kernel`.
# - `scratchae/models/parallel.py`: the split batch. `scratchae/training/steps.py`: the loop of an epoch, on the host and
#   recorded.
# - `scratchae/backend/kernels/kernels.cu` and `tests/backend/kernels/test_kernels.py`: every kernel against its plain twin.
# - `scratchae/backend/cuda/`: the one room that knows CuPy. `benchmarks/README.md`: how the comparisons are made, and how to
#   read them.
