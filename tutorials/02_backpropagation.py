# %% [markdown]
# # 02 · Backpropagation, term by term
#
# *Where do 402,448 derivatives come from? From three small derivations, and from multiplying in the right order.*
#
# **Time** 55 minutes to read, 8 s to run on two cores.

# %% [markdown]
# ## The question
#
# The autoencoder of [chapter 01](01_autoencoder.py) has 402,448 knobs. To turn them the right way, you need the
# derivative of the loss by each of them. [Chapter 00](00_one_neuron.py) measured derivatives: it turned one knob a little up
# and a little down, and looked at what the loss did. That takes two forward passes for every knob, which is 804,896 forward
# passes for a single step of training.
#
# **How do you get all derivatives at once, for the price of about three forward passes?**
#
# By [backpropagation](glossary.md#backpropagation). The network is a chain of simple pieces, and there are three kinds of
# them here: `Dense`, `Sigmoid`, and the loss `MSE`. This chapter derives the backward pass of each piece, one element at a
# time. Then it puts the pieces together: two layers, any number of layers, and networks that are not a chain. You need matrix
# products and the chain rule.

# %%
import itertools
import time

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.tutorial import (
    data_name,
    dataset,
    exercise,
    figure,
    quick,
    show,
    source,
    study_page,
)

rng = np.random.default_rng(0)
P = 2 * 784 * 256 + 256 + 784
print(f"{P:,} parameters, {2 * P:,} forward passes to measure all derivatives")
assert P == 402_448

# %% [markdown]
# ## A picture of it
#
# These are the pieces in the order in which they run. Above each arrow you see the array that flows forward, with its shape.
# Below it you see the gradient that flows backward. There are $N$ images in a batch, $D = 784$ pixels, and $H = 256$ numbers
# in the code.

# %% tags=["hide-input"]
drawn, axes = figure(7, 2.4)
axes.set(xlim=(-0.9, 11.1), ylim=(-0.7, 3.5))
axes.axis("off")
pieces = ["Dense\nW₁ b₁", "Sigmoid", "Dense\nW₂ b₂", "Sigmoid", "MSE"]
forward = ["x\n(N, D)", "a₁\n(N, H)", "z\n(N, H)", "a₂\n(N, D)", "x̂\n(N, D)", "L"]
backward = ["", "da₁", "dz", "da₂", "dx̂", "dL = 1"]
box = {"boxstyle": "round,pad=0.4", "facecolor": "#F2F2F2", "edgecolor": plots.GREY}
for i, piece in enumerate(pieces):
    axes.text(1 + 2 * i, 2, piece, ha="center", va="center", fontsize=9, bbox=box)
for i, (up, down) in enumerate(zip(forward, backward, strict=True)):
    start, end = max(2 * i - 0.4, -0.7), min(2 * i + 0.4, 10.7)
    axes.annotate(
        "", (end, 2.15), (start, 2.15), arrowprops={"arrowstyle": "->", "color": plots.BLUE}
    )
    axes.text(2 * i, 2.6, up, ha="center", va="bottom", color=plots.BLUE, fontsize=9)
    if down:
        look = {"arrowstyle": "->", "color": plots.RED, "linestyle": "--"}
        axes.annotate("", (start, 1.85), (end, 1.85), arrowprops=look)
        axes.text(2 * i, 1.4, down, ha="center", va="top", color=plots.RED, fontsize=9)
for i, names in ((1, "dW₁ db₁"), (5, "dW₂ db₂")):
    look = {"arrowstyle": "->", "color": plots.RED, "linestyle": "--"}
    axes.annotate("", (i, 0.05), (i, 1.35), arrowprops=look)
    axes.text(i, -0.05, names, ha="center", va="top", color=plots.RED, fontsize=9)
show(
    drawn,
    "chain",
    "Five boxes in a row, Dense, Sigmoid, Dense, Sigmoid, MSE. Solid arrows to the right "
    "carry x, a1, z, a2, x-hat and the "
    "loss; dashed arrows to the left carry the derivatives, and dashed arrows downward "
    "from the two Dense boxes carry dW and db.",
    "Forward in blue, to the right; backward in red and dashed, to the left. Each Dense "
    "also gives the gradients of its own parameters.",
)

# %% [markdown]
# ## Two rules
#
# Everything below follows from two rules.
#
# **Rule 1: a gradient has the shape of what it belongs to.** We write $dW$ for the array of all
# $\partial L / \partial W_{dh}$,
#
# $$
# (dW)_{dh} = \frac{\partial L}{\partial W_{dh}},
# $$
#
# and the same for $dx$, $dz$ and $db$. Each is an array of the same shape as $W$, $x$, $z$ or $b$. The number in each place
# of $dW$ says how fast the loss grows when the number in the same place of $W$ grows. This always works, because the loss
# is one number. ($dy$ is one name for $\partial L / \partial y$ here. It is not the $dy$ that stands under an integral.)
#
# **Rule 2: add up over all paths.** Let a number $u$ act on the loss through several numbers
# $v_1, v_2, \dots, v_m$. Move $u$ by a tiny $\delta$. Then each $v_k$ moves by
# $\frac{\partial v_k}{\partial u}\delta$, and each of these moves the loss by
# $\frac{\partial L}{\partial v_k}\frac{\partial v_k}{\partial u}\delta$. For a small $\delta$ these effects
# [add up](mathematics.md#first-order-change): what is left out are products of two small changes, of order $\delta^2$, and
# they vanish when we divide by $\delta$ and let $\delta$ go to 0. So
#
# $$
# \frac{\partial L}{\partial u} = \sum_{k=1}^{m} \frac{\partial L}{\partial v_k}\,\frac{\partial v_k}{\partial u}
# $$
#
# This is the chain rule for several paths. Here is an example that you can check without the rule: $v_1 = 3u$, $v_2 = u^2$
# and $L = v_1 v_2^2$. Put together, $L = 3u \cdot u^4 = 3u^5$, so $\partial L / \partial u = 15u^4$. Now by paths:

# %%
u = 2.0
v1, v2 = 3 * u, u**2
dv1, dv2 = v2**2, 2 * v1 * v2  # ∂L/∂v₁, ∂L/∂v₂
du = dv1 * 3 + dv2 * 2 * u  # one term for each path
print(f"by paths {dv1:g}·3 + {dv2:g}·{2 * u:g} = {du:g}; directly 15 u⁴ = {15 * u**4:g}")
assert du == 15 * u**4

# %% [markdown]
# Each piece below does the same job. It is handed $dy$, the [gradient coming in](glossary.md#upstream-gradient)
# from the right, which says how fast the loss grows with each number of the piece's output $y$. The piece returns $dx$, which
# says the same for each number of its input, and it keeps the gradients of its parameters. It need not know what lies to its
# right, because $dy$ holds all that matters of it.
#
# We check each result on small random arrays. Their sizes all differ, so a product in the wrong order would not even run.

# %%
N, D, H = 4, 5, 3

# %% [markdown]
# ## MSE: where the chain begins
#
# Forward, with prediction $p$ and target $t$:
#
# $$
# L = \frac{1}{N} \sum_{n=1}^{N} \sum_{d=1}^{D} (p_{nd} - t_{nd})^2
# $$
#
# Take one prediction $p_{nd}$. It stands in one term of the double sum, the one with the same $n$ and $d$. All
# other terms do not change when $p_{nd}$ changes, so their derivative is 0:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial p_{nd}}
# &= \frac{1}{N}\,\frac{\partial}{\partial p_{nd}} (p_{nd} - t_{nd})^2 \\
# &= \frac{2}{N}\,(p_{nd} - t_{nd})
# \end{aligned}
# $$
#
# That holds for every $n$ and $d$, so it holds for the whole array:
#
# $$
# \underset{(N, D)}{dp} = \frac{2}{N}\,\bigl(\underset{(N, D)}{p} - \underset{(N, D)}{t}\bigr)
# $$
#
# The factor $1/N$ enters *here*, once, and nowhere else. No layer to the left divides by $N$ again.

# %%
p, t = rng.random((N, D)), rng.random((N, D))
by_element = np.zeros((N, D))
for n in range(N):
    for d in range(D):
        by_element[n, d] = 2 / N * (p[n, d] - t[n, d])

L, dp = sae.MSE()(p, t)
print(f"dp {dp.shape}, largest difference {np.abs(dp - by_element).max():.0e}")
assert np.isclose(L, ((p - t) ** 2).sum() / N)
assert np.allclose(dp, by_element, rtol=0, atol=1e-15)

# %% [markdown]
# The library's code computes these two formulas, the value and the gradient:

# %%
source(sae.MSE.__call__)

# %% [markdown]
# ## Sigmoid: each number by itself
#
# Forward, for each element:
#
# $$
# y_{nh} = \sigma(a_{nh}) = \frac{1}{1 + e^{-a_{nh}}}
# $$
#
# The number $a_{nh}$ acts on one output, $y_{nh}$, and on no other. There is one path, so rule 2 has one term:
#
# $$
# \frac{\partial L}{\partial a_{nh}} = \frac{\partial L}{\partial y_{nh}}\,\frac{\partial y_{nh}}{\partial a_{nh}}
# $$
#
# The slope of the sigmoid, line by line (indices left out):
#
# $$
# \begin{aligned}
# \frac{\partial y}{\partial a}
# &= \frac{\partial}{\partial a} (1 + e^{-a})^{-1} \\
# &= -(1 + e^{-a})^{-2} \cdot (-e^{-a}) \\
# &= \frac{1}{1 + e^{-a}} \cdot \frac{e^{-a}}{1 + e^{-a}} \\
# &= \frac{1}{1 + e^{-a}} \cdot \frac{(1 + e^{-a}) - 1}{1 + e^{-a}} \\
# &= y\,(1 - y)
# \end{aligned}
# $$
#
# So in arrays, with $\odot$ for the product element by element:
#
# $$
# \underset{(N, H)}{da} = \underset{(N, H)}{dy} \odot \underset{(N, H)}{y} \odot (1 - \underset{(N, H)}{y})
# $$
#
# The slope needs only the *output*. That is why the layer keeps $y$ from the forward pass, and computes no
# exponential again.

# %%
a, dy = rng.standard_normal((N, H)), rng.standard_normal((N, H))
layer = sae.Sigmoid()
y = layer.forward(a)
da = layer.backward(dy)

slope = np.exp(-a) / (1 + np.exp(-a)) ** 2  # the second line of the derivation
print(f"y(1 - y) and the slope differ by {np.abs(y * (1 - y) - slope).max():.0e} at most")
assert np.allclose(y * (1 - y), slope)
assert np.allclose(da, dy * y * (1 - y))

# %% [markdown]
# The library's layer is the last formula:

# %%
source(sae.Sigmoid)

# %% [markdown]
# How large can the slope be? $y(1 - y) = \tfrac14 - (y - \tfrac12)^2$, so it is at most $\tfrac14$, where $y = \tfrac12$.
# So every sigmoid on the way back makes the gradient at least four times smaller, and far more than four times where its
# output is close to 0 or 1. Two sigmoids do no harm. Ten of them do: [chapter 05](05_going_deep.py) shows it.

# %%
grid = np.linspace(0, 1, 101)
assert np.allclose(grid * (1 - grid), 0.25 - (grid - 0.5) ** 2)
assert (grid * (1 - grid)).max() == 0.25

# %% [markdown]
# ## Dense: three gradients
#
# Forward. Row $n$ of the output is a sum over the inputs of example $n$:
#
# $$
# \underset{(N, H)}{y} = \underset{(N, D)}{x}\;\underset{(D, H)}{W} + \underset{(H)}{b}
# $$
#
# or, element by element,
#
# $$
# y_{nh} = \sum_{d=1}^{D} x_{nd} W_{dh} + b_h
# $$
#
# Three things went in, so three gradients come out. For each of them: find the outputs that it acts on, and add up the
# paths.
#
# *While reading (★, 3 minutes).* Before you go on: on how many numbers of $y$ does one weight $W_{dh}$ act? One bias $b_h$?
# One input $x_{nd}$? The picture has the answers, for two examples, three inputs and two outputs.


# %% tags=["hide-input"]
def draw_paths(axes, title, wires, letters, bias=False):
    """Two examples of a layer with three inputs and two outputs; `wires` (n, d, h) are the paths of one number."""
    axes.set(xlim=(-0.75, 3.5), ylim=(-5.2, 3.1))
    axes.axis("off")
    axes.set_title(title, fontsize=10)
    circle = {"boxstyle": "circle,pad=0.28", "facecolor": "white", "edgecolor": plots.GREY}
    look = {"ha": "center", "va": "center", "fontsize": 8}
    outputs = {}
    for n in (0, 1):
        top = 2.4 - 4.2 * n
        left = [(0, top - d) for d in range(3)] + ([(0.9, top - 2.75)] if bias else [])
        right = [(1.9, top - 0.5 - h) for h in range(2)]
        for d, start in enumerate(left):
            for h, end in enumerate(right):
                chosen = (n, d, h) in wires
                if chosen:
                    outputs[end] = None
                colour, width = (plots.RED, 2.4) if chosen else ("#BBBBBB", 0.8)
                axes.plot(
                    *zip(start, end, strict=True), color=colour, linewidth=width, zorder=0
                )
            name = "1" if d == 3 else f"x{'₁₂'[n]}{'₁₂₃'[d]}"
            axes.text(*start, name, bbox=circle, **look)
        for h, end in enumerate(right):
            axes.text(*end, f"y{'₁₂'[n]}{'₁₂'[h]}", bbox=circle, **look)
    for x, y in outputs:
        axes.plot(
            [x, 3.1], [y, -1.4], color=plots.RED, linewidth=2.4, linestyle="--", zorder=0
        )
    axes.text(3.1, -1.4, "L", bbox=circle, **look)
    for x, y, text in letters:
        axes.text(x, y, text, color=plots.RED, fontsize=9, ha="center", va="bottom")


drawn, places = figure(7, 3.3, columns=3)
draw_paths(
    places[0],
    "dW₂₁ = x₁₂ dy₁₁ + x₂₂ dy₂₁",
    {(0, 1, 0), (1, 1, 0)},
    [(0.95, 1.75, "W₂₁"), (0.95, -2.45, "W₂₁")],
)
draw_paths(
    places[1],
    "db₁ = 1 · dy₁₁ + 1 · dy₂₁",
    {(0, 3, 0), (1, 3, 0)},
    [(0.93, 0.0, "b₁"), (0.93, -4.2, "b₁")],
    bias=True,
)
draw_paths(
    places[2],
    "dx₁₂ = dy₁₁ W₂₁ + dy₁₂ W₂₂",
    {(0, 1, 0), (0, 1, 1)},
    [(0.95, 1.75, "W₂₁"), (0.95, 0.42, "W₂₂")],
)
show(
    drawn,
    "paths",
    "Three nets of two examples each. One weight lies on one line of each example, so its two paths lead through y11 and y21. "
    "One bias lies on one line of each example as well. One input has two lines, to both outputs of its own example.",
    "Look at the thick lines: they are all paths from one weight, one bias, one input to the loss. A weight and a bias act "
    "on one output of every example; an input acts on every output of one example.",
)

# %% [markdown]
# **The weights.** Where does $W_{dh}$ stand? Only in column $h$ of $y$, but there in *every* row, because all examples
# share the weights. In $y_{nh}$ it is multiplied by $x_{nd}$. So there are $N$ paths, one for each example:
#
# $$
# \frac{\partial y_{nk}}{\partial W_{dh}} =
# \begin{cases} x_{nd} & \text{if } k = h \\ 0 & \text{otherwise} \end{cases}
# $$
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial W_{dh}}
# &= \sum_{n=1}^{N} \sum_{k=1}^{H} \frac{\partial L}{\partial y_{nk}}\,\frac{\partial y_{nk}}{\partial W_{dh}}
# && \text{rule 2, over all outputs} \\
# &= \sum_{n=1}^{N} dy_{nh}\, x_{nd}
# && \text{only } k = h \text{ is left} \\
# &= \sum_{n=1}^{N} (x^\top)_{dn}\, dy_{nh}
# && x_{nd} = (x^\top)_{dn}
# \end{aligned}
# $$
#
# The last line is row $d$ of $x^\top$ times column $h$ of $dy$, and that is an element of a matrix product:
#
# $$
# \underset{(D, H)}{dW} = \underset{(D, N)}{x^\top}\;\underset{(N, H)}{dy}
# $$
#
# The sum over the batch is inside the product, because $n$ is the index that both factors share.
#
# **The bias.** $b_h$ is added to column $h$ of every row, times 1. Again there are $N$ paths:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial b_h}
# &= \sum_{n=1}^{N} \sum_{k=1}^{H} \frac{\partial L}{\partial y_{nk}}\,\frac{\partial y_{nk}}{\partial b_h}
# && \text{rule 2, over all outputs} \\
# &= \sum_{n=1}^{N} dy_{nh} \cdot 1
# && \text{only } k = h \text{ is left}
# \end{aligned}
# $$
#
# $$
# \underset{(H)}{db} = \sum_{n=1}^{N} \underset{(H)}{dy_n}
# $$
#
# where $dy_n$ is row $n$. Here the sum must be written out (or as $\mathbf 1^\top dy$, with a row of $N$ ones). This sum is
# the one that people forget.
#
# **The input.** $x_{nd}$ stands in row $n$ only, because examples do not mix, but there in *every* column, because each of
# the $H$ neurons uses it. In $y_{nk}$ it is multiplied by $W_{dk}$. So there are $H$ paths:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial x_{nd}}
# &= \sum_{k=1}^{H} \frac{\partial L}{\partial y_{nk}}\,\frac{\partial y_{nk}}{\partial x_{nd}}
# && \text{rule 2, over row } n \\
# &= \sum_{k=1}^{H} dy_{nk}\, W_{dk}
# && \text{the slope is } W_{dk} \\
# &= \sum_{k=1}^{H} dy_{nk}\, (W^\top)_{kd}
# && W_{dk} = (W^\top)_{kd}
# \end{aligned}
# $$
#
# $$
# \underset{(N, D)}{dx} = \underset{(N, H)}{dy}\;\underset{(H, D)}{W^\top}
# $$
#
# Forward, $W$ hands each input to all neurons. Backward, $W^\top$ adds up, for each input, the gradients of all neurons that
# used it.
#
# Next, the same sums are computed as loops, and compared with the matrix products and with the library:

# %%
layer = sae.Dense(D, H, rng=rng).to(dtype=np.float64)
layer.b[:] = rng.standard_normal(H)
x, dy = rng.standard_normal((N, D)), rng.standard_normal((N, H))
W = layer.W

dW, db, dx = np.zeros((D, H)), np.zeros(H), np.zeros((N, D))
for n in range(N):
    for h in range(H):
        db[h] += dy[n, h]
        for d in range(D):
            dW[d, h] += dy[n, h] * x[n, d]
            dx[n, d] += dy[n, h] * W[d, h]

layer.forward(x)
returned = layer.backward(dy)
products = {"dW": x.T @ dy, "db": dy.sum(axis=0), "dx": dy @ W.T}
library = {"dW": layer.dW, "db": layer.db, "dx": returned}
print("      shape    loops and products differ by")
for name, loops in (("dW", dW), ("db", db), ("dx", dx)):
    print(f"{name}    {loops.shape!s:<8} {np.abs(loops - products[name]).max():.0e}")
    assert np.allclose(loops, products[name], rtol=0, atol=1e-14)
    assert np.allclose(loops, library[name], rtol=0, atol=1e-14)

# %% [markdown]
# If you forget the formulas, the shapes bring them back: $dW$ must be $(D, H)$, and there is only one product of $x$
# $(N, D)$ and $dy$ $(N, H)$ that has this shape. But beware: if $D = H$, the transposed result has the right shape as well.
# Shapes are a help, and no proof.
#
# You may know another way to write this: with the *Jacobian*, the table of all $\partial y_{nk} / \partial W_{dh}$. This
# way is correct, but nobody computes the table. For the encoder of chapter 01 and a batch of 100 it would have
# $N H \cdot D H$ entries, nearly all of them 0. The derivation above never wrote this table down, because each of its lines
# kept only the terms that are not 0.

# %%
entries = 100 * 256 * 784 * 256
print(f"{entries:,} entries, {4 * entries / 1e9:.0f} GB in float32")
assert entries > 5e9

# %% [markdown]
# ## All together
#
# Now the whole autoencoder: five lines forward, and beside each the lines of the backward pass that belong to it. Read the
# left side down, and then the right side *up*: each line on the right uses what the line below it has found. ($da_{1,n}$ is
# row $n$ of $da_1$.)
#
# $$
# \begin{aligned}
# a_1 &= x W_1 + b_1 &\qquad dW_1 &= x^\top da_1 \quad db_1 = \textstyle\sum_n da_{1,n} \\
# z &= \sigma(a_1) & da_1 &= dz \odot z \odot (1 - z) \\
# a_2 &= z W_2 + b_2 & dW_2 &= z^\top da_2 \quad db_2 = \textstyle\sum_n da_{2,n} \quad dz = da_2\, W_2^\top \\
# \hat x &= \sigma(a_2) & da_2 &= d\hat x \odot \hat x \odot (1 - \hat x) \\
# L &= \tfrac1N \textstyle\sum (\hat x - x)^2 & d\hat x &= \tfrac{2}{N} (\hat x - x)
# \end{aligned}
# $$
#
# In code, this function is all that an autoencoder needs to learn. `scale` is the number that the summed error is divided
# by. This number is $N$ everywhere but in one experiment below.


# %%
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def step(x, W1, b1, W2, b2, scale=None):
    """The loss of a batch x (N, D), and its gradients by W1, b1, W2, b2."""
    scale = scale or len(x)
    a1 = x @ W1 + b1  # (N, H)
    z = sigmoid(a1)  # (N, H)
    a2 = z @ W2 + b2  # (N, D)
    x_hat = sigmoid(a2)  # (N, D)
    L = ((x_hat - x) ** 2).sum() / scale

    dx_hat = 2 / scale * (x_hat - x)  # (N, D)
    da2 = dx_hat * x_hat * (1 - x_hat)  # (N, D)
    dW2 = z.T @ da2  # (H, D)
    db2 = da2.sum(axis=0)  # (D,)
    dz = da2 @ W2.T  # (N, H)
    da1 = dz * z * (1 - z)  # (N, H)
    dW1 = x.T @ da1  # (D, H)
    db1 = da1.sum(axis=0)  # (H,)
    return L, (dW1, db1, dW2, db2)


# %% [markdown]
# Is it right? Measure all derivatives of a small autoencoder, as in chapter 00, and compare.

# %%
small = [rng.standard_normal(shape) for shape in ((D, H), H, (H, D), D)]
x = rng.random((N, D))
_, gradients = step(x, *small)
nudge, worst = 1e-5, 0.0
for parameter, gradient in zip(small, gradients, strict=True):
    for index in np.ndindex(*parameter.shape):
        value = parameter[index]
        parameter[index] = value + nudge
        up, _ = step(x, *small)
        parameter[index] = value - nudge
        down, _ = step(x, *small)
        parameter[index] = value
        worst = max(worst, abs((up - down) / (2 * nudge) - gradient[index]))
count = sum(parameter.size for parameter in small)
print(f"{count} derivatives, measured and derived: they differ by {worst:.0e} at most")
assert worst < 1e-9

# %% [markdown]
# ## Step through it
#
# Below is one training step of a tiny autoencoder, 3-2-3, with every number in it. Walk through it with the arrow keys,
# forward and back, and point at a number: the page shows the sum that it came from, and the measured derivative beside the
# derived one. The page numbers the layers: $a_1$ is what the first `Dense` puts out, and $y_1$ what the sigmoid makes of
# it. The code, our $z$, is $y_1$ here, and the reconstruction, our $\hat x$, is $y_2$.

# %%
tiny = sae.Autoencoder(
    sae.Sequential(sae.Dense(3, 2, rng=rng), sae.Sigmoid()),
    sae.Sequential(sae.Dense(2, 3, rng=rng), sae.Sigmoid()),
    loss=sae.MSE(),
)
trace = sae.trace(tiny, np.array([[0.1, 0.9, 0.5], [0.8, 0.2, 0.4]]))
study_page(trace, "tiny", "One training step of an autoencoder 3-2-3, with a batch of two.")
for line in trace:
    print(f"{line.phase:<9} {line.text}")
assert trace["a₁"].layer == "encoder.0"
assert trace["y₁"].note == "the code" and trace["y₂"].note == "the prediction"
assert trace.passed

# %% [markdown]
# ## The library's code
#
# The library's pieces are the same formulas. Above each line of a `backward` stands the line of the `forward` that it
# differentiates.

# %%
source(sae.Dense.forward, sae.Dense.backward, sae.Dense.backward_parameters)

# %% [markdown]
# Why two methods in `Dense`? The first layer of a model needs no $dx$, because nobody turns the pixels.
# `backward_parameters` leaves that product out. The library and the function above agree:

# %%
encoder = sae.Sequential(sae.Dense(784, 256, rng=rng), sae.Sigmoid())
decoder = sae.Sequential(sae.Dense(256, 784, rng=rng), sae.Sigmoid())
model = sae.Autoencoder(encoder, decoder, loss=sae.MSE())
dense1, dense2 = encoder.layers[0], decoder.layers[0]

data = dataset()
images = data.train_images[:6_000].reshape(-1, 784).astype(np.float32) / 255
batch = images[:100]
loss = model.training_step(batch)["loss"]
L, gradients = step(batch, dense1.W, dense1.b, dense2.W, dense2.b)
print(f"loss of the library {loss:.4f}, of the function above {L:.4f}")
for name, ours, theirs in zip(
    ("dW₁", "db₁", "dW₂", "db₂"),
    gradients,
    (dense1.dW, dense1.db, dense2.dW, dense2.db),
    strict=True,
):
    difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"{name} {theirs.shape!s:<11} relative difference {difference:.0e}")
    assert difference < 1e-4
assert np.isclose(loss, L, rtol=1e-5)

# %% [markdown]
# ## Any number of layers
#
# The same three derivations are enough for a network of any depth. Number its layers $l = 1, 2, \dots, M$, and let layer
# $l$ have $H_l$ outputs. With $y_0 = x$, layer $l$ computes
#
# $$
# \underset{(N, H_l)}{a_l} = \underset{(N, H_{l-1})}{y_{l-1}}\;\underset{(H_{l-1}, H_l)}{W_l} + \underset{(H_l)}{b_l},
# \qquad
# \underset{(N, H_l)}{y_l} = f_l(a_l),
# $$
#
# where $f_l$ is applied to each number by itself, with the slope $f_l'$. The loss is a function of the last output $y_M$,
# and gives $dy_M$. Then, for the last layer and for all others,
#
# $$
# \begin{aligned}
# da_M &= dy_M \odot f_M'(a_M) \\
# da_l &= \bigl(da_{l+1}\, W_{l+1}^\top\bigr) \odot f_l'(a_l), \qquad l = M-1, \dots, 1 \\
# dW_l &= y_{l-1}^\top\, da_l, \qquad db_l = \textstyle\sum_n da_{l,n}, \qquad l = M, \dots, 1
# \end{aligned}
# $$
#
# (Many books write $\delta_l$ for $da_l$.)
#
# **Proof,** by induction from the last layer to the first.
#
# - *Start.* A number $a_{M,nh}$ acts on the loss through one number only, $y_{M,nh}$, because $f_M$ takes each number by
#   itself. There is one path, so rule 2 has one term, and this is the first line of the formulas above.
# - *Step.* Suppose that the formula for $da_{l+1}$ is right. The output $y_l$ is used in one place,
#   $a_{l+1} = y_l W_{l+1} + b_{l+1}$. This is a `Dense` with input $y_l$ and output $a_{l+1}$, so the formula for its input
#   holds: $dy_l = da_{l+1} W_{l+1}^\top$. And $a_l$ acts through $y_l$ only, number by number, so
#   $da_l = dy_l \odot f_l'(a_l)$. Together this is the second line, so the formula for $da_l$ is right too.
# - $W_l$ and $b_l$ act through $a_l$ only, and $a_l$ is the output of a `Dense` with input $y_{l-1}$. So the formulas of
#   `Dense` for $dW$ and $db$ hold, and they are the third line. ∎
#
# **The product that chapter 05 is about.** Take one example, so that $da_l$ is a row. To multiply a row element by element
# with $f_l'$ is to multiply it with the diagonal matrix $F_l = \operatorname{diag} f_l'(a_l)$. So
# $da_l = da_{l+1}\, W_{l+1}^\top F_l$. Put $da_{M-1}$ into the formula for $da_{M-2}$, and so on down to $da_1$:
#
# $$
# \underset{(1, H_1)}{da_1} = \underset{(1, H_M)}{da_M}\;
# \underbrace{W_M^\top F_{M-1}}_{(H_M, H_{M-1})}\;
# \underbrace{W_{M-1}^\top F_{M-2}}_{(H_{M-1}, H_{M-2})} \cdots
# \underbrace{W_2^\top F_1}_{(H_2, H_1)}
# $$
#
# Between the loss and the first layer stands a *product of $M - 1$ matrices*, the
# [Jacobians](mathematics.md#gradient-jacobian-hessian) of the layers. If each of them makes the row half as long, ten of
# them make it a thousand times shorter, and with gradient descent the first layer learns a thousand times more slowly. If
# each makes it twice as long, it grows a thousandfold. That is all that [chapter 05](05_going_deep.py) is about.
#
# *Predict (★, 1 minute):* below is a network with four sigmoids. Suppose that the matrices $W_l$ alone left the length of a
# row as it is. By what factor, at least, would $da_1$ then be shorter than $da_4$?

# %%
sizes = [7, 6, 5, 4, 3]
layers = []
for inputs, outputs in itertools.pairwise(sizes):
    layers += [sae.Dense(inputs, outputs, rng=rng), sae.Sigmoid()]
net = sae.Sequential(*layers).to(dtype=np.float64)
x, dy = rng.standard_normal((1, 7)), rng.standard_normal((1, 3))
net.forward(x)
net.backward(dy)

W = [dense.W for dense in layers[::2]]  # W[0] is W₁ of the text
F = [np.diag((bend.y * (1 - bend.y))[0]) for bend in layers[1::2]]
da = dy @ F[3]
length = {4: np.linalg.norm(da)}
for i in (2, 1, 0):
    da = da @ (W[i + 1].T @ F[i])  # one more factor of the product
    length[i + 1] = np.linalg.norm(da)
print("\n".join(f"‖da{'₁₂₃₄'[i - 1]}‖ = {size:.6f}" for i, size in length.items()))
print(f"dW₁ by the product and by the library: {np.abs(x.T @ da - layers[0].dW).max():.0e}")
assert np.allclose(x.T @ da, layers[0].dW, rtol=0, atol=1e-12)
assert length[1] < length[4] / 8

# %% [markdown]
# Each of the three factors holds the slopes of a sigmoid, which are at most ¼. So with matrices that keep the length, $da_1$
# would be at least $4^3 = 64$ times shorter. Here the matrices change the length too, but they do not make up for the
# slopes.
#
# The library's `Sequential` is this recursion. Each layer's `backward` turns $dy$ into its own $dx$, which is the next
# layer's $dy$: `dy = layer.backward(dy)`, in reverse order.

# %%
source(sae.Sequential.forward, sae.Sequential.backward, sae.Sequential.backward_down_to)

# %% [markdown]
# ## Forks and joins: the rule for every graph
#
# So far each layer's output was used in one place, so the layers stood in a row. In many networks they do not. Draw any
# computation as a graph: a box computes something, and an arrow carries an array from the box that made it to a box that
# uses it. Where two or more arrows leave one array, there is a *fork*. Where two arrays are added, there is a *join*.
#
# **At a fork: where a value is used twice, its gradients are added.** Why? Let $y$ be used in two boxes. Pretend that each
# got a copy of its own, $y' = y$ and $y'' = y$. Each box gives the gradient of its copy, $dy'$ and $dy''$. A number of $y$
# acts on the loss through the same number of each copy, with slope 1. So there are two paths, and by rule 2
#
# $$
# dy = dy' \cdot 1 + dy'' \cdot 1 = dy' + dy'' .
# $$
#
# If it is used $m$ times, there are $m$ copies, and $m$ gradients are added.
#
# **At a join, each array that is added gets the whole gradient.** If $y = u + v$, then the slope of $y$ by $u$ is 1, and by
# $v$ it is 1. So $du = dy$ and $dv = dy$.
#
# A fork copies forward and adds backward; a join adds forward and copies backward. You have met the rule already: a weight
# is used by $N$ examples, so $dW$ is a sum over $n$, and an input is used by $H$ neurons, so $dx$ is a sum over $h$.
#
# **In which order?** A box can start its backward pass only when the gradients from *all* users of its output have come.
# Forward, every box runs before the users of its output. So in the reverse of that order, every box runs after the users of
# its output. This is backpropagation for every network whose arrows form no closed circle: run the boxes in reverse, and
# add at forks.
#
# **An example: a residual connection** ([Prince 2023](bibliography.md#prince-2023), chapter 11). A block adds what it
# computes to its input, $y = x + f(x)$. Here $x$ forks: one arrow goes into $f$, and the other goes past $f$. Then the two
# are joined. So
#
# $$
# dx = \underbrace{dy}_{\text{past } f} + \underbrace{dy\, J_f}_{\text{through } f},
# $$
#
# where $dy\, J_f$ is what the backward pass of $f$ returns. Here is the block as a layer, once right, and once with a
# mistake: the gradients are not added at the fork.


# %%
class Residual(sae.Layer):
    """y = x + f(x)."""

    def __init__(self, f):
        self.f = f

    def forward(self, x, rng=None):
        return x + self.f.forward(x, rng)

    def backward(self, dy):
        return dy + self.f.backward(dy)  # x is used twice: the gradients add


class OnePathOnly(Residual):
    def backward(self, dy):
        return self.f.backward(dy)  # wrong: the path past f is missing


for kind in (Residual, OnePathOnly):
    block = kind(sae.Sequential(sae.Dense(4, 4, rng=rng), sae.Sigmoid()))
    report = sae.check_gradients(block, rng.standard_normal((5, 4)))
    wrong = ", ".join(f"∂L/∂{check.name}" for check in report.checks if not check.passed)
    print(f"{kind.__name__:<12} {'right' if report.passed else f'wrong in {wrong}'}")
    assert report.passed == (kind is Residual)

# %% [markdown]
# *Predict (★, 1 minute):* take twenty such blocks in a row, and then twenty without the path past them. A gradient of
# length 1 comes in from the right. How long is it, in each case, when it arrives on the left?

# %%
arrived = {}
for name in ("in a row", "with paths past them"):
    blocks = [sae.Sequential(sae.Dense(16, 16, rng=rng), sae.Sigmoid()) for _ in range(20)]
    if name != "in a row":
        blocks = [Residual(block) for block in blocks]
    chain = sae.Sequential(*blocks).to(dtype=np.float64)
    y = chain.forward(rng.standard_normal((1, 16)))
    dx = chain.backward(np.full_like(y, 0.25))  # 16 numbers of ¼: length 1
    arrived[name] = np.linalg.norm(dx)
    print(f"twenty layers {name:<21} ‖dx‖ = {arrived[name]:.1e}")
assert arrived["in a row"] < 1e-6 and 0.01 < arrived["with paths past them"] < 100

# %% [markdown]
# Without the paths, the gradient is multiplied by twenty matrices of small numbers. With the paths, each factor is the
# identity plus such a matrix, so the gradient that goes past all blocks arrives whole. That is one of the cures for what
# [chapter 05](05_going_deep.py) shows.
#
# In the library's autoencoder there are two forks. The code $z$ goes into the decoder, and also into a penalty if there is one
# ([chapter 10](10_sparse_contractive.py)). A matrix that encoder and decoder share is used twice. Both sums stand in `backward`:

# %%
source(sae.Autoencoder.backward)

# %% [markdown]
# ## What it costs
#
# Count multiplications. Those of the matrix products outnumber all others. Forward, a `Dense` needs $N D H$ of them.
# Backward, $dW$ needs $D N H$ and $dx$ needs $N H D$, together twice as many. So a whole step costs as much as three forward
# passes at most, whatever the number of parameters.

# %%
forward_cost = 100 * 784 * 256 + 100 * 256 * 784
backward_cost = 784 * 100 * 256 + 256 * 100 * 784 + 100 * 784 * 256  # dW₁, dW₂, dz; no dx
print(f"forward  {forward_cost:>13,} multiplications for a batch of 100")
print(f"backward {backward_cost:>13,}, {backward_cost / forward_cost:.1f} times as many")
measuring = 2 * P * forward_cost
print(
    f"measuring every derivative instead: {measuring / (forward_cost + backward_cost):,.0f} times as much"
)
assert backward_cost == 1.5 * forward_cost


def seconds(compute, repeats=10):
    """The shortest time of several tries."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return min(times)


took = seconds(lambda: model.training_step(batch))
print(f"a training step takes {took * 1e3:.1f} ms here")

# %% [markdown]
# ## The right order
#
# Why do we start at the loss, and not at the input? For one image, the derivative of the loss by $x$ is a product of
# Jacobians, one for each piece of the chain. Leave out the two sigmoids, whose Jacobians are diagonal and cost little. Three
# factors are left:
#
# $$
# \underset{(1, 784)}{dx}
# = \underset{(1, 784)}{d\hat x}\; \underset{(784, 256)}{W_2^\top}\; \underset{(256, 784)}{W_1^\top} .
# $$
#
# A product of matrices may be multiplied in any order, and the result is the same. The price is not.
#
# - **From the loss on** (backpropagation, also called *reverse mode*), each product is a row times a matrix. A matrix
#   $(H_l, H_{l-1})$ costs $H_l H_{l-1}$ multiplications, and the layers together cost $\sum_l H_l H_{l-1}$, as much as a
#   forward pass.
# - **From the input on** (*forward mode*), each product is a matrix times a matrix: what has been multiplied so far is a
#   table with a column for each of the $H_0$ inputs. So each layer costs $H_0$ times as much, here 784 times, but for the
#   first layer: its matrix is the table to begin with, and costs nothing.
#
# *Predict (★, 1 minute):* the counts differ by a factor of 394. Do the times on your machine differ by as much?

# %%
dx_hat = rng.standard_normal((1, 784)).astype(np.float32)
later, earlier = dense2.W.T.copy(), dense1.W.T.copy()  # (784, 256), (256, 784)
counts = {
    "from the loss on": 784 * 256 + 256 * 784,
    "from the input on": 784 * 256 * 784 + 784 * 784,
}
orders = {
    "from the loss on": lambda: (dx_hat @ later) @ earlier,
    "from the input on": lambda: dx_hat @ (later @ earlier),
}
times = {name: seconds(order) for name, order in orders.items()}
for name, count in counts.items():
    print(f"{name:<18} {count:>12,} multiplications, {times[name] * 1e3:8.3f} ms")
loss_on, input_on = (order() for order in orders.values())
assert np.allclose(loss_on, input_on, atol=1e-3 * np.abs(loss_on).max())
assert round(counts["from the input on"] / counts["from the loss on"]) == 394
assert times["from the input on"] > 3 * times["from the loss on"]

# %% [markdown]
# The times differ by less than the counts, because a processor multiplies two matrices more efficiently than a row and a
# matrix ([chapter 13](13_cpu_gpu.py) says why). The right order is still much faster.
#
# The rule: *begin at the narrow end.* A network that learns has one number at its end, the loss, and hundreds of thousands
# of parameters act on it, so we begin at the loss. Where one number acts on many outputs, the other order wins. One knob
# $c$ that makes an image $x$ brighter, $c\,x$, acts on all 784 pixels of the output. There the row is on the input's side:
# $\partial \hat x / \partial c = x\, W_1 W_2$, again without the sigmoids.

# %%
knob = {
    "from the input on": lambda: (chosen_row @ dense1.W) @ dense2.W,
    "from the output on": lambda: chosen_row @ (dense1.W @ dense2.W),
}
chosen_row = batch[:1]
times = {name: seconds(order) for name, order in knob.items()}
for name, took in times.items():
    print(f"one knob, all pixels, {name:<18} {took * 1e3:8.3f} ms")
assert times["from the output on"] > 3 * times["from the input on"]

# %% [markdown]
# ## Watching a gradient flow
#
# You can look at all of these arrays. Train the model a little, so that there is something to see. Then take one
# image, and follow its gradient back. The *root mean square* of an array is the typical size of its numbers.

# %%
sae.fit(model, images, epochs=1, batch_size=100, optimizer=sae.Adam(0.01), progress=False)
chosen = images[[int(np.flatnonzero(data.train_labels[:6_000] == 3)[0])]]
z = encoder.forward(chosen)
x_hat = decoder.forward(z)
_, dx_hat = sae.MSE()(x_hat, chosen)
da2 = decoder.layers[1].backward(dx_hat)
dz = decoder.layers[0].backward(da2)
da1 = encoder.layers[1].backward(dz)
encoder.layers[0].backward(da1)
unit = int(np.abs(da1[0]).argmax())
for name, values in (
    ("dx̂", dx_hat),
    ("da₂", da2),
    ("dz", dz),
    ("da₁", da1),
    ("dW₁", dense1.dW),
):
    print(
        f"{name:<4} {values.shape!s:<11} root mean square {np.sqrt((values**2).mean()):.1e}"
    )

# %% tags=["hide-input"]
drawn, axes = figure(7, 2.1, columns=5)
cells = [
    ("x", chosen, "gray_r"),
    ("x̂", x_hat, "gray_r"),
    ("dx̂", dx_hat, plots.signed()),
    ("da₂", da2, plots.signed()),
    (f"dW₁, unit {unit}", dense1.dW[:, unit], plots.signed()),
]
for place, (name, values, colours) in zip(axes, cells, strict=True):
    limit = float(np.abs(values).max())
    low = 0 if colours == "gray_r" else -limit
    place.imshow(values.reshape(28, 28), cmap=colours, vmin=low, vmax=limit)
    place.set(xticks=[], yticks=[], title=name, xlabel=f"{low:.2g} … {limit:.2g}")
    place.grid(visible=False)
    place.spines[:].set_visible(True)
show(
    drawn,
    "flow",
    "Five small images: a three, its soft reconstruction, the gradient by the "
    "reconstruction, which is strong along the edges of the "
    "stroke, the same after the sigmoid, weaker where the output is nearly black or "
    "white, and the gradient of one unit's weights, "
    "which is the three itself.",
    "One image on its way back. Dark red is positive, pale blue is negative, and grey is 0; the range is written "
    "below. Look at where an error in the third picture is grey in the fourth.",
)

# %% [markdown]
# Read it from left to right. $d\hat x$ is twice the error: it is positive where the reconstruction has too much ink, and
# negative where it has too little. $da_2$ is the same times the sigmoid's slope. Where $\hat x$ is nearly 0 or 1, the slope
# is nearly 0, so an error there hardly changes the weights. Look for the pixel with the largest error of all: the network
# was so sure of its wrong answer there that $da_2$ is grey. The last image is one column of $dW_1 = x^\top da_1$, that of
# the unit (the neuron) with the largest gradient. For a single example this column is one number, the unit's $da_1$, times
# the image itself: **a weight's gradient is what came in, times the gradient of what went out**. A pixel without ink does
# not change its weight.

# %%
assert np.allclose(dense1.dW[:, unit], chosen[0] * da1[0, unit], atol=1e-6)
assert np.abs(da2).max() <= 0.25 * np.abs(dx_hat).max() * 1.0001
pixel = int(np.abs(dx_hat).argmax())
answer, slope = float(x_hat[0, pixel]), float(x_hat[0, pixel] * (1 - x_hat[0, pixel]))
print(
    f"largest error: x = {chosen[0, pixel]:.2f}, x̂ = {answer:.3f}, slope there {slope:.3f} of 0.25"
)
if data_name() == "strokes":
    assert slope < 0.1

# %% [markdown]
# ## An experiment: train with the function above
#
# The whole training is `step` and an update, $\theta \leftarrow \theta - \eta\, g$ for each of the four arrays,
# with the learning rate $\eta$. We use it for a question that confuses many: is the loss a *sum or a mean* over the pixels?
#
# This book sums the squared error over the $D$ pixels and averages over the $N$ images. Many programs average over
# pixels as well: they divide by $N D$. Value and gradient are then 784 times smaller. The minimum is at the same place. But
# a step of gradient descent with the same learning rate is 784 times shorter, and people say that the network does not learn.
#
# *Predict (★, 1 minute):* three runs are compared below. Which two of them give the same curve?


# %%
def train(lr, scale):
    """The loss after each epoch, always per image: summed over pixels."""
    start = np.random.default_rng(0)
    shapes = ((784, 256), 256, (256, 784), 784)
    theta = [np.zeros(shape, np.float32) for shape in shapes]
    for W in theta[::2]:
        W[:] = np.sqrt(2 / (784 + 256)) * start.standard_normal(W.shape)
    losses = []
    for _ in range(quick(5, 2)):
        total = 0.0
        order = start.permutation(len(images))
        for first in range(0, len(images), 100):
            x = images[order[first : first + 100]]
            L, gradients = step(x, *theta, scale=scale)
            total += L * scale
            for parameter, gradient in zip(theta, gradients, strict=True):
                parameter -= lr * gradient
        losses.append(total / len(images))
    return losses


N, D = 100, 784
runs = {
    "divide by N, η = 0.1": train(0.1, N),
    "divide by N·D, η = 0.1": train(0.1, N * D),
    "divide by N·D, η = 78.4": train(0.1 * D, N * D),
}
print(
    f"{'squared error per image':<25} "
    + " ".join(f"epoch {e + 1:>2}" for e in range(quick(5, 2)))
)
for name, losses in runs.items():
    print(f"{name:<25} " + " ".join(f"{value:>8.2f}" for value in losses))

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
for (name, losses), look in zip(runs.items(), ("o-", "s--", "x:"), strict=True):
    colour = {"o-": plots.BLUE, "s--": plots.RED, "x:": "black"}[look]
    size = 11 if look == "x:" else 5
    axes.plot(
        range(1, len(losses) + 1), losses, look, color=colour, markersize=size, label=name
    )
axes.set(xlabel="epoch", ylabel="squared error per image", ylim=(0, None))
axes.xaxis.get_major_locator().set_params(integer=True)
axes.legend()
show(
    drawn,
    "scale",
    "Two curves lie on each other and fall to a low error: the summed loss with a "
    "learning rate of 0.1, and the mean loss with 78.4. "
    "The third, the mean loss with a rate of 0.1, stays far above.",
    "The same network, the same data. Only the scale of the loss and the learning rate "
    "differ. Look at the crosses on the circles: two of the three curves are one.",
)

# %% [markdown]
# The first and the third run are the same, down to rounding, because a loss divided by 784 and a learning rate multiplied
# by 784 cancel. The second has the learning rate of the first, and learns very slowly. So a learning rate means nothing without
# the loss that it belongs to. When you copy a learning rate, copy the loss too, and whether it is summed or averaged.

# %%
first, second, third = (losses[-1] for losses in runs.values())
assert np.isclose(first, third, rtol=1e-2)
if data_name() == "strokes":
    assert first < quick(30, 60) and second > quick(4, 2) * first

# %% [markdown]
# Adam hides a wrong scale, because it divides by the size of the gradient, so that a constant factor cancels ([chapter
# 04](04_optimizers.py)). But a wrong scale shows when the loss has a second term, because the first term is then 784 times
# too small beside it: [chapter 11](11_variational.py).
#
# ### Four mistakes, and how they show
#
# - *Value and gradient are reduced differently*: the loss is a mean over $N D$, and its gradient divides by $N$ only. The
#   network trains, but its gradient is 784 times larger than the gradient of the printed loss. A gradient check finds this
#   mistake, because it compares the gradient with the value: [chapter 03](03_gradient_check.py#breaking-it) breaks a loss
#   by a factor of 2, as `LostFactor`.
# - *Divided by $N$ twice*: once in the loss, and once more in $dW$, as `x.T @ dy / len(x)`. With batches of 100 the gradient is
#   100 times too small. Chapter 03 plants this one as `AveragedTwice`.
# - *The sum over the batch is missing* in $db$: the bias learns from one example only. Chapter 03 plants it as
#   `FirstExampleOnly`.
# - *Gradients of the last step are left in the array*, and the new ones are added to them. In this library
#   `backward` *sets* gradients, so there is nothing to clear. Exercise `03_bug_dense` has this mistake.
#
# ## What to change for MNIST
#
# `scratchae tutorial 2 --data mnist` does all of this with handwritten digits, in about the same time, because 6,000 images
# of either data set are used.
#
# ## Exercises
#
# ### From memory
#
# Write each of the three pieces from memory. Look at its derivation afterwards.
#
# 1. The squared error. After *MSE: where the chain begins*. ★, 5 minutes.

# %%
exercise("02_mse")

# %% [markdown]
# 2. The sigmoid. After *Sigmoid: each number by itself*. ★, 5 minutes.

# %%
exercise("02_sigmoid")

# %% [markdown]
# 3. The dense layer. After *Dense: three gradients*. ★, 10 minutes.

# %%
exercise("02_dense")

# %% [markdown]
# ### Derive
#
# Derive the gradients on paper, and then write the backward pass.
#
# 4. A number that opens its own gate, $y = a\,\sigma(a)$. After *Sigmoid: each number by itself*. ★, 10 minutes.

# %%
exercise("02_gate")

# %% [markdown]
# 5. Squared error with a weight for each pixel, and the gradient of these weights. After *MSE: where the chain begins*. ★,
#    10 minutes.

# %%
exercise("02_weighted_mse")

# %% [markdown]
# 6. A dense layer, some of whose connections are cut. After *Dense: three gradients*. ★★, 15 minutes.

# %%
exercise("02_masked")

# %% [markdown]
# 7. All gradients of two layers, as one function without the library. After *All together*. ★★, 25 minutes.

# %%
exercise("02_two_layers")

# %% [markdown]
# 8. The same for any number of layers. After *Any number of layers*. ★★★, 40 minutes.

# %%
exercise("02_L_layers")

# %% [markdown]
# 9. A residual connection, whose output is used by two layers (two *heads*). After *Forks and joins*. ★★, 20 minutes.

# %%
exercise("02_fork")

# %% [markdown]
# On paper:
#
# 10. ★ A layer multiplies all its inputs by one number: $y = c\,x$, where $x$ and $y$ have the shape $(N, D)$. What are
#     $dx$ and $dc$? After *Dense*. 5 minutes.
# 11. ★ The activation is $y = \tanh(a) = (e^a - e^{-a}) / (e^a + e^{-a})$. Show that its slope is $1 - y^2$. What is $da$?
#     How large is the slope at most? After *Sigmoid*. 10 minutes.
# 12. ★ You leave out the sigmoid of the decoder: $\hat x = a_2$. Which lines of `step` change? After *All together*. 3 minutes.
# 13. ★★ Two layers share the matrix $W$: $y = (x W) W^\top$. Through which two arrays does $W_{dh}$ act on the loss, and
#     what is $dW$? After *Forks and joins*. 15 minutes.
# 14. ★★★ In an autoencoder $x$ is used twice, as input and as target. What is $\partial L / \partial x$, all of it? After
#     *Forks and joins*. 10 minutes.
#
# ### Explore
#
# 15. ★★ Set the batch of *What it costs* to 1, 10, 100 and 1000 images, and divide the time of a training step by the number of
#     images. When does a larger batch stop being cheaper per image? 15 minutes.
# 16. ★★★ In *Any number of layers*, put `sae.Tanh()` in place of the sigmoid, and draw the lengths of $da_l$ for twenty
#     layers of 50 neurons. Multiply all weights by one number. For which number do the lengths neither shrink nor grow?
#     (Chapter 05 computes it.) 30 minutes.

# %% tags=["hide-cell"]
N, D = 4, 5
x, dy, c = rng.standard_normal((N, D)), rng.standard_normal((N, D)), 0.7
dc = (dy * x).sum()
measured = ((((c + nudge) * x) * dy).sum() - (((c - nudge) * x) * dy).sum()) / (2 * nudge)
print(f"10. dx = c·dy; dc = Σ dy·x = {dc:.6f}, measured {measured:.6f}")
assert np.isclose(dc, measured)

report = sae.check_gradients(sae.Tanh(), x)
print(
    f"11. da = dy·(1 - y²), slope at most 1; the library's Tanh: largest error {report.worst:.0e}"
)
assert report.passed and (1 - np.tanh(x) ** 2).max() <= 1

W = rng.standard_normal((D, 3))
down, up = x.T @ (dy @ W), (x @ W).T @ dy  # through the first W, and through the second
dW = down + up.T


def shared(W):
    return (((x @ W) @ W.T) * dy).sum()


bump = np.zeros_like(W)
bump[1, 2] = nudge
measured = (shared(W + bump) - shared(W - bump)) / (2 * nudge)
print(f"13. dW[1, 2] = {dW[1, 2]:.6f}, measured {measured:.6f}")
assert np.isclose(dW[1, 2], measured)


def whole(x):
    return step(x, *small)[0]


W1, b1, W2, b2 = small
z = sigmoid(x @ W1 + b1)
x_hat = sigmoid(z @ W2 + b2)
dx_hat = 2 / N * (x_hat - x)
da1 = ((dx_hat * x_hat * (1 - x_hat)) @ W2.T) * z * (1 - z)
dx = da1 @ W1.T - dx_hat  # as input, and as target
bump = np.zeros_like(x)
bump[2, 3] = nudge
measured = (whole(x + bump) - whole(x - bump)) / (2 * nudge)
print(f"14. ∂L/∂x[2, 3] = {dx[2, 3]:.6f}, measured {measured:.6f}")
assert np.isclose(dx[2, 3], measured)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 10\. $dx = c\,dy$, and $dc = \sum_{nd} dy_{nd}\, x_{nd}$: the number $c$ is used $N D$ times, so $N D$ gradients are added.
#
# 11\. Let $u$ and $v$ be the numerator and the denominator. Then $u' = v$ and $v' = u$, so by the quotient rule
# $y' = (u'v - uv') / v^2 = (v^2 - u^2) / v^2 = 1 - y^2$. So $da = dy \odot (1 - y^2)$, and the slope is at most 1, at $a = 0$.
#
# 12\. `x_hat = a2` and `da2 = dx_hat`; no other line. Each piece knows only its own line.
#
# 13\. Through $u = xW$ and through $y = uW^\top$. Each use gives its own gradient as if the other were a constant, and the
# two are added: $dW = x^\top (dy\, W) + dy^\top (x W)$. Autoencoders with [tied weights](glossary.md#tied-weights) do this.
#
# 14\. As input, $da_1 W_1^\top$. As target, $-d\hat x$, because $x$ stands in $(\hat x - x)^2$ with a minus. The sum of both
# is the derivative. Nobody needs it, because the image is given.
#
# 15\. It depends on your machine. For small batches the time per image falls, because the weights are read from memory once
# for all images of a batch. When the arithmetic takes longer than the reading, a larger batch is no cheaper any more.
#
# 16\. In a long product each factor must keep the length on average. $W_l^\top$ multiplies the mean square by
# $50 \operatorname{Var} W$ (50 times the variance of a weight), which is 1 for the library's weights, and $F_{l-1}$ by the
# mean of $f'^2$, which is below 1, because the slope of tanh is at most 1. So the number is
# $1 / \sqrt{\text{mean of } f'^2}$, which is above 1.
#
# </details>
#
# ## Further reading
#
# - [Rumelhart, Hinton and Williams 1986](bibliography.md#rumelhart-1986): the paper that made it known, four pages.
# - [Nielsen 2015](bibliography.md#nielsen-2015), chapter 2: the same derivation with other letters.
# - [Griewank and Walther 2008](bibliography.md#griewank-2008): derivatives of programs, forward, backward and in between.
#
# ## What to read in the source next
#
# - `scratchae/layers/dense.py`, `scratchae/layers/activations.py`, `scratchae/losses.py`: the three pieces, and
#   their relatives.
# - `scratchae/layers/layer.py`: `Sequential`, the chain rule in three lines.
# - `tests/layers/test_dense.py`: what is tested beside the gradient.
