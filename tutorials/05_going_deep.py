# %% [markdown]
# # 05 · Going deep
#
# *If two layers work, why did ten of them fail for twenty years, and what changed?*
#
# **Time** 55 minutes to read, 40 s to run on two cores.

# %% [markdown]
# ## The question
#
# A deep [autoencoder](glossary.md#autoencoder) is an obvious idea. Each layer describes what the layer before it found, in
# more abstract terms, until a few numbers at the narrow end describe the whole image. [Backpropagation](02_backpropagation.py)
# gives the gradient for any number of layers. So people tried, and it did not work: the deeper the network, the less it learned.
#
# Then three things changed: how weights are drawn at the start, which function bends between the layers, and how steps are
# taken ([chapter 04](04_optimizers.py)). This chapter shows the failure, finds its cause with a page of algebra, and derives the
# cures that the algebra suggests: the draw of the weights and the ReLU, which this library's presets use, and after them
# residual connections and batch normalisation, which very deep networks need.

# %%
import itertools
import math

import matplotlib.patches as drawing
import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.layers.activations import relu_backward
from scratchae.layers.initial import draw_weights
from scratchae.presets import PRESETS
from scratchae.presets.dense import deep, deep_linear_code, stack
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)
data = dataset()
x, test = (
    pixels(images).reshape(-1, 784) for images in (data.train_images, data.test_images)
)


def squared_error(model, x):
    """Summed over pixels, averaged over images."""
    return float(((model.reconstruct(x) - x) ** 2).sum(axis=1).mean(dtype=np.float64))


mean_image = x.mean(axis=0, dtype=np.float64).astype(np.float32)
without_learning = float(((mean_image - test) ** 2).sum(axis=1).mean(dtype=np.float64))
print(
    f"the mean image as the answer to everything: squared error {without_learning:.2f} per test image"
)

# %% [markdown]
# ## A picture of it
#
# Take one network, 784-128-128-128-128-32 and back. It has ten layers of weights, five in the encoder and five in the decoder.

# %%
sizes = [784, 128, 128, 128, 128, 32]

# %% tags=["hide-input"]
chain = sizes + sizes[-2::-1]
drawn, axes = figure(7, 2.5)
for i, size in enumerate(chain):
    half = math.sqrt(size / 784)
    if i + 1 < len(chain):
        after = math.sqrt(chain[i + 1] / 784)
        corners = [(i, -half), (i + 1, -after), (i + 1, after), (i, half)]
        axes.add_patch(drawing.Polygon(corners, facecolor="#DDDDDD", edgecolor="none"))
        axes.text(
            i + 0.5,
            0,
            f"$W_{{{i + 1}}}$",
            ha="center",
            va="center",
            fontsize=8,
            color="black",
        )
    face = plots.ORANGE if i == 5 else plots.BLUE
    axes.add_patch(drawing.Rectangle((i - 0.07, -half), 0.14, 2 * half, facecolor=face))
    axes.text(i, -half - 0.08, str(size), ha="center", va="top", fontsize=9)
for place, name in ((0, "image $x$"), (5, "code $z$"), (10, r"$\hat x$")):
    axes.text(
        place,
        math.sqrt(chain[place] / 784) + 0.08,
        name,
        ha="center",
        va="bottom",
        fontsize=9,
    )
for place, name in ((2.5, "encoder"), (7.5, "decoder")):
    axes.text(place, 0.75, name, ha="center", fontsize=10)
axes.set(xlim=(-0.6, 10.6), ylim=(-1.3, 1.25), xticks=[], yticks=[])
axes.spines[:].set_visible(False)
axes.grid(visible=False)
show(
    drawn,
    "architecture",
    "Eleven bars from left to right, one for each vector: 784 numbers, then four times 128, 32 in the middle, four times 128, "
    "784. Between two bars stands a grey trapezoid with the name of its weight matrix, W1 to W10.",
    "The network of this chapter. A bar is a vector, as high as the square root of its size; a grey area is a layer.",
)

# %% [markdown]
# Train it twice: with the [sigmoid](glossary.md#sigmoid) between the layers, and with the [ReLU](glossary.md#relu). The two runs differ
# only in this function, and in the draw of the weights, which suits the function.
#
# **Predict** before you run the cell: suppose that nothing of the image reached the output. Which answer would then have the
# smallest squared error, and what would the error be?

# %%


def network(activation):
    rng = np.random.default_rng(0)
    encoder = stack(sizes, activation, rng, last=activation())
    decoder = stack(sizes[::-1], activation, rng, last=sae.Sigmoid())
    return sae.Autoencoder(encoder, decoder, loss=sae.MSE())


def train(model, epochs, data=x, optimizer=None):
    optimizer = optimizer or sae.Adam(1e-3)
    return sae.fit(
        model, data, epochs=epochs, batch_size=128, optimizer=optimizer, progress=False
    )


def one_epoch(model, x, optimizer, rng, batch_size=128):
    """What `fit` does in an epoch: the same optimizer remembers its moments from epoch to epoch."""
    order = rng.permutation(len(x))
    for start in range(0, len(x), batch_size):
        model.training_step(x[order[start : start + batch_size]])
        optimizer.update(model.parameters, model.gradient)


epochs = quick(5, 1)
trained, curves, flows = {}, {}, {}
for name, activation in (("sigmoid", sae.Sigmoid), ("ReLU", sae.ReLU)):
    model = trained[name] = network(activation)
    with sae.watch(model) as flows[name]:
        curves[name] = [squared_error(model, test)]
        optimizer, rng = sae.Adam(1e-3), np.random.default_rng(0)
        for _ in range(epochs):
            one_epoch(model, x, optimizer, rng)
            curves[name].append(squared_error(model, test))
    print(
        f"{name:<8} squared error per test image, epoch by epoch: "
        + " ".join(f"{e:.1f}" for e in curves[name])
    )
pca = sae.PCA(32).fit(x)
print(f"PCA with 32 numbers: {squared_error(pca, test):.1f}")

drawn, (left, right) = figure(7, 3.0, columns=2, width_ratios=[1.1, 1])
for (name, values), colour, look in zip(
    curves.items(), (plots.RED, plots.BLUE), ("s--", "o-"), strict=True
):
    left.plot(values, look, color=colour, markersize=4, label=name)
left.axhline(without_learning, color=plots.GREY, linestyle=":", label="the mean image")
left.set(xlabel="epoch", ylabel="squared error per test image", ylim=(0, None))
left.legend(fontsize=9)
shown = [int(np.flatnonzero(data.test_labels == label)[0]) for label in (2, 4, 7, 8)]
rows = {"given": test[shown]} | {
    name: model.reconstruct(test[shown]) for name, model in trained.items()
}
tiles = np.concatenate(
    [
        images.reshape(-1, 28, 28).transpose(1, 0, 2).reshape(28, -1)
        for images in rows.values()
    ]
)
right.imshow(tiles, cmap="gray_r", vmin=0, vmax=1)
right.grid(visible=False)
right.set(xticks=[], yticks=[14, 42, 70], yticklabels=list(rows))
right.tick_params(length=0)
right.spines[:].set_visible(False)
show(
    drawn,
    "failure",
    "Left: the error of the sigmoid network falls to that of the mean image and stays there; the ReLU network's keeps "
    "falling. Right: the sigmoid network answers every digit with the same blurred mean, the ReLU network redraws it.",
    "Ten layers: with sigmoids the network learns the mean image and nothing else.",
)
assert abs(curves["sigmoid"][1] - without_learning) < 0.03 * without_learning
assert curves["ReLU"][-1] < 0.7 * without_learning
spread = trained["sigmoid"].reconstruct(test).std(axis=0).max()
print(
    f"a pixel of the sigmoid network's answer varies over the images by {spread:.4f} at most"
)
if data_name() == "strokes":
    assert (
        abs(curves["sigmoid"][-1] - without_learning) < 0.03 * without_learning
        and spread < 0.05
    )

# %% [markdown]
# The sigmoid network did learn something: the mean image, which is the best of all answers that do not depend on the image. The biases
# of its last layer found this answer within an epoch. The layers before the last have learned nothing that depends on the image. Two
# things may have gone wrong: the signal of the image may not reach the output, and the gradient of the error may not reach the first
# layer. We follow the signal first, and then the gradient, and find that both are lost.
#
# ## Forward: what a layer does to the size of a signal
#
# Take a layer $a = xW$, then $y = f(a)$. (The biases start at 0, so we leave them out.) Its weights are fresh: independent, with mean 0
# and [variance](mathematics.md#expectation-variance-covariance) $s^2$, as likely to be $W$ as $-W$, and independent of $x$. How large
# are the numbers of $y$?
#
# $$
# \underset{(N, H)}{a} = \underset{(N, D)}{x}\; \underset{(D, H)}{W},
# \qquad a_{nj} = \sum_{i=1}^{D} x_{ni} W_{ij} .
# $$
#
# Each $a_{nj}$ is a sum of $D$ products, so its square is a sum over pairs of products. The pairs of two different products have the
# mean 0, because $\mathbb E[W_{ij} W_{kj}] = 0$ for $i \ne k$. The squares remain. With $\mathbb E[x^2]$ for the mean of the
# $\mathbb E[x_i^2]$ over all $i$,
#
# $$
# \mathbb E[a^2] = \sum_{i=1}^{D} \mathbb E[x_i^2]\, \mathbb E[W_{ij}^2] = D\, s^2\, \mathbb E[x^2] .
# $$
#
# The weights are as likely to be $W$ as $-W$, so the sum is as likely to be $a$ as $-a$, and its positive and its negative values each
# carry half of the mean square. (A mean of 0 would not be enough for this half. The four numbers $-3, -1, 2, 2$ have the mean 0 and the
# mean square 4.5. After the ReLU the mean square is 2, which is not the half of 4.5.) The ReLU sets the negative values to 0, so with
# $f(a) = \max(a, 0)$
#
# $$
# \mathbb E[y^2] = \tfrac12\, \mathbb E[a^2] = \tfrac12\, D\, s^2\, \mathbb E[x^2] .
# $$
#
# So one layer multiplies the mean square by $\frac12 D s^2$, and twenty layers multiply it by the 20th power of that. For one choice
# of $s$ the signal neither grows nor fades ([He et al. 2015](bibliography.md#he-2015), eq. 10):
#
# $$
# s^2 = \frac2D .
# $$
#
# Tanh is close to the identity near 0, so it hardly changes the mean square of small numbers. Then one layer multiplies the mean square by
# $D s^2$, and the choice is $s^2 = 1 / D$.
#
# **While reading** (★, 3 minutes). A layer has 100 inputs, its weights have the standard deviation 0.1, and a ReLU follows. By which
# factor does the mean square of the signal change in one such layer, and in ten?
#
# <details><summary>Answer</summary>
#
# $\frac12 D s^2 = \frac12 \cdot 100 \cdot 0.01 = \frac12$ in one layer, and $2^{-10} \approx 0.001$ in ten.
#
# </details>

# %%
D, H, N = 300, 200, 2000
signal = rng.exponential(size=(N, D))  # of any distribution; not even with mean 0
W = rng.standard_normal((D, H)) * 0.07
a = signal @ W
y = np.maximum(a, 0)
print(
    f"E[a²]: formula {D * 0.07**2 * (signal**2).mean():.3f}, measured {(a**2).mean():.3f}"
)
print(
    f"E[y²]: formula {D * 0.07**2 * (signal**2).mean() / 2:.3f}, measured {(y**2).mean():.3f}"
)
assert np.isclose((a**2).mean(), D * 0.07**2 * (signal**2).mean(), rtol=0.15)
assert np.isclose((y**2).mean(), (a**2).mean() / 2, rtol=0.25)
between = a.mean(axis=0).var() / (a**2).mean()
print(f"{between:.0%} of the mean square of a are differences between units")
assert 0.35 < between < 0.65

# %% [markdown]
# The formula is a mean over all draws of the weights, so what one draw gives need not match it closely, although $a$ has
# $2{,}000 \cdot 200$ numbers. The entries of this `signal` have the mean 1 and the mean square 2. Write $x_i = 1 + (x_i - 1)$: then
# $a_j$ is $\sum_i W_{ij}$ plus $\sum_i (x_i - 1) W_{ij}$, and each of the two sums has half of the mean square. The first sum contains
# no $x$, so it is the same for all 2,000 examples, and differs only between the 200 units. So for this half, which the last line
# prints, there are 200 draws and not 400,000.
#
# ## Backward, with shapes
#
# The backward pass goes through the same layer in reverse. First comes the derivative of $f$, then the matrix, transposed:
#
# $$
# \underset{(N, H)}{da} = \underset{(N, H)}{dy} \odot \underset{(N, H)}{f'(a)}, \qquad
# \underset{(N, D)}{dx} = \underset{(N, H)}{da}\; \underset{(H, D)}{W^\top} .
# $$
#
# Each number of $dx$ is a sum over the $H$ units of the layer. Suppose that $da$ does not depend on these weights, nor $dy$ on the
# slopes $f'(a)$. This is an approximation, and a good one at the start of training. Then the same argument as above gives
#
# $$
# \mathbb E[dx^2] = H\, s^2\, \mathbb E[f'(a)^2]\, \mathbb E[dy^2] .
# $$
#
# The slope $f'$ of the ReLU is 1 or 0, each half of the time, so $\mathbb E[f'^2] = \frac12$, and the gradient keeps its size with
# $s^2 = 2 / H$. For a layer with as many outputs as inputs that is He's choice again. Where $D \ne H$, no $s$ keeps both the signal and
# the gradient. For functions with $f' \approx 1$ the signal asks for $1/D$, and the gradient for $1/H$.
# [Glorot and Bengio 2010](bibliography.md#glorot-2010), eq. 12, put the mean of $D$ and $H$ in the place of both:
#
# $$
# s^2 = \frac{2}{D + H} .
# $$
#
# ### The slopes of five functions
#
# Which slope does each function have? For each of them we write the forward line first, then the slope that follows from it.
#
# - **Sigmoid**, $y = 1 / (1 + e^{-a})$: the slope is $y (1 - y)$, by [chapter 02](02_backpropagation.py).
# - **Tanh**, $y = \frac{e^a - e^{-a}}{e^a + e^{-a}}$. The derivative of the numerator is the denominator, and the other way round, so
#   the quotient rule gives
#
# $$
# \frac{\partial y}{\partial a} = \frac{(e^a + e^{-a})^2 - (e^a - e^{-a})^2}{(e^a + e^{-a})^2} = 1 - y^2 .
# $$
#
# - **ReLU**, $y = \max(a, 0)$. Where $a > 0$, $y = a$ and the slope is 1. Where $a < 0$, $y = 0$ and the slope is 0. At $a = 0$ there
#   is no slope, because the two sides differ; the library takes 0. Since $y > 0$ exactly where $a > 0$, the backward pass needs only
#   $y$: $da = dy \odot [y > 0]$, where $[y > 0]$ is 1 if $y > 0$, and 0 otherwise.
# - **Leaky ReLU**, $y = \max(a, c\,a)$ with $0 \le c < 1$. Where $a > 0$, $a$ is the larger of the two and the slope is 1. Where $a < 0$,
#   $c\,a$ is the larger and the slope is $c$. So a unit never has the slope 0 if $c > 0$.
# - **[Softplus](glossary.md#softplus)**, $y = \log(1 + e^a)$, a ReLU without the corner. By the chain rule its slope is
#   $\frac{e^a}{1 + e^a} = \sigma(a)$.

# %%
steep = np.linspace(-6, 6, 1200)[None]  # 0 is not among these numbers
slopes = {
    "sigmoid": (sae.Sigmoid(), lambda a, y: y * (1 - y)),
    "tanh": (sae.Tanh(), lambda a, y: 1 - y**2),
    "ReLU": (sae.ReLU(), lambda a, y: y > 0),
    "leaky ReLU": (sae.LeakyReLU(0.1), lambda a, y: np.where(a > 0, 1, 0.1)),
    "softplus": (sae.Softplus(), lambda a, y: 1 / (1 + np.exp(-a))),
}
for name, (layer, slope) in slopes.items():
    step = 1e-6
    measured = (layer.forward(steep + step) - layer.forward(steep - step)) / (2 * step)
    y = layer.forward(steep)
    assert np.allclose(slope(steep, y), measured, atol=1e-6)
    assert np.allclose(layer.backward(np.ones_like(steep)), slope(steep, y))
    print(f"{name:<11} slope from {measured.min():.4f} to {measured.max():.4f}")

# %% [markdown]
# **The sigmoid's slope is small everywhere.** With $y = \sigma(a)$ it is
#
# $$
# \sigma'(a) = y (1 - y) = \tfrac14 - \big(y - \tfrac12\big)^2 \;\le\; \tfrac14 .
# $$
#
# So $\mathbb E[f'^2] \le \frac1{16}$. Take weights with $H s^2 = 1$, which would keep the size of the gradient if the slope were 1.
# Then a layer leaves at most $\frac1{16}$ of the mean square of the gradient. So
# **each sigmoid layer leaves a quarter of the gradient's length, at the very best**, and ten layers leave $4^{-10}$, a millionth. This
# fading is called the [vanishing gradient](glossary.md#vanishing-gradient). Larger weights do not help for long, because they drive $a$
# to where the slope is even smaller.
#
# ### Through all layers: one product
#
# On its way back, the gradient of an early layer has to pass every later layer. Number the layers: $y_0 = x$,
# $a_l = y_{l-1} W_l + b_l$, $y_l = f_l(a_l)$ for $l = 1 \dots L$. Take one example, so that each $a_l$ and $y_l$ is a row, and write
# $\delta_l$ for the derivative of the loss by $a_l$. (In these lines $L$ is the number of layers, not the loss.) The only way from
# $a_l$ to the loss leads through $y_l$ to $a_{l+1}$, so
#
# $$
# \delta_l = \big( \delta_{l+1} W_{l+1}^\top \big) \odot f_l'(a_l) = \delta_{l+1}\, W_{l+1}^\top F_l,
# \qquad F_l = \operatorname{diag}\big( f_l'(a_l) \big) .
# $$
#
# Put the same line for $\delta_{l+1}$ into this one, then the line for $\delta_{l+2}$, and so on to the last layer:
#
# $$
# \delta_1 = \delta_L \cdot W_L^\top F_{L-1} \cdot W_{L-1}^\top F_{L-2} \cdots W_2^\top F_1 .
# $$
#
# This is a **product of $L - 1$ [Jacobians](mathematics.md#gradient-jacobian-hessian)**, one for each step from $a_l$ to $a_{l+1}$. If
# each of them shortens a row to a quarter, the product shortens it to $4^{-(L-1)}$; if each doubles it, to $2^{L-1}$ times its length.
# All of this chapter is about keeping the factors of this product near 1. The next cell computes the product for five layers. The
# library has the same numbers as $db_1$, because for one example $db_1 = \delta_1$.

# %%
L, width = 5, 6
layers = [sae.Dense(width, width, rng=rng).to(dtype=np.float64) for _ in range(L)]
functions = [sae.Tanh() for _ in range(L)]
y, F = rng.standard_normal((1, width)), []
for dense, function in zip(layers, functions, strict=True):
    y = function.forward(dense.forward(y))
    F.append(np.diag(1 - y[0] ** 2))
dy = rng.standard_normal((1, width))  # ∂L/∂y of the last layer
delta = dy @ F[-1]
for l in reversed(range(L - 1)):  # noqa: E741
    delta = delta @ layers[l + 1].W.T @ F[l]
for dense, function in zip(reversed(layers), reversed(functions), strict=True):
    dy = dense.backward(function.backward(dy))
print("δ₁ as a product:", delta[0].round(4))
print("the library's db₁:", layers[0].db.round(4))
assert np.allclose(delta[0], layers[0].db)

# %% [markdown]
# ### Twenty layers, measured
#
# Send a random signal forward through twenty layers of 256 units, and a random gradient back. Nothing is trained here. This
# is the state in which training has to begin.
#
# **Predict** with the formulas: by which factor does a layer change the root mean square of the signal and of the gradient, for ReLU
# with $s^2 = 2/D$, $1/D$ and $4/D$?

# %%
WIDTH, DEPTH = 256, 20
setups = {
    "ReLU, $s^2 = 2/D$ (He)": (sae.ReLU, 2 / WIDTH, plots.BLUE, "o-"),
    "ReLU, $s^2 = 1/D$": (sae.ReLU, 1 / WIDTH, plots.ORANGE, "s--"),
    "ReLU, $s^2 = 4/D$": (sae.ReLU, 4 / WIDTH, plots.RED, "^:"),
    "tanh, $s^2 = 1/D$": (sae.Tanh, 1 / WIDTH, plots.GREY, "v-."),
    "sigmoid, $s^2 = 1/D$": (sae.Sigmoid, 1 / WIDTH, "black", "x-"),
}


def through(activation, variance):
    """Root mean squares, layer by layer: of the signal, of its part that differs between examples, of the gradient."""
    layers = []
    for _ in range(DEPTH):
        dense = sae.Dense(WIDTH, WIDTH).to(dtype=np.float64)
        dense.W[...] = rng.standard_normal((WIDTH, WIDTH)) * math.sqrt(variance)
        layers.append(sae.Sequential(dense, activation()))
    y, forward, differing, backward = rng.standard_normal((512, WIDTH)), [], [], []
    for layer in layers:
        y = layer.forward(y)
        forward.append(math.sqrt((y**2).mean()))
        differing.append(math.sqrt(y.var(axis=0).mean()))
    dy = rng.standard_normal(y.shape)
    for layer in reversed(layers):
        dy = layer.backward(dy)
        backward.append(math.sqrt((dy**2).mean()))
    return forward, differing, backward[::-1]


drawn, axes_row = figure(7, 3.6, columns=2)
measured = {}
for name, (activation, variance, colour, look) in setups.items():
    forward, differing, backward = measured[name] = through(activation, variance)
    for axes, values in zip(axes_row, (differing, backward), strict=True):
        axes.plot(
            range(1, DEPTH + 1),
            values,
            look,
            color=colour,
            markersize=3,
            linewidth=1.2,
            label=name,
        )
for axes, what in zip(
    axes_row, ("signal: spread between examples", "gradient: root mean square"), strict=True
):
    axes.set(
        yscale="log",
        xlabel="layer",
        ylabel=what,
        ylim=(1e-14, 1e4),
        xticks=[1, 5, 10, 15, 20],
    )
drawn.legend(
    *axes_row[0].get_legend_handles_labels(),
    loc="outside upper center",
    ncols=3,
    fontsize=9,
)
show(
    drawn,
    "twenty",
    "Two logarithmic charts over twenty layers. With He's weights signal and gradient stay near 1. With half that variance "
    "they fade to a thousandth, with twice that they grow a thousandfold. With sigmoids both fall to 1e-13.",
    "Left: what differs between examples, going forward. Right: the gradient, going back. He's weights hold both; the sigmoid loses both.",
)
for name, (forward, _, backward) in measured.items():
    factors = (
        (forward[-1] / forward[0]) ** (1 / (DEPTH - 1)),
        (backward[0] / backward[-1]) ** (1 / (DEPTH - 1)),
    )
    print(
        f"{name.replace('$', ''):<24} a layer leaves of the signal {factors[0]:.3f}, of the gradient {factors[1]:.3f}"
    )
    predicted = {"2/D": 1.0, "1/D": math.sqrt(0.5), "4/D": math.sqrt(2)}
    if name.startswith("ReLU"):
        expected = next(value for key, value in predicted.items() if key in name)
        assert np.allclose(factors, expected, rtol=0.08)
    if name.startswith("sigmoid"):
        assert 0.2 < factors[1] <= 0.25

# %% [markdown]
# The formulas say 1, $\sqrt{1/2} = 0.707$ and $\sqrt 2 = 1.414$ for ReLU, and at most 0.25 for the sigmoid. Look at the left panel
# too. The sigmoid's output does not fade, because it is about ½ everywhere. But the part of it that *differs from one example to the
# next* fades. After twenty layers the outputs of all examples are equal to about thirteen digits. That is why the network could only
# answer with the mean.
#
# **What the numbers look like.** A mean square is one number. Here are the numbers themselves: histograms of all outputs of four of the
# twenty layers, for tanh with three sizes of weights, and for ReLU with He's weights.

# %%
histograms = {
    "tanh, $s^2 = 1/(4D)$": (sae.Tanh, 0.25 / WIDTH),
    "tanh, $s^2 = 1/D$": (sae.Tanh, 1 / WIDTH),
    "tanh, $s^2 = 16/D$": (sae.Tanh, 16 / WIDTH),
    "ReLU, $s^2 = 2/D$": (sae.ReLU, 2 / WIDTH),
}
outputs = {}
for name, (activation, variance) in histograms.items():
    y, outputs[name] = rng.standard_normal((512, WIDTH)), []
    for _ in range(DEPTH):
        y = activation().forward(
            y @ rng.standard_normal((WIDTH, WIDTH)) * math.sqrt(variance)
        )
        outputs[name].append(y)

faded, kept, saturated, rectified = outputs.values()
at_ends = (np.abs(saturated[-1]) > 0.95).mean()
print(f"tanh, small weights: root mean square in layer 20 {faded[-1].std():.1e}")
print(f"tanh, 1/D:           root mean square in layer 20 {kept[-1].std():.2f}")
print(
    f"tanh, large weights: {at_ends:.0%} of the outputs beyond ±0.95, mean slope {(1 - saturated[-1] ** 2).mean():.2f}"
)
print(f"ReLU, He:            {(rectified[-1] == 0).mean():.0%} of the outputs are 0")
assert faded[-1].std() < 1e-4 < 0.1 < kept[-1].std() and at_ends > 0.5
assert 0.3 < (rectified[-1] == 0).mean() < 0.7

# %% tags=["hide-input"]
drawn, grid = figure(7, 5.2, 4, 4, sharex="row")
for axes_row, (name, layers) in zip(grid, outputs.items(), strict=True):
    ends = (0, 3) if name.startswith("ReLU") else (-1, 1)
    for axes, layer in zip(axes_row, (1, 5, 10, 20), strict=True):
        axes.hist(layers[layer - 1].ravel(), bins=41, range=ends, color=plots.BLUE)
        axes.set(yticks=[])
        axes.grid(visible=False)
        axes.set_title(
            f"{name}, layer {layer}" if layer == 1 else f"layer {layer}", fontsize=8
        )
for axes in grid[-1]:
    axes.set_xlabel("output y", fontsize=9)
show(
    drawn,
    "histograms",
    "Sixteen histograms: four settings, each after layers 1, 5, 10 and 20. Tanh with small weights ends as a single spike at 0; "
    "with a variance of 1/D they become a hill that narrows slowly; with large weights nearly everything is at -1 and 1 from the "
    "first layer on. The ReLU's outputs are 0 for half and spread over positive numbers for the rest.",
    "Look along a row, from layer 1 to 20. Row 1: all outputs go to 0. Row 3: most lie at ±1, where tanh is flat. Rows 2 and 4 stay spread out.",
)

# %% [markdown]
# With small weights the signal is lost, because nothing but zeros arrives. With large weights most outputs lie at the ends of tanh,
# where the slope $1 - y^2$ is nearly 0, so hardly any gradient passes these units: they are
# **[saturated](glossary.md#saturated-unit)**. With $s^2 = 1/D$ the outputs stay spread out, and become smaller slowly.
#
# ## The code
#
# First the draw of the weights. After it come the backward passes that the slopes above give; the ReLU's line is
# `dy * (y > 0)`.

# %%
source(
    draw_weights,
    relu_backward,
    sae.Tanh.backward,
    sae.LeakyReLU.backward,
    sae.Softplus.backward,
)

# %% [markdown]
# The networks of this chapter are made by `stack`, which draws the weights of each layer as it suits the function that follows.

# %%
source(stack, deep)

# %%
for init, variance in (("he", 2 / 400), ("glorot", 2 / (400 + 300))):
    W = draw_weights((400, 300), 400, 300, init, rng)
    print(f"{init:<7} variance of 120,000 weights {W.var():.6f}, formula {variance:.6f}")
    assert np.isclose(W.var(), variance, rtol=0.03) and abs(W.mean()) < 0.001

# %% [markdown]
# ## Checking it
#
# At the corner of the ReLU a central difference gives ½, the mean of the slopes on both sides, where the library takes 0. So the check
# has to tell a corner from an error. It does, and counts the corners:

# %%
report = sae.check_gradients(sae.ReLU(), np.array([[0.0, 1.0, -1.0], [2.0, 0.0, -3.0]]))
print(report)
assert report.passed and report.checks[0].kinks == 2

narrow = sae.Autoencoder(
    stack([6, 5, 4, 3], sae.ReLU, rng, last=sae.ReLU()),
    stack([3, 4, 5, 6], sae.ReLU, rng, last=sae.Sigmoid()),
    loss=sae.MSE(),
)
for _, layer in narrow.leaves():
    # with biases at 0, a code that is all 0 would put the next layer on its corner
    if isinstance(layer, sae.Dense):
        layer.b[...] = 0.1 * rng.standard_normal(layer.b.shape)
report = sae.check_gradients(narrow, rng.random((8, 6)))
print(report)
assert report.passed

# %% [markdown]
# ## An experiment: where did the gradient go?
#
# `sae.watch` recorded the two trainings at the top: every tenth step it noted the norm of the gradient in every layer. The picture
# shows the median over the run for each layer. Below the numbers stand the warnings that `watch` gave.

# %%
drawn, axes = figure(6.4, 3.6)
for (name, flow), colour, look in zip(
    flows.items(), (plots.RED, plots.BLUE), ("s--", "o-"), strict=True
):
    norms = [float(np.median(values)) for values in flow.gradient_norm.values()]
    axes.plot(range(1, len(norms) + 1), norms, look, color=colour, markersize=5, label=name)
    print(
        f"{name:<8} gradient in layer 1: {norms[0]:.1e}, in layer {len(norms)}: {norms[-1]:.1e}"
    )
    for warning in flow.warnings:
        print("    watch:", warning[:150].rsplit(" ", 1)[0], "…")
axes.set(
    yscale="log",
    xlabel="layer, from the image to the reconstruction",
    ylabel="gradient norm ‖∂L/∂θ‖",
)
axes.set_xticks(range(1, 11))
axes.legend(fontsize=9)
show(
    drawn,
    "flow",
    "Gradient norm by layer, logarithmic. ReLU: of similar size in all ten layers. Sigmoid: the first layers get a gradient "
    "that is many orders of magnitude smaller than the last layer's.",
    "The gradient that arrives at each layer during training. Look at layer 1: how far below layer 10 is it?",
)
first_to_last = {
    name: np.median(flow.gradient_norm["encoder.0"])
    / np.median(flow.gradient_norm["decoder.8"])
    for name, flow in flows.items()
}
assert first_to_last["ReLU"] > 0.1
if data_name() == "strokes":
    assert first_to_last["sigmoid"] < 1e-3
    assert any("vanishing" in warning for warning in flows["sigmoid"].warnings)

# %% [markdown]
# Adam divides each gradient by its own size, so why does Adam not help here? It does make tiny gradients large. But as long as the
# *signal* has vanished, all examples give nearly the same gradient, so that the gradient hardly says how one example differs from
# another, however large Adam makes it.
#
# **Depth, with each function.** Train networks with one, two, three and five layers on each side, all for the same number of epochs.
# **Predict:** does tanh, whose slope is 1 at 0, train at every depth?

# %%
print("layers on each side:   " + "".join(f"{depth:>8}" for depth in (1, 2, 3, 5)))
table = {}
for name, activation in (("sigmoid", sae.Sigmoid), ("tanh", sae.Tanh), ("ReLU", sae.ReLU)):
    table[name] = []
    for depth in (1, 2, 3, 5):
        chain = [784] + [128] * (depth - 1) + [32]
        generator = np.random.default_rng(0)
        model = sae.Autoencoder(
            stack(chain, activation, generator, last=activation()),
            stack(chain[::-1], activation, generator, last=sae.Sigmoid()),
            loss=sae.MSE(),
        )
        train(model, quick(2, 1), x[: quick(20_000, 6_000)])
        table[name].append(squared_error(model, test))
    print(f"{name:<8} squared error  " + "".join(f"{error:8.1f}" for error in table[name]))
assert quick(
    min(table["ReLU"][1:]) < table["ReLU"][0]
    and max(table["ReLU"]) < min(table["sigmoid"]),
    True,
)
if data_name() == "strokes":
    for name in ("sigmoid", "tanh"):
        assert abs(table[name][-1] - without_learning) < 0.05 * without_learning

# %% [markdown]
# Tanh lies between the two. Its slope is 1 at 0, so little of the gradient vanishes at the start, but with five layers on each side
# the network still stays at the mean image for as long as it trains here.
#
# ## Units that die, and how to keep them
#
# ReLU has its own way to fail. If the pre-activation of a unit is negative for every example, the unit's output and its slope are 0.
# So no gradient reaches the unit's weights, and its output stays 0, unless the layers before it change its inputs. The unit is
# **[dead](glossary.md#dead-unit)**. One long step is enough to kill a unit. The narrow layer suffers most, because each unit that is
# lost there is a number of the code that is lost. Count the units that live in the preset `deep`, whose code ends in a ReLU, and in
# `deep-linear-code`, which is the same network without that ReLU. **Predict:** how many of the 32 are in use?

# %%
alive, error = {}, {}
for name, build in (("deep", deep), ("deep-linear-code", deep_linear_code)):
    model = build(np.random.default_rng(0))
    train(model, quick(4, 1))
    alive[name] = int((model.encode(test) != 0).any(axis=0).sum())
    error[name] = squared_error(model, test)
    print(
        f"{name:<17} {alive[name]:2d} of 32 units of the code ever used, squared error {error[name]:.2f}"
    )
assert alive["deep"] <= 32 == alive["deep-linear-code"]
assert data_name() != "strokes" or alive["deep"] < 32
assert error["deep-linear-code"] < error["deep"]

# %% [markdown]
# So an encoder should not end in a ReLU, unless you want a sparse code ([chapter 10](10_sparse_contractive.py)). The library has both
# presets, so that the difference can be seen.
#
# **Exploding, and clipping.** A gradient may also be too long, so long that one step ruins the network. The cure is to *clip* the
# gradient: its length $\lVert g \rVert$ is bounded by $c$, and its direction is kept
# ([Pascanu et al. 2013](bibliography.md#pascanu-2013)):
#
# $$
# g \leftarrow g \cdot \min\!\Big(1, \frac{c}{\lVert g \rVert}\Big).
# $$
#
# **Break it, and mend it.** Gradient descent with a rate ten times too large kills most of the code in the first steps. With
# $c = 10$, and nothing else changed, the network learns.

# %%
gradient = rng.standard_normal(1000).astype(np.float32)
for c in (5.0, 500.0):
    clipped = sae.optimizers.clip_norm(gradient, c)
    assert np.isclose(np.linalg.norm(clipped), min(c, np.linalg.norm(gradient)), rtol=1e-5)
    assert np.isclose(
        clipped @ gradient, np.linalg.norm(clipped) * np.linalg.norm(gradient), rtol=1e-4
    )

rescue = {}
for c in (None, 10.0):
    model = deep(np.random.default_rng(0))
    train(model, 1, x, sae.SGD(0.1, clip_norm=c))
    used = int((model.encode(test) != 0).any(axis=0).sum())
    rescue[c] = squared_error(model, test)
    print(
        f"SGD(0.1, clip_norm={c}): squared error {rescue[c]:6.1f}, {used} of 32 units in use"
    )
assert rescue[10.0] < 0.8 * without_learning < rescue[None]

# %% [markdown]
# ## Why not start at zero?
#
# **Break it.** Give all units of a layer the same weights, those that lead to the unit and those that lead on from it. Then all units
# compute the same number, so all get the same gradient, so all take the same step, and are equal again after it. By induction they stay
# equal, for any optimizer and any number of steps.
#
# In symbols, for one hidden layer with $a_1 = x W_1 + b_1$, $z = f(a_1)$ and $a_2 = z W_2 + b_2$: let the columns of $W_1$ $(D, H)$ be
# equal, the numbers of $b_1$ be equal, and the rows of $W_2$ $(H, D)$ be equal. Then the columns of $z$ $(N, H)$ are equal. So the
# columns of $dz = da_2\, W_2^\top$ are equal, because the columns of $W_2^\top$ are. So the columns of
# $dW_1 = x^\top (dz \odot f'(a_1))$ are equal, and so are the numbers of $db_1$ and the rows of $dW_2 = z^\top da_2$. The layer has $H$
# units, but can do no more than one unit can. Random weights make the units different. (The cell prints the `rank` of $W_1$, which
# counts its independent columns: there is one.)

# %%
same = sae.Autoencoder(
    sae.Sequential(sae.Dense(784, 16, rng=rng), sae.Sigmoid()),
    sae.Sequential(sae.Dense(16, 784, rng=rng), sae.Sigmoid()),
    loss=sae.MSE(),
)
first, second = same.encoder.layers[0], same.decoder.layers[0]
first.W[...], second.W[...] = 0.01, 0.01
train(same, 1, x[:5000])
errors = {"equal weights": squared_error(same, test)}
assert np.allclose(first.W, first.W[:, :1], atol=1e-4) and np.allclose(
    second.W, second.W[:1], atol=1e-4
)
print(
    "rank of W₁ after training:",
    np.linalg.matrix_rank(first.W, tol=1e-2 * np.linalg.norm(first.W)),
)
assert np.linalg.matrix_rank(first.W, tol=1e-2 * np.linalg.norm(first.W)) == 1

# %% [markdown]
# ## Two more cures: a road past the layer, and a scale set anew
#
# With the right weights, ten ReLU layers train. With a hundred layers even a factor near 1 matters, because it enters the product
# a hundred times. Two more cures change the factors of the product themselves.
#
# ### Residual connections
#
# A **[residual connection](glossary.md#residual-connection)** lets a layer, or a few layers together, only *add* to
# the input ([He et al. 2016](bibliography.md#he-2016)):
#
# $$
# y = x + f(x) .
# $$
#
# Here $x$ is used twice, so its two gradients add up: one comes straight from $y$, the other through $f$. Let $J$ be the Jacobian of
# $f$: going back through $f$ multiplies the row $dy$ by $J$. Then
#
# $$
# dx = dy + dy\, J = dy\, (I + J) .
# $$
#
# So the product of Jacobians becomes $(I + J_{L}) \cdots (I + J_2)(I + J_1)$. However small the $J$ are, this product does not vanish.
# Multiplied out, it has the term $I$, by which $dy$ arrives unchanged, on the road past all layers. As a layer of this library:


# %%
class Residual(sae.Layer):
    """y = x + f(x), for a layer f that keeps the shape."""

    def __init__(self, f):
        self.f = f

    def forward(self, x, rng=None):
        return x + self.f.forward(x, rng)

    def backward(self, dy):
        return dy + self.f.backward(dy)  # both ways from y to x


report = sae.check_gradients(
    Residual(sae.Sequential(sae.Dense(4, 4, rng=rng), sae.Tanh())),
    rng.standard_normal((3, 4)),
)
print(report)
assert report.passed

# %% [markdown]
# ### Batch normalisation
#
# The derivation above chose $s$ so that signals have the right size *before* training.
# **[Batch normalisation](glossary.md#batch-normalisation)** ([Ioffe and Szegedy 2015](bibliography.md#ioffe-2015)) sets their size in
# every step. For each feature it takes the mean $m$ and the [variance](mathematics.md#expectation-variance-covariance) $v$ over the $M$
# examples of the batch, subtracts the mean, and divides by the standard deviation. Then it gives the feature a standard deviation
# $\gamma$ and a mean $\beta$, which are learned. For one feature, with $i = 1 \dots M$ and a tiny $\epsilon$ against a division by 0:
#
# $$
# \begin{aligned}
# m &= \frac1M \sum_i x_i, & v &= \frac1M \sum_i (x_i - m)^2, \\
# \hat x_i &= (x_i - m)\, r \quad\text{with}\quad r = (v + \epsilon)^{-1/2}, & y_i &= \gamma\, \hat x_i + \beta .
# \end{aligned}
# $$
#
# Go backward, one line at a time, the last one first. The line $y_i = \gamma\, \hat x_i + \beta$ gives
#
# $$
# d\gamma = \sum_i dy_i\, \hat x_i, \qquad d\beta = \sum_i dy_i, \qquad d\hat x_i = \gamma\, dy_i .
# $$
#
# The variance is used in every $\hat x_i = (x_i - m)\, r$, through $r$, whose derivative by $v$ is $-\frac12 (v + \epsilon)^{-3/2} =
# -\frac12 r^3$. All these uses add up, and $(x_i - m)\, r$ is $\hat x_i$ again:
#
# $$
# dv = \sum_i d\hat x_i\, (x_i - m) \Big( -\frac{r^3}{2} \Big) = -\frac{r^2}{2} \sum_i d\hat x_i\, \hat x_i .
# $$
#
# The mean is used in every $\hat x_i$, with the slope $-r$, and in $v$, whose slope is $\partial v / \partial m =
# -\frac2M \sum_i (x_i - m) = 0$. So only the first use counts:
#
# $$
# dm = -r \sum_i d\hat x_i .
# $$
#
# Finally each $x_i$ is used three times: in $\hat x_i$ itself, in $m$ and in $v$. Their slopes are $r$, $\frac1M$ and
# $\frac2M (x_i - m)$. The sums in $dm$ and $dv$ are $\sum_k d\hat x_k = \gamma\, d\beta$ and
# $\sum_k d\hat x_k\, \hat x_k = \gamma\, d\gamma$, so
#
# $$
# \begin{aligned}
# dx_i &= r\, d\hat x_i + \frac1M\, dm + \frac2M (x_i - m)\, dv \\
# &= r \Big( d\hat x_i - \frac1M \sum_k d\hat x_k - \frac{\hat x_i}{M} \sum_k d\hat x_k\, \hat x_k \Big)
# && (x_i - m)\, r^2 = r\, \hat x_i \\
# &= \gamma\, r \Big( dy_i - \frac{d\beta}{M} - \hat x_i\, \frac{d\gamma}{M} \Big) && d\hat x_i = \gamma\, dy_i .
# \end{aligned}
# $$
#
# These are the lines of the library, which writes $\mu$, $\sigma^2$ for $m$, $v$, and `scale` for $r$. What do the two terms with a
# minus mean? If the same constant is added to all $x_i$, no output changes. If the distances of all $x_i$ from their mean grow by the
# same factor, no output changes either (apart from the effect of the tiny $\epsilon$). So the loss does not change, and the gradient
# can have no part along these two changes. The first term takes off the part along the first change, which is the mean of the gradient.
# The second term takes off the part along the second change, which is the part along $\hat x$.

# %%
source(sae.BatchNorm.backward)

# %%
norm = sae.BatchNorm(3).to(dtype=np.float64)
signal = 5 + 2 * rng.standard_normal((50, 3))
norm.gamma[...], norm.beta[...] = rng.standard_normal((2, 3))
norm.forward(signal, rng)  # with a generator: as in training
dx = norm.backward(rng.standard_normal((50, 3)))
print("Σ dx over the batch:   ", np.abs(dx.sum(axis=0)).max().round(9))
print("Σ dx x̂ over the batch: ", np.abs((dx * norm.x_hat).sum(axis=0)).max().round(4))
assert np.allclose(dx.sum(axis=0), 0) and np.allclose(
    (dx * norm.x_hat).sum(axis=0), 0, atol=1e-3
)
report = sae.check_gradients(norm, rng.standard_normal((6, 3)))
print(report)
assert report.passed

# %% [markdown]
# In use, an example may come alone, so there is no batch to take the mean of. Then the layer uses running averages of $m$ and $v$, which it
# kept while it was trained. This is its price: the layer computes one thing in training and another in use, and in training the output for
# an example depends on the other examples of its batch.
#
# **Both cures on the network at the top.** It has ten layers with sigmoids, and Glorot's weights. We leave it as it is, or add a road past
# each layer from 128 to 128 units, or normalise before each hidden sigmoid. **Predict:** how much of the gradient arrives at the first
# layer before training, and which of the three leaves the mean image within two epochs?


# %%
def cured(cure):
    rng = np.random.default_rng(0)

    def layers(inputs, outputs):
        made = [sae.Dense(inputs, outputs, rng=rng)]
        made += [sae.BatchNorm(outputs)] * (cure == "normalised") + [sae.Sigmoid()]
        past = cure == "residual" and inputs == outputs
        return [Residual(sae.Sequential(*made))] if past else made

    def chained(sizes):
        return [layer for pair in itertools.pairwise(sizes) for layer in layers(*pair)]

    decoder = [*chained(sizes[:0:-1]), sae.Dense(128, 784, rng=rng), sae.Sigmoid()]
    encoder = sae.Sequential(*chained(sizes))
    return sae.Autoencoder(encoder, sae.Sequential(*decoder), loss=sae.MSE())


share, after = {}, {}
for cure in ("as it is", "residual", "normalised"):
    model = cured(cure)
    model.training_step(x[:128], np.random.default_rng(0))
    norms = [
        np.linalg.norm(layer.dW) for _, layer in model.leaves() if hasattr(layer, "dW")
    ]
    share[cure] = norms[0] / norms[-1]
    train(model, 2, x[: quick(20_000, 6_000)])
    after[cure] = squared_error(model, test)
    print(
        f"{cure:<11} gradient of the first layer / of the last: {share[cure]:.0e}; "
        f"squared error after two epochs {after[cure]:.1f}"
    )
assert share["as it is"] < 1e-4 < 3e-4 < share["residual"] and share["normalised"] > 1e-2
if data_name() == "strokes":
    assert after["normalised"] < 0.9 * without_learning < 0.95 * after["as it is"]

# %% [markdown]
# With both cures the gradient arrives at the first layer. The normalised network leaves the mean image within two epochs, although its
# activation functions are the same sigmoids with which the network at the top stayed there. Most presets of this library need only the
# first two cures, the draw of the weights and the ReLU, because they have few layers. The preset `gan-conv` of
# [chapter 15](15_two_players.py) normalises. Networks of a hundred layers have residual connections, and mostly a normalisation too.
#
# ## 2006
#
# [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b) made deep autoencoders work with sigmoids and the computers of the time.
# They first trained each layer by itself, as a Boltzmann machine ([chapter 12](12_boltzmann.py)); this is called *pretraining*. So
# backpropagation began from weights that let signals through. On MNIST their 784-1000-500-250-30 network reached a squared error of
# 3.00 per test image, where PCA with 30 numbers leaves 13.87. For one of their data sets, the curves, they report that the network
# without this start reconstructs the mean. Here is their network twice: with the sigmoids of the paper, and with the softplus, the
# smooth ReLU, of the preset `science2006`. Both begin from random weights and take the same few steps. (The loss `BCEWithLogits`
# contains the last sigmoid. [Chapter 07](07_cross_entropy.py) derives it.)

# %%
source(PRESETS["science2006"].build)


# %%
def paper(activation):
    rng = np.random.default_rng(0)
    chain = [784, 1000, 500, 250, 30]
    encoder, decoder = (
        stack(sizes, activation, rng, last=None) for sizes in (chain, chain[::-1])
    )
    return sae.Autoencoder(encoder, decoder, loss=sae.BCEWithLogits())


few = x[: quick(12_800, 6_400)]
for name, activation in (("sigmoid", sae.Sigmoid), ("softplus", sae.Softplus)):
    model = paper(activation)
    train(model, 1, few)
    errors[name] = squared_error(model, test)
    print(
        f"{name:<9} {model.parameter_count():,} parameters, {len(few) // 128} steps: squared error {errors[name]:.1f}"
    )
    assert model.parameter_count() == 2_837_314
print(f"the mean image: {without_learning:.1f}")
assert abs(errors["sigmoid"] - without_learning) < 0.05 * without_learning
assert errors["softplus"] < 0.9 * without_learning

# %% [markdown]
# ## What to change for MNIST
#
# `scratchae tutorial 5 --data mnist` runs this chapter on MNIST, in about 40 s. The whole experiment is
# `scratchae train science2006 --data mnist` (80 epochs, 6 min 20 s on two cores). It reaches **2.87** per test image from random
# weights, with He's draw, a smooth ReLU, and Adam with a warm-up and a rate that falls. With pretraining,
# `scratchae train dbn --data mnist` (10 min 48 s) reaches 2.63. Each figure is that of one run (`benchmarks/README.md`): the squared
# error is summed over the 784 pixels and averaged over the test images.
#
# So a network that needed pretraining in 2006 now needs only a good start. [Martens 2010](bibliography.md#martens-2010) and
# [Sutskever et al. 2013](bibliography.md#sutskever-2013) were the first to train such autoencoders from random weights. Our two runs
# differ in more than the pretraining: `dbn` has sigmoids and `science2006` a smooth ReLU, and their schedules differ. So we compare two
# whole recipes here; [chapter 12](12_boltzmann.py) compares two networks that differ in the pretraining alone.
#
# ## Exercises
#
# 1. The ReLU's backward pass. After *The slopes of five functions*. ★, 5 minutes.

# %%
exercise("05_relu")

# %% [markdown]
# 2. The right size of weights. After *Forward: what a layer does to the size of a signal*. ★, 5 minutes.

# %%
exercise("05_he")

# %% [markdown]
# 3. Batch normalisation, forward and backward. Derive it on paper first, with the book closed. After *Batch normalisation*. ★★★★,
#    45 minutes.

# %%
exercise("05_batchnorm")

# %% [markdown]
# **Derive.**
#
# 4. ★★, 10 minutes, after *The slopes of five functions*. A leaky ReLU has the slope $c$ for negative numbers. Which $s^2$ keeps
#    $\mathbb E[y^2] = \mathbb E[x^2]$? What do you get for $c = 1$, and why?
# 5. ★★, 10 minutes, after *The slopes of five functions*. Let $s^2 = 16 / H$. Which share of the gradient's mean square does one sigmoid
#    layer leave, if the pre-activations stay near 0? Why do they not stay there?
# 6. ★★, 5 minutes, after *Forward*. The biases start at 0. What would change in the derivation if they were drawn with variance $s_b^2$?
# 7. ★, 3 minutes, after *The slopes of five functions*. The network `deep` ends in a sigmoid with 784 outputs. Does the sigmoid at the
#    *end* make gradients vanish?
#
# **Explore.**
#
# 8. ★★★, 30 minutes, after *2006*. Make the network of ten sigmoid layers at the top learn within five epochs, without touching the
#    activation functions and without batch normalisation. Hint: where on the sigmoid do the pre-activations lie, and what is the mean
#    of the next layer's inputs?
# 9. ★★, 15 minutes, after *Units that die*. Which share of the 32 units lives in `deep` if you halve the learning rate, or double it, and
#    what if its code ends in `sae.LeakyReLU(0.1)`?
#
# <details><summary>Answers</summary>
#
# 4\. The leaky ReLU leaves $\frac12 (1 + c^2)$ of the mean square, so $s^2 = \frac{2}{(1 + c^2) D}$. For $c = 1$ it is the identity,
# which halves nothing, and $s^2 = 1/D$.
#
# 5\. All of it, because $H s^2 \cdot \frac1{16} = 1$. But each output of a sigmoid is about ½, so with $D = H$ the next layer has
# $\mathbb E[a^2] = D s^2 / 4 = 4$. These pre-activations have the standard deviation 2, and there the mean square of the slope is much
# smaller. The next cell measures it.
#
# 6\. $\mathbb E[a^2] = D s^2\, \mathbb E[x^2] + s_b^2$. The part that comes from the signal keeps its size, but each layer adds a part that is
# the same for all examples. The backward pass does not change, because $dx = da\, W^\top$ has no $b$ in it.
#
# 7\. It multiplies the gradient by at most ¼, but only once, not layer by layer. Where an output is close to 0 or 1 and wrong, the
# factor is much smaller, which is the subject of [chapter 07](07_cross_entropy.py).
#
# 8\. There are several ways. One: multiply Glorot's weights of the hidden layers by 4, which makes up for the slope of ¼, and let each bias
# be $-\frac12 \sum_i W_{ij}$, which takes away the mean of the inputs, so that the pre-activations lie around 0. The cell below tries it.
# Another: residual connections.
#
# 9\. Run it and see; the counts depend on the data and on the draw. A leaky ReLU cannot die, since its slope is never 0.
#
# </details>

# %% tags=["hide-cell"]
for c in (0.0, 0.3, 1.0):
    layer = sae.LeakyReLU(c) if c < 1 else sae.Identity()
    normal = rng.standard_normal((200_000, 1))
    kept = float((layer.forward(normal) ** 2).mean())
    print(
        f"4. c = {c}: E[y²] / E[a²] = {kept:.3f}, (1 + c²) / 2 = {(1 + c**2) / 2:.3f}; s² = {2 / (1 + c**2):.2f} / D"
    )
    assert np.isclose(kept, (1 + c**2) / 2, rtol=0.02)
left = []
for spread in (0.1, 1.0, 2.0, 4.0):
    wide = spread * rng.standard_normal((200_000, 1))
    layer = sae.Sigmoid()
    layer.forward(wide)
    left.append(16 * float((layer.backward(np.ones_like(wide)) ** 2).mean()))
    print(
        f"5. pre-activations of standard deviation {spread:3.1f}: 16 E[f'²] = {left[-1]:.3f}"
    )
assert left[0] > 0.95 and left[2] < 0.6

model = network(sae.Sigmoid)
for name, layer in model.leaves():
    if isinstance(layer, sae.Dense) and name not in ("encoder.0", "decoder.8"):
        layer.W *= 4
        layer.b[...] = -layer.W.sum(axis=0) / 2
train(model, quick(5, 2))
print(
    f"8. squared error {squared_error(model, test):.1f}, the mean image {without_learning:.1f}"
)
assert (
    data_name() != "strokes"
    or squared_error(model, test) < quick(0.8, 0.95) * without_learning
)

# %% [markdown]
# ## Further reading
#
# - [Glorot and Bengio 2010](bibliography.md#glorot-2010) and [He et al. 2015](bibliography.md#he-2015): the two ways to draw weights.
# - [Nair and Hinton 2010](bibliography.md#nair-2010): the ReLU. [Ioffe and Szegedy 2015](bibliography.md#ioffe-2015): batch
#   normalisation. [He et al. 2016](bibliography.md#he-2016): residual connections.
# - [Prince 2023](bibliography.md#prince-2023), chapters 7 and 11: initialisation, and residual connections.
#
# ## What to read in the source next
#
# - `scratchae/layers/initial.py`, `scratchae/layers/activations.py`, `scratchae/layers/normalization.py`: the cures.
# - `scratchae/study/watch.py`: what `watch` measures, and where its warnings begin.
# - `scratchae/presets/dense.py`: `deep`, `deep-linear-code`, `science2006`.
#
# Then [chapter 06](06_pca.py): what if nothing bends at all?
