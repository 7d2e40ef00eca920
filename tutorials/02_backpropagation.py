# %% [markdown]
# # 02 · Backpropagation, term by term
#
# *Where do 402,448 derivatives come from? From three small derivations, and from multiplying in the right order.*
#
# **Time** 45 minutes to read, 8 s to run on two cores.

# %% [markdown]
# ## The question
#
# The autoencoder of [chapter 01](01_autoencoder.py) has 402,448 knobs. To turn them the right way, you need the
# derivative of the loss by each. [Chapter 00](00_one_neuron.py) measured derivatives: turn one knob a little up and
# a little down, and see what the loss does. That takes two forward passes for every knob, 804,896 of them, for a
# single step of training.
#
# **How do you get all derivatives at once, for the price of about three forward passes?**
#
# By [backpropagation](glossary.md#backpropagation). The network is a chain of simple pieces. There are three kinds
# of them here: `Dense`, `Sigmoid`, and the loss `MSE`. This chapter derives the backward pass of each, one element
# at a time, with no step left out, and then puts them together. You need matrix products and the chain rule.

# %%
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
# The pieces in the order they run. Above each arrow stands what flows forward, with its shape; below, what flows
# backward. $N$ images in a batch, $D = 784$ pixels, $H = 256$ numbers in the code.

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
# and the same for $dx$, $dz$, $db$: an array of the same shape, with a number in each place that says how fast the
# loss grows when the number in that place grows. The loss is one number, so this always works.
#
# **Rule 2: add up over all paths.** Let a number $u$ act on the loss through several numbers
# $v_1, v_2, \dots, v_m$. Move $u$ by a tiny $\delta$. Then each $v_k$ moves by
# $\frac{\partial v_k}{\partial u}\delta$, and each of these moves the loss by
# $\frac{\partial L}{\partial v_k}\frac{\partial v_k}{\partial u}\delta$. For a small $\delta$ these effects
# [add up](mathematics.md#first-order-change): what is left out are products of two small changes, of order $\delta^2$, and
# they vanish when we divide by $\delta$ and let $\delta$ go to 0:
#
# $$
# \frac{\partial L}{\partial u} = \sum_{k=1}^{m} \frac{\partial L}{\partial v_k}\,\frac{\partial v_k}{\partial u}
# $$
#
# This is the chain rule for several paths. An example that you can check without it: $v_1 = 3u$, $v_2 = u^2$ and
# $L = v_1 v_2^2$. Put together, $L = 3u \cdot u^4 = 3u^5$, so $\partial L / \partial u = 15u^4$. By paths:

# %%
u = 2.0
v1, v2 = 3 * u, u**2
dv1, dv2 = v2**2, 2 * v1 * v2  # ∂L/∂v₁, ∂L/∂v₂
du = dv1 * 3 + dv2 * 2 * u  # one term for each path
print(f"by paths {dv1:g}·3 + {dv2:g}·{2 * u:g} = {du:g}; directly 15 u⁴ = {15 * u**4:g}")
assert du == 15 * u**4

# %% [markdown]
# Each piece below plays the same game. It is handed $dy$, the [gradient coming in](glossary.md#upstream-gradient)
# from the right: how fast the loss grows with each number of its output $y$. It has to return $dx$, the same for
# its input, and keep the gradients of its parameters. It need not know what lies to its right. All of that is in
# $dy$.
#
# We check each result on small random arrays, with sizes that all differ, so that a product in the wrong order
# would not even run.

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
# other terms do not move:
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
# The factor $1/N$ enters *here*, once, and nowhere else. No layer below divides by $N$ again.

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
# ## Sigmoid: each number by itself
#
# Forward, for each element:
#
# $$
# y_{nh} = \sigma(a_{nh}) = \frac{1}{1 + e^{-a_{nh}}}
# $$
#
# The number $a_{nh}$ acts on one output, $y_{nh}$, and on no other. One path, so rule 2 has one term:
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
# How large can the slope be? $y(1 - y) = \tfrac14 - (y - \tfrac12)^2$, so at most $\tfrac14$, where $y = \tfrac12$.
# Every sigmoid on the way back makes the gradient at least four times smaller, and far more where its output is
# close to 0 or 1. With two of them that does no harm. With ten it does: [chapter 05](05_going_deep.py).

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
# Three things went in, so three gradients come out. For each one: find the outputs that it acts on, and add up the
# paths.
#
# **The weights.** Where does $W_{dh}$ stand? Only in column $h$ of $y$; but there in *every* row, since all examples
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
# The last line is row $d$ of $x^\top$ times column $h$ of $dy$, which is what a matrix product is:
#
# $$
# \underset{(D, H)}{dW} = \underset{(D, N)}{x^\top}\;\underset{(N, H)}{dy}
# $$
#
# The sum over the batch is inside the product: it is the index $n$ that vanishes.
#
# **The bias.** $b_h$ is added to column $h$ of every row, times 1. Again $N$ paths:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial b_h}
# &= \sum_{n=1}^{N} \sum_{k=1}^{H} \frac{\partial L}{\partial y_{nk}}\,\frac{\partial y_{nk}}{\partial b_h} \\
# &= \sum_{n=1}^{N} dy_{nh} \cdot 1
# \end{aligned}
# $$
#
# $$
# \underset{(H)}{db} = \sum_{n=1}^{N} \underset{(H)}{dy_n}
# $$
#
# where $dy_n$ is row $n$. Here the sum has to be written by hand, since there is no product that does it. It is the
# one that people forget.
#
# **The input.** $x_{nd}$ stands in row $n$ only, since examples do not mix; but there in *every* column, as each of
# the $H$ neurons looks at it. In $y_{nk}$ it is multiplied by $W_{dk}$. So there are $H$ paths:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial x_{nd}}
# &= \sum_{k=1}^{H} \frac{\partial L}{\partial y_{nk}}\,\frac{\partial y_{nk}}{\partial x_{nd}}
# && \text{rule 2, over row } n \\
# &= \sum_{k=1}^{H} dy_{nk}\, W_{dk}
# && \\
# &= \sum_{k=1}^{H} dy_{nk}\, (W^\top)_{kd}
# && W_{dk} = (W^\top)_{kd}
# \end{aligned}
# $$
#
# $$
# \underset{(N, D)}{dx} = \underset{(N, H)}{dy}\;\underset{(H, D)}{W^\top}
# $$
#
# Forward, $W$ spreads an input over the neurons. Backward, $W^\top$ collects from the neurons what each asks of
# that input.
#
# The sums as loops, beside the products, beside the library:

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
# If you forget the formulas, the shapes bring them back: $dW$ must be $(D, H)$, and from $x$ $(N, D)$ and $dy$
# $(N, H)$ there is one way to make that. But beware: with $D = H$ the wrong way fits as well. Shapes are a help,
# and no proof.
#
# You may know another way to write this: with the *Jacobian*, the table of all $\partial y_{nk} / \partial W_{dh}$.
# It is correct, and nobody computes it. For the encoder of chapter 01 and a batch of 100 it would have
# $N H \cdot D H$ entries, nearly all of them 0. The derivation above went around it: each line used only what is
# not 0.

# %%
entries = 100 * 256 * 784 * 256
print(f"{entries:,} entries, {4 * entries / 1e9:.0f} GB in float32")
assert entries > 5e9

# %% [markdown]
# ## All together
#
# Now the whole autoencoder: five lines forward, and beside each the line or lines of the backward pass that belong
# to it. Read the left side down, and then the right side *up*: each line on the right uses what the line below it
# has found.
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
# In code, everything that an autoencoder needs to learn is this function. `scale` is the number that the summed
# error is divided by; it is $N$ throughout, but for one experiment below.


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
# Is it right? Measure some derivatives of a small one, as in chapter 00, and compare.

# %%
small = [rng.standard_normal(shape) for shape in ((D, H), H, (H, D), D)]
x = rng.random((N, D))
_, gradients = step(x, *small)
h, worst = 1e-5, 0.0
for parameter, gradient in zip(small, gradients, strict=True):
    for index in np.ndindex(*parameter.shape):
        value = parameter[index]
        parameter[index] = value + h
        up, _ = step(x, *small)
        parameter[index] = value - h
        down, _ = step(x, *small)
        parameter[index] = value
        worst = max(worst, abs((up - down) / (2 * h) - gradient[index]))
count = sum(parameter.size for parameter in small)
print(f"{count} derivatives, measured and derived: they differ by {worst:.0e} at most")
assert worst < 1e-9

# %% [markdown]
# ## Step through it
#
# Below is one training step of a tiny autoencoder, 3-2-3, with every number in it. Walk through it with the arrow
# keys, forward and back, and point at a number: the page shows the sum that it came from, and the measured
# derivative beside the derived one. It numbers the layers: $a_1$ is what the first `Dense` puts out, and $y_1$ what
# the sigmoid makes of it. The code, our $z$, is $y_1$ here, and the reconstruction, our $\hat x$, is $y_2$.

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
# differentiates. A `Sequential` runs its layers in order, and backward in reverse: that is the chain rule.

# %%
source(sae.Dense.forward, sae.Dense.backward, sae.Dense.backward_parameters)
source(sae.Sequential.forward, sae.Sequential.backward)
source(sae.Autoencoder.backward)

# %% [markdown]
# Why two methods in `Dense`? The first layer of a model needs no $dx$: nobody turns the pixels.
# `backward_parameters` leaves that product out. For the rest, the two programs agree:

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
# ## What it costs
#
# Count multiplications; those of the matrix products outnumber all others. Forward, a `Dense` needs $N D H$.
# Backward, $dW$ needs $D N H$ and $dx$ needs $N H D$: twice as much. So a whole step costs three forward passes at
# most, whatever the number of parameters.
#
# **The right order.** Why start at the loss? For one image the derivative of the loss by $x$ is a product of
# [Jacobians](mathematics.md#gradient-jacobian-hessian), one for each piece of the chain. Leave out the two sigmoids,
# whose Jacobians are diagonal, and three factors are left:
#
# $$
# \underset{(1, 784)}{\frac{\partial L}{\partial x}}
# = \underset{(1, 784)}{d\hat x}\; \underset{(784, 256)}{W_2^\top}\; \underset{(256, 784)}{W_1^\top} .
# $$
#
# A product of matrices may be multiplied in any order, and the result is the same. From the loss on, each product is a
# row times a matrix. From the input on, the first product is a matrix times a matrix:

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

dx_hat = rng.standard_normal((1, 784))
second, first = rng.standard_normal((784, 256)), rng.standard_normal((256, 784))
from_the_loss, from_the_input = (dx_hat @ second) @ first, dx_hat @ (second @ first)
assert np.allclose(from_the_loss, from_the_input)
row_cost, matrix_cost = 784 * 256 + 256 * 784, 784 * 256 * 784 + 784 * 784
print(f"from the loss on {row_cost:,} multiplications, from the input on {matrix_cost:,}")
assert matrix_cost > 390 * row_cost

start = time.perf_counter()
for _ in range(10):
    model.training_step(batch)
print(f"a training step takes {(time.perf_counter() - start) / 10 * 1e3:.1f} ms here")

# %% [markdown]
# ## Watching a gradient flow
#
# All of these arrays can be looked at. Train the model a little, so that there is something to see; then take one
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
    "One image on its way back. Dark red is positive, pale blue negative, grey 0; the"
    " range stands below.",
)

# %% [markdown]
# Read it from left to right. $d\hat x$ is twice the error: positive where the reconstruction has too much ink,
# negative where it has too little. $da_2$ is the same, times the sigmoid's slope: where $\hat x$ is nearly 0 or 1,
# the slope is nearly 0, and an error hardly gets through. Look for the pixel with the largest error of all: the
# network was so sure of its answer there that $da_2$ is grey, nearly 0. The last image is one column of $dW_1 = x^\top da_1$,
# that of the unit with the largest gradient. For a single example it is a number, this unit's $da_1$, times the
# image itself: **a weight's gradient is "what came in" times "what was asked for"**. A pixel without ink does not
# turn its weight.

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
# a step of gradient descent with the same learning rate is 784 times shorter, and "it does not learn".


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
    "differ.",
)

# %% [markdown]
# The first and the third run are the same, down to rounding: a loss divided by 784 and a learning rate multiplied
# by 784 cancel. The second has the learning rate of the first, and crawls. So a learning rate means nothing without
# the loss that it belongs to. When you copy one, copy both, and how the loss is reduced.

# %%
first, second, third = (losses[-1] for losses in runs.values())
assert np.isclose(first, third, rtol=1e-2)
if data_name() == "strokes":
    assert first < quick(30, 60) and second > quick(4, 2) * first

# %% [markdown]
# Adam hides this mistake: it divides by the size of the gradient, so that a constant factor cancels ([chapter
# 04](04_optimizers.py)). It is not hidden any more as soon as the loss has a second term, whose weight beside the
# first then changes by 784: [chapter 11](11_variational.py).
#
# ### Four mistakes, and how they show
#
# - *Value and gradient are reduced differently*: the loss is a mean over $N D$, its gradient divides by $N$ only.
#   The network trains, with a learning rate that is not what you think. A gradient check finds it.
# - *Divided by $N$ twice*: once in the loss, once more in $dW$, `x.T @ dy / len(x)`. The larger the batch, the
#   slower it learns.
# - *The sum over the batch is missing* in $db$: the bias listens to one example only.
# - *Gradients of the last step are left in the array*, and the new ones are added to them. In this library
#   `backward` *sets* gradients, so there is nothing to clear.
#
# [Chapter 03](03_gradient_check.py) plants such mistakes, and catches them.
#
# ## What to change for MNIST
#
# `scratchae tutorial 2 --data mnist` does all of this with handwritten digits, in about the same time, since 6,000
# images are used of either.
#
# ## Exercises
#
# **Write it yourself.** The backward pass of each of the three pieces.

# %%
exercise("02_mse")
exercise("02_sigmoid")
exercise("02_dense")

# %% [markdown]
# **Think, then compute.**
#
# 1. A layer multiplies all its inputs by one number: $y = c\,x$, with $x$ and $y$ $(N, D)$. What are $dx$ and $dc$?
# 2. One activation is $y = \tanh(a)$, with $\tanh' = 1 - \tanh^2$. What is $da$? How large is the slope at most?
# 3. You leave out the sigmoid of the decoder: $\hat x = a_2$. Which lines of `step` change?
# 4. Two layers share the matrix $W$: $y = (x W) W^\top$. How many paths lead from $W_{dh}$ to the loss, and what
#    does rule 2 say about $dW$?
#
# Answers, computed:

# %%
N, D = 4, 5
x, dy, c = rng.standard_normal((N, D)), rng.standard_normal((N, D)), 0.7
dc = (dy * x).sum()
measured = ((((c + h) * x) * dy).sum() - (((c - h) * x) * dy).sum()) / (2 * h)
print(f"1. dx = c·dy; dc = Σ dy·x = {dc:.6f}, measured {measured:.6f}")
assert np.isclose(dc, measured)

report = sae.check_gradients(sae.Tanh(), x)
print(
    f"2. da = dy·(1 - y²), slope at most 1; the library's Tanh: largest error {report.worst:.0e}"
)
assert report.passed and (1 - np.tanh(x) ** 2).max() <= 1

W = rng.standard_normal((D, 3))
down, up = x.T @ (dy @ W), (x @ W).T @ dy  # through the first W, and through the second
dW = down + up.T


def shared(W):
    return (((x @ W) @ W.T) * dy).sum()


bump = np.zeros_like(W)
bump[1, 2] = h
measured = (shared(W + bump) - shared(W - bump)) / (2 * h)
print(f"4. dW[1, 2] = {dW[1, 2]:.6f}, measured {measured:.6f}")
assert np.isclose(dW[1, 2], measured)

# %% [markdown]
# 3. `x_hat = a2` and `da2 = dx_hat`; nothing else. Each piece knows only its own line.
# 4. Two kinds of paths: through the first use and through the second. Each use gives its own gradient as if the
#    other were a constant, and they add up. Autoencoders with [tied weights](glossary.md#tied-weights) do this.
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
