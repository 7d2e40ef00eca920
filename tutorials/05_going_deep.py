# %% [markdown]
# # 05 · Going deep
#
# *If two layers work, why did ten of them fail for twenty years, and what changed?*
#
# **Time** 40 minutes to read, 25 s to run on two cores.

# %% [markdown]
# ## The question
#
# A deep [autoencoder](glossary.md#autoencoder) is an obvious idea. Each layer makes a somewhat more abstract description of the
# one before, and a few numbers at the narrow end say it all. [Backpropagation](02_backpropagation.py) gives the gradient for
# any number of layers. So people tried, and it did not work: the deeper the network, the less it learned.
#
# Then three things changed: how weights are drawn at the start, which function bends between the layers, and how steps are
# taken ([chapter 04](04_optimizers.py)). This chapter shows the failure, finds its cause with a page of algebra, and derives the
# two cures that the algebra suggests.

# %%
import math

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
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
# One network, 784-128-128-128-128-32 and back, ten layers. Everything is the same but the function between the layers:
# [sigmoid](glossary.md#sigmoid), or [ReLU](glossary.md#relu) with the weights drawn to suit it.

# %%
sizes = [784, 128, 128, 128, 128, 32]


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
    """What `fit` does in an epoch: the same optimizer remembers its moments from one to the next."""
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
# The sigmoid network did learn something: the best answer that does not look at the question, the mean image. Its last
# biases found that within an epoch. What comes before the last layer has learned nothing that depends on the image. Two things must
# have gone wrong: the signal of the image does not reach the output, and the gradient of the error does not reach the first layer.
#
# ## Forward: what a layer does to the size of a signal
#
# Take a layer $a = xW$, then $y = f(a)$. Its weights are fresh: independent, with mean 0 and [variance](mathematics.md#expectation-variance-covariance) $s^2$, and independent of
# $x$. How large are the numbers that come out?
#
# $$
# \underset{(N, H)}{a} = \underset{(N, D)}{x}\; \underset{(D, H)}{W},
# \qquad a_{nj} = \sum_{i=1}^{D} x_{ni} W_{ij} .
# $$
#
# A sum of $D$ products. In the mean of its square the mixed terms vanish, because $\mathbb E[W_{ij} W_{kj}] = 0$ for $i \ne k$:
#
# $$
# \mathbb E[a^2] = \sum_{i=1}^{D} \mathbb E[x_i^2]\, \mathbb E[W_{ij}^2] = D\, s^2\, \mathbb E[x^2] .
# $$
#
# The weights are as likely to be $W$ as $-W$, so the sum is as likely to be $a$ as $-a$, and its positive and its negative values
# each carry half of the mean square. The ReLU sets the negative ones to 0, so with $f(a) = \max(a, 0)$
#
# $$
# \mathbb E[y^2] = \tfrac12\, \mathbb E[a^2] = \tfrac12\, D\, s^2\, \mathbb E[x^2] .
# $$
#
# One layer multiplies the mean square by $\frac12 D s^2$, and twenty layers by its 20th power. There is one choice that neither
# explodes nor fades ([He et al. 2015](bibliography.md#he-2015), eq. 10):
#
# $$
# s^2 = \frac2D .
# $$
#
# For a function that is close to the identity near 0, such as tanh, the ½ is absent, and $s^2 = 1 / D$. (A mean of 0 would not be
# enough for the ½: of the four numbers $-3, -1, 2, 2$ the mean is 0 and half are positive, but the ReLU leaves 2 of a mean
# square of 4.5.)

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

# %% [markdown]
# The second pair agrees less well, and the reason is worth a thought. All entries of this `signal` are positive, so all rows of
# $x$ point in similar directions, and a unit whose weights happen to be negative there is negative for nearly all examples.
# The formula is a mean over the draw of the weights; 200 units are few draws.
#
# ## Backward, with shapes
#
# The gradient takes the same road back, and meets the derivative of $f$ on the way:
#
# $$
# \underset{(N, H)}{da} = \underset{(N, H)}{dy} \odot \underset{(N, H)}{f'(a)}, \qquad
# \underset{(N, D)}{dx} = \underset{(N, H)}{da}\; \underset{(H, D)}{W^\top} .
# $$
#
# Each number of $dx$ is a sum over the $H$ units of the layer. If what comes in does not depend on these weights (this is an
# approximation, and a good one at the start of training), the same argument gives
#
# $$
# \mathbb E[dx^2] = H\, s^2\, \mathbb E[f'(a)^2]\, \mathbb E[dy^2] .
# $$
#
# For ReLU $f'$ is 1 or 0, half of the time each, so $\mathbb E[f'^2] = \frac12$ and the gradient keeps its size with $s^2 = 2 / H$. For
# a layer with as many outputs as inputs that is He's choice again. Where $D \ne H$ one cannot have both; with $f' \approx 1$,
# [Glorot and Bengio 2010](bibliography.md#glorot-2010) take a compromise between $1/D$ and $1/H$, one over the mean of $D$ and $H$
# (their harmonic mean), eq. 12:
#
# $$
# s^2 = \frac{2}{D + H} .
# $$
#
# **And the sigmoid?** Its slope, with $y = \sigma(a)$, is
#
# $$
# \sigma'(a) = y (1 - y) = \tfrac14 - \big(y - \tfrac12\big)^2 \;\le\; \tfrac14 .
# $$
#
# So $\mathbb E[f'^2] \le \frac1{16}$. With weights that would keep the size of a gradient otherwise, $H s^2 = 1$, **each sigmoid layer leaves
# a quarter of the gradient, at the very best**. Ten of them leave $4^{-10}$, a millionth. Larger weights do not help for long: they
# drive $a$ to where the slope is even smaller. That is the [vanishing gradient](glossary.md#vanishing-gradient).

# %%
steep = np.linspace(-8, 8, 1601)
slope = sae.Sigmoid()
y = slope.forward(steep[None])
assert np.isclose(slope.backward(np.ones((1, 1601))).max(), 0.25)
assert np.allclose(slope.backward(np.ones((1, 1601))), 0.25 - (y - 0.5) ** 2)
print(f"4⁻¹⁰ = {4.0**-10:.1e}")

# %% [markdown]
# Send a random signal forward through twenty layers of 256 units, and a random gradient back. Nothing is trained here, this
# is the state in which training has to begin.

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
    "Left: the signal on its way forward, from layer 1 to 20. Right: the gradient on its way back, from layer 20 to 1.",
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
# The formulas say 1, $\sqrt{1/2} = 0.707$ and $\sqrt 2 = 1.414$ for ReLU, and at most 0.25 for the sigmoid. Look at the left panel too: the sigmoid's
# output does not fade, it is about ½ everywhere, but its part that *differs from one example to the next* does. After twenty
# layers all images look the same to thirteen digits. That is why the network could only answer with the mean.
#
# ## The code
#
# The draw of the weights, and the ReLU: the two cures, in eight lines.

# %%
source(draw_weights, sae.ReLU)

# %% [markdown]
# And the networks of this chapter: `stack` gives each layer the initialisation that suits what follows it.

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
# ReLU has a corner at 0, where no derivative exists: the slope is 0 to the left and 1 to the right. The library takes 0. A central
# difference sees ½ there, so the check has to tell a corner from an error. It does, and counts the corners:

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
# `sae.watch` recorded the two trainings at the top: every tenth step, the norm of the gradient in every layer. This is what
# arrived, as the median over the run, and what the library has to say about it.

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
    "What arrives at each layer during training.",
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
# Adam divides each gradient by its own size, so why does it not mend this? It does make tiny gradients large. But as long as the
# *signal* has vanished, all examples give nearly the same gradient, and hardly anything in it tells them apart, however large it
# is made.
#
# **Depth, with each function.** The same number of epochs, one to five layers on each side:

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
# Tanh is between the two. Its slope is 1 at 0, so little vanishes at the start, but with five layers on each side the network still
# waits at the mean image for as long as it trains here.
#
# ## Units that die, and how to keep them
#
# ReLU has its own way to fail. If a unit's input is negative for every example, its output is 0, its slope is 0, no gradient
# reaches its weights, and it stays so for ever: a **dead** unit. One long step is enough. The narrow layer suffers most, since
# every unit lost there is a number of the code lost. Count them in the preset `deep`, whose code ends in a ReLU, and in
# `deep-linear-code`, the same without that ReLU:

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
# So a code should not end in a ReLU, unless you want it sparse ([chapter 10](10_sparse_contractive.py)). The presets keep both, so
# that the difference can be seen.
#
# **Exploding, and clipping.** The opposite of vanishing: one step so long that it ruins the network. A bound on the length of the
# gradient helps, which keeps its direction ([Pascanu et al. 2013](bibliography.md#pascanu-2013)):
#
# $$
# g \leftarrow g \cdot \min\!\Big(1, \frac{c}{\lVert g \rVert}\Big).
# $$
#
# **Break it, and mend it:** gradient descent with a rate ten times too large kills most of the code in the first steps; with
# $c = 10$, and nothing else changed, it learns.

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
# **Break it.** Give all units of a layer the same weights. Then they compute the same, so they get the same gradient, so they take
# the same step. By induction they stay equal, for any optimizer and any number of steps. In symbols, for one hidden layer: if the
# columns of $W_1$ $(D, H)$, the numbers of $b_1$ and the rows of $W_2$ $(H, D)$ are equal, then the columns of $z$ $(N, H)$ are, then
# those of $dz = da_2\, W_2^\top$, then those of $dW_1 = x^\top (dz \odot f')$, and the rows of $dW_2 = z^\top da_2$. The layer has $H$ units and the
# power of one. Random weights break the tie.

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
# ## 2006
#
# [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b) made deep autoencoders work with sigmoids and the computers of the
# time. They trained each layer first, by itself, as a Boltzmann machine ([chapter 12](12_boltzmann.py)), and so began
# backpropagation from weights that let signals through. On MNIST their 784-1000-500-250-30 network reached a squared error of
# 3.00 per test image, where PCA with 30 numbers leaves 13.87. For one of their data sets, the curves, they report that the network without
# this start reconstructs the mean. Here is their network, with the logistic units of the paper and with the smooth ReLU of the
# preset `science2006`, both from random weights, for the same few steps:

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
# `scratchae tutorial 5 --data mnist` runs this chapter on MNIST, in about 40 s. The whole experiment is `scratchae train science2006 --data mnist`
# (80 epochs, 6 min 20 s on two cores): it reaches **2.87** per test image from random weights, by He's draw, a smooth ReLU, Adam
# with a warm-up, and a rate that falls. With the layers trained first, `scratchae train dbn --data mnist` (10 min 48 s) reaches
# 2.63. Each figure is that of one run (`benchmarks/README.md`): squared error summed over the 784 pixels, test images. So what needed
# pretraining in 2006, a good initialisation does now; [Martens 2010](bibliography.md#martens-2010) and
# [Sutskever et al. 2013](bibliography.md#sutskever-2013) were the first to train such autoencoders from random weights. The two runs differ in more than the pretraining (sigmoids against the smooth
# ReLU, other schedules), so the difference between them is one of recipes; [chapter 12](12_boltzmann.py) compares like with like.
#
# ## Exercises

# %%
exercise("05_relu")

# %%
exercise("05_he")

# %% [markdown]
# **Think, then compute.**
#
# 1. A leaky ReLU has slope $c$ for negative numbers. Which $s^2$ keeps $\mathbb E[y^2] = \mathbb E[x^2]$? What comes out for $c = 1$, and why?
# 2. What is the share of the *gradient's square* that one sigmoid layer leaves when $s^2 = 16 / H$, if the pre-activations stayed near 0?
#    Why do they not stay there?
# 3. The biases start at 0. What would change in the derivation if they were drawn with variance $s_b^2$?
# 4. `deep` has 784 outputs behind a sigmoid. Does the sigmoid at the *end* make gradients vanish?
#
# Answers:

# %%
for c in (0.0, 0.3, 1.0):
    layer = sae.LeakyReLU(c) if c < 1 else sae.Identity()
    normal = rng.standard_normal((200_000, 1))
    kept = float((layer.forward(normal) ** 2).mean())
    print(
        f"1. c = {c}: E[y²] / E[a²] = {kept:.3f}, (1 + c²) / 2 = {(1 + c**2) / 2:.3f}; s² = {2 / (1 + c**2):.2f} / D"
    )
    assert np.isclose(kept, (1 + c**2) / 2, rtol=0.02)
for spread in (0.1, 1.0, 3.0, 10.0):
    wide = spread * rng.standard_normal((200_000, 1))
    layer = sae.Sigmoid()
    layer.forward(wide)
    kept = 16 * float((layer.backward(np.ones_like(wide)) ** 2).mean())
    print(f"2. pre-activations of standard deviation {spread:4.1f}: 16 E[f'²] = {kept:.3f}")

# %% [markdown]
# 1\. $s^2 = \frac{2}{(1 + c^2) D}$; for $c = 1$ nothing bends, and $s^2 = 1/D$.
#
# 2\. All of it, at 0. But a sigmoid's outputs are about ½ each, so $\mathbb E[a^2] = D s^2 / 4 = 4$ already: standard deviation 2, where
# much less than all is left.
#
# 3\. $\mathbb E[a^2] = D s^2\, \mathbb E[x^2] + s_b^2$: the signal's part keeps its size, but each layer adds something that is the same for all
# examples. The backward pass does not change.
#
# 4\. Once, by a factor of at most ¼, and more where a pixel is wrong and certain: [chapter 07](07_cross_entropy.py) is about that.
# It does not repeat layer by layer.
#
# ## Further reading
#
# - [Glorot and Bengio 2010](bibliography.md#glorot-2010) and [He et al. 2015](bibliography.md#he-2015): the two ways to draw weights.
# - [Nair and Hinton 2010](bibliography.md#nair-2010): the ReLU. [Ioffe and Szegedy 2015](bibliography.md#ioffe-2015): batch normalisation, another cure.
# - [Prince 2023](bibliography.md#prince-2023), chapters 7 and 11: initialisation, and residual connections, a third cure.
#
# ## What to read in the source next
#
# - `scratchae/layers/initial.py`, `scratchae/layers/activations.py`: the cures.
# - `scratchae/study/watch.py`: what `watch` measures, and where its warnings begin.
# - `scratchae/presets/dense.py`: `deep`, `deep-linear-code`, `science2006`.
#
# Then [chapter 06](06_pca.py): what if nothing bends at all?
