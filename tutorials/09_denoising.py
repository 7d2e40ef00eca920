# %% [markdown]
# # 09 · Denoising: learning from damage
#
# *What does an autoencoder learn if it must give back more than it was shown?*
#
# **Time** 50 minutes to read, 20 s to run on two cores.

# %% [markdown]
# ## The question
#
# An autoencoder whose [code](glossary.md#code) is as large as its input can copy, and learns
# nothing ([chapter 06](06_pca.py)). A small code is one way to forbid copying. Here is another:
# **damage the input, and ask for the original**. Copying is now wrong, since the damage would be
# copied too. To tell what is damage and what is digit, the net must know what digits look like.
#
# This is a **[denoising autoencoder](glossary.md#denoising-autoencoder)** ([Vincent et al.
# 2008](bibliography.md#vincent-2008)). It changes one line of an autoencoder, and this chapter
# answers four questions about it. What is the best that *any* denoiser can do? What exactly does
# the net learn? What does the backward pass do with the noise? And what goes wrong if the target
# is noisy as well, or if the noise is drawn only once?

# %%
import numpy as np

import scratchae as sae
from scratchae.data import pixels
from scratchae.layers.noise import Masked
from scratchae.presets import PRESETS
from scratchae.presets.preset import warm_cosine
from scratchae.presets.regularised import denoising
from scratchae.runs.autoencoder import median_filter
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

data = dataset()  # strokes, or what --data names
rng = np.random.default_rng(0)
train = pixels(data.train_images)  # (N, 784), in [0, 1]
test = pixels(data.test_images)[:1000]


def squared_error(made, wanted):
    """Summed over the pixels of an image, averaged over images."""
    return float(((made - wanted) ** 2).sum(axis=1).mean())


# %% [markdown]
# ## A picture of it
#
# Three ways to damage an image. *[Gaussian](mathematics.md#density-and-the-normal-distribution)*: to every pixel add $\sigma\varepsilon$ with
# $\varepsilon \sim \mathcal N(0, 1)$, here with $\sigma = 0.5$; then the pixel is *cut*, which means
# that a value below 0 becomes 0 and a value above 1 becomes 1. *Masking*: set each pixel to 0 with
# probability ½. *Salt and pepper*: with probability ¼ replace a pixel, by 0 or by 1 with
# equal odds.

# %%
noises = {
    "Gaussian 0.5, cut": sae.GaussianNoise(0.5, clip=(0, 1)),
    "masking 0.5": sae.MaskingNoise(0.5),
    "salt, pepper 0.25": sae.SaltAndPepper(0.25),
}
chosen = [
    int(np.flatnonzero(data.test_labels[: len(test)] == label)[0]) for label in range(8)
]


def image_rows(rows, name, alt, caption):
    """Rows of images (n, 784), each row with its name, as wide as the page."""
    n = len(next(iter(rows.values())))
    drawn, grid = figure(7, 0.72 * len(rows), rows=len(rows), columns=n)
    for line, (label, images) in zip(grid, rows.items(), strict=True):
        for ax, image in zip(line, images, strict=True):
            ax.imshow(image.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    show(drawn, name, alt, caption)


image_rows(
    {"clean": test[chosen]}
    | {name: noise.forward(test[chosen], rng) for name, noise in noises.items()},
    "noise",
    "Eight digits, clean and with three kinds of noise: grey grain everywhere, half of"
    " the ink missing, black and white dots. "
    "All remain legible.",
    "Clean digits and three kinds of damage. You can read them all: you know what "
    "digits look like.",
)

# %% [markdown]
# ## Forward
#
# $$
# \underset{(N, D)}{\tilde x} = \mathrm{noise}(x), \qquad
# \underset{(N, K)}{z} = \mathrm{encoder}(\tilde x), \qquad
# \underset{(N, D)}{\hat x} = \mathrm{decoder}(z), \qquad
# L = \mathrm{loss}(\hat x, x) .
# $$
#
# The noise comes first, and the **target is the clean** $x$. So a denoising autoencoder needs no
# class of its own: it is an `Autoencoder` whose encoder begins with a noise layer. `objective`
# gives $x$ to the encoder, whose first layer makes a damaged copy of it; and it gives the same,
# undamaged $x$ to the loss as the target.

# %%
source(
    denoising,
    sae.Autoencoder.objective,
    sae.GaussianNoise.forward,
    Masked.forward,
    sae.MaskingNoise.draw,
)

# %% [markdown]
# If `forward` gets a random generator `rng`, as in training, the layers draw noise. Without a generator, as when a
# trained net is used, they pass $x$ through, so that $\tilde x = x$. How large is the damage? For one image with
# $D = 784$ pixels, with $r$ for the probability that a pixel is masked or replaced, and without cutting, the [expectation](mathematics.md#expectation-variance-covariance) of the squared error is
#
# $$
# \mathbb E\,\|\tilde x - x\|^2 =
# \begin{cases}
# D\,\sigma^2 & \text{Gaussian: } \tilde x - x = \sigma\varepsilon \\
# r \sum_d x_d^2 & \text{masking: an error of } x_d \text{ with probability } r \\
# r \sum_d \tfrac12 \left(x_d^2 + (1 - x_d)^2\right) & \text{salt and pepper: } x_d \text{ becomes 0 or 1, with equal odds}
# \end{cases}
# $$
#
# **While reading** (★, 3 minutes). An image has 150 pixels of 1, and all others are 0. How large is
# the expected damage of masking with $r = \frac12$, and of salt and pepper with $r = \frac14$? Why
# does the second not depend on the number of ink pixels?
#
# <details><summary>Answer</summary>
#
# Masking: $\frac12 \cdot 150 = 75$. Salt and pepper: $\frac14 \cdot \frac12 \cdot 784 = 98$, because
# $x_d^2 + (1 - x_d)^2$ is 1 for $x_d = 0$ and also for $x_d = 1$: a pixel of either kind is changed
# with probability ½ when it is replaced, and then the error is 1.
#
# </details>

# %%
predicted = {
    sae.GaussianNoise(0.5): 784 * 0.5**2,
    sae.MaskingNoise(0.5): 0.5 * float((test**2).sum(axis=1).mean()),
    sae.SaltAndPepper(0.25): 0.25
    * 0.5
    * float((test**2 + (1 - test) ** 2).sum(axis=1).mean()),
}
for noise, expected in predicted.items():
    damage = squared_error(noise.forward(test, rng), test)
    print(
        f"{noise!r:<28} squared error per image: formula {expected:6.1f}, measured {damage:6.1f}"
    )
    assert abs(damage / expected - 1) < 0.02
    assert noise.forward(test) is test  # without a generator: nothing
cut = squared_error(noises["Gaussian 0.5, cut"].forward(test, rng), test)
print(f"{'cut to [0, 1], as below':<28} squared error per image: {cut:>24.1f}")
assert cut < 784 * 0.5**2 / 2  # most pixels are 0 or 1, where half of the noise is cut away

# %% [markdown]
# ## What is the best denoiser?
#
# Suppose that the error is squared error, and that any function $r(\tilde x)$ is allowed as a denoiser
# (from here on $r$ is this function, and no longer a probability). One noisy image
# may have come from many clean ones, some more likely than others. Fix $\tilde x$, write
# $m = \mathbb E[x \mid \tilde x]$ for the [mean of $x$ given $\tilde x$](mathematics.md#conditional-probability-and-bayes-rule), and let
# $r = r(\tilde x)$:
#
# $$
# \begin{aligned}
# \mathbb E\big[\|r - x\|^2 \mid \tilde x\big]
# &= \mathbb E\big[\|(r - m) + (m - x)\|^2 \mid \tilde x\big] \\
# &= \|r - m\|^2 + 2\,(r - m)^\top \underbrace{\mathbb E[m - x \mid \tilde x]}_{= 0} + \mathbb E\big[\|m - x\|^2 \mid \tilde x\big] .
# \end{aligned}
# $$
#
# Given $\tilde x$, the vector $r - m$ is fixed, so it stands before the expectation in the middle term; and this term is 0, because
# $m$ is the mean of $x$. The last term does not depend on $r$; the first is least, 0, at $r = m$. So the best denoiser is
# the **mean of all clean images that $\tilde x$ could have come from, each weighted by its
# probability**:
#
# $$
# r^*(\tilde x) = \mathbb E[x \mid \tilde x] .
# $$
#
# Here is such a mean. Suppose for a moment that only the 2,000 images $x_i$ of a list exist, all
# equally likely. One of them got noise with $\sigma = 2$, and we see the result $\tilde x$.
# The noise that would have made $\tilde x$ from $x_i$ is $\tilde x - x_i$, and its density is
# proportional to $\exp(-\|\tilde x - x_i\|^2 / 2\sigma^2)$. All $x_i$
# were equally likely before. So, by Bayes' rule, the probability $w_i$ of $x_i$ given $\tilde x$ is this exponential, divided by
# the sum of the exponentials of all images; and $\mathbb E[x \mid \tilde x] = \sum_i w_i x_i$.
#
# **Predict.** Two answers are compared on 400 noisy images: the image with the largest $w_i$, which
# is sharp, and the mean, which is blurred. Which one has the smaller squared error?

# %%
known, far = train[: quick(2000, 500)], 2.0
chosen_rows = np.arange(400) % len(known)
seen = known[chosen_rows] + far * rng.standard_normal((400, 784)).astype(np.float32)
apart = (seen**2).sum(1)[:, None] - 2 * seen @ known.T + (known**2).sum(1)  # |x̃ - xᵢ|²
weight = np.exp((apart.min(axis=1, keepdims=True) - apart) / (2 * far**2))
weight /= weight.sum(axis=1, keepdims=True)
likeliest, mean = known[weight.argmax(axis=1)], weight @ known
of_likeliest, of_mean = (
    squared_error(answer, known[chosen_rows]) for answer in (likeliest, mean)
)
print(f"squared error of the likeliest image {of_likeliest:.1f}, of the mean {of_mean:.1f}")
assert of_mean < of_likeliest

undecided = int(np.abs(weight.max(axis=1) - 0.4).argmin())  # several images are likely
candidates = np.argsort(-weight[undecided])[:5]
drawn, axes = figure(7, 1.5, columns=8)
images = [
    known[chosen_rows[undecided]],
    seen[undecided],
    *known[candidates],
    mean[undecided],
]
names = [
    "clean",
    "noisy x̃",
    *(f"w = {weight[undecided, i]:.2f}" for i in candidates),
    "mean",
]
for ax, image, name in zip(axes, images, names, strict=True):
    ax.imshow(image.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_title(name, fontsize=9)
    ax.grid(visible=False)
show(
    drawn,
    "posterior",
    "Eight images in a row: a clean digit, the same under heavy noise, the five clean "
    "images that are "
    "most probable given the noisy one, each with its probability, and the mean of all "
    "images "
    "weighted by their probabilities, which is blurred.",
    "One noisy image, the five clean ones that it most probably came from, and the mean of "
    "the whole list, "
    "the best denoiser's answer. Look how blurred the mean is.",
)

# %% [markdown]
# The mean has the smaller error, though no image of the list looks like it. A mean of several sharp
# images is blurred. That is why denoised images look soft where the net cannot know which sharp
# image is right: a sharp answer is far off if it is the wrong one, and an answer between the candidates is
# not so far from any of them. (The
# cross-entropy, which the presets use, has the same best answer. It is linear in the target $x$, so
# its expectation depends on $\mathbb E[x \mid \tilde x]$ alone; and [chapter
# 07](07_cross_entropy.py) shows that it is least where the prediction equals that mean.)
#
# ### A case that you can solve by hand
#
# Let $x$ be $-1$ or $+1$, with equal odds, and $\tilde x = x + \sigma\varepsilon$. By [Bayes' rule](mathematics.md#conditional-probability-and-bayes-rule)
# the odds of $+1$ against $-1$ are the ratio of two Gaussian densities:
#
# $$
# \frac{p(+1 \mid \tilde x)}{p(-1 \mid \tilde x)}
# = \frac{\exp\!\big(-(\tilde x - 1)^2 / 2\sigma^2\big)}{\exp\!\big(-(\tilde x + 1)^2 / 2\sigma^2\big)}
# = e^{2 \tilde x / \sigma^2},
# \qquad
# \mathbb E[x \mid \tilde x] = \frac{e^{2\tilde x/\sigma^2} - 1}{e^{2\tilde x/\sigma^2} + 1} = \tanh\frac{\tilde x}{\sigma^2} .
# $$
#
# The exponent of the quotient is $2\tilde x / \sigma^2$, because
# $(\tilde x + 1)^2 - (\tilde x - 1)^2 = 4 \tilde x$. The second formula follows from the first: with odds $o$ the probability of $+1$ is $o / (o + 1)$,
# that of $-1$ is $1 / (o + 1)$, so the mean is $(o - 1) / (o + 1)$; and
# $(e^{2u} - 1) / (e^{2u} + 1)$ is $\tanh u$. For example, with $\sigma = 0.7$
# and $\tilde x = 0.3$ the odds are $e^{0.6 / 0.49} = 3.4$, the probability of $+1$ is 0.773, and the
# best answer is $0.773 - 0.227 = 0.546$, a number that $x$ never is.
#
# Train a denoising autoencoder of 1 → 16 → 1 on such numbers, and compare. The net is told nothing
# of Bayes' rule.

# %%
std = 0.7
coins = rng.choice([-1.0, 1.0], (4000, 1)).astype(np.float32)
encoder = sae.Sequential(sae.GaussianNoise(std), sae.Dense(1, 16, rng=rng), sae.Tanh())
scalar = sae.Autoencoder(encoder, sae.Sequential(sae.Dense(16, 1, rng=rng)), loss=sae.MSE())
sae.fit(
    scalar,
    coins,
    epochs=30,
    batch_size=200,
    optimizer=warm_cosine()(1e-2, 600),
    progress=False,
)

at = np.linspace(-2.5, 2.5, 101, dtype=np.float32)[:, None]
exact, learned = np.tanh(at / std**2), scalar.reconstruct(at)
noisy = (coins + std * rng.standard_normal(coins.shape)).astype(np.float32)
edges = np.linspace(-2.25, 2.25, 19)
bins = np.digitize(noisy[:, 0], edges)
# mean of x, by noisy value
measured = [float(coins[bins == b].mean()) for b in range(1, len(edges))]
print(f"largest deviation of the net from tanh(x/σ²): {np.abs(exact - learned).max():.3f}")
assert np.abs(exact - learned).max() < 0.15

drawn, ax = figure(6, 3.4)
ax.plot(at, at, color="black", linewidth=0.8, linestyle=":", label="copy")
ax.plot(at, exact, color="black", linewidth=4, alpha=0.25, label="best: tanh(x̃ / σ²)")
ax.plot(at, learned, color="#D55E00", linestyle="--", label="learned")
ax.plot(
    (edges[1:] + edges[:-1]) / 2,
    measured,
    "ko",
    markersize=4,
    label="mean of x in 4,000 draws",
)
ax.set(xlabel="noisy number x̃", ylabel="denoised", ylim=(-1.6, 1.6))
ax.legend()
show(
    drawn,
    "tanh",
    "The best denoiser of plus or minus one, a tanh; the function that the autoencoder"
    " has learned lies on it, as do the means of x "
    "for each noisy value. Copying would be the diagonal.",
    "σ = 0.7. The learned curve and the dots lie on the broad grey curve, and not on the "
    "dotted line: the net has found the mean of x given x̃.",
)

# %% [markdown]
# ### Where the arrows point
#
# In more dimensions: let the data lie on a circle in the plane, and the noise be Gaussian with
# $\sigma = 0.4$. For data points $x_1 \dots x_n$, equally likely, Bayes' rule gives the best
# denoiser in full:
#
# $$
# r^*(\tilde x) = \sum_{i=1}^n w_i\, x_i, \qquad
# w_i = \frac{\exp(-\|\tilde x - x_i\|^2 / 2\sigma^2)}{\sum_k \exp(-\|\tilde x - x_k\|^2 / 2\sigma^2)} .
# $$
#
# Now look at the step $r^*(\tilde x) - \tilde x$ from a noisy point to its denoised place. The
# density of noisy points is the mean of $n$ normal densities, one around each data point:
# $p(\tilde x) = \frac1n \sum_i (2\pi\sigma^2)^{-D/2} \exp(-\|\tilde x - x_i\|^2 / 2\sigma^2)$.
# Let $\nabla$ be the derivative by $\tilde x$. In the quotient $\nabla p / p$ the constant factors cancel, and the $w_i$ add up to 1. So
#
# $$
# \begin{aligned}
# \nabla \log p(\tilde x)
# &= \frac{\nabla p(\tilde x)}{p(\tilde x)}
# = \frac{\sum_i \exp(-\|\tilde x - x_i\|^2 / 2\sigma^2)\; \frac{x_i - \tilde x}{\sigma^2}}{\sum_k \exp(-\|\tilde x - x_k\|^2 / 2\sigma^2)} \\
# &= \frac{1}{\sigma^2} \Big(\sum_i w_i\, x_i - \tilde x\Big)
# \qquad\Longrightarrow\qquad
# r^*(\tilde x) - \tilde x = \sigma^2\, \nabla \log p(\tilde x) .
# \end{aligned}
# $$
#
# **A denoiser's step points uphill on the log of the *noisy* data's density**. This is the density that the data have
# after noise of standard deviation $\sigma$ was added to them. The data themselves are $n$ points here, and a
# set of points has no density; the density $p$ exists because the noise spreads each point over its
# surroundings. So a net that denoises well has learned the slope of $\log p$, although no density
# was ever computed. But it has learned the slope only where training puts noisy points, which
# is within about $2\sigma$ of the data. That is why [chapter 19](19_diffusion.py) uses many levels of noise. The
# identity in the last line of the derivation is known as Tweedie's formula ([Robbins 1956](bibliography.md#robbins-1956), [Miyasawa
# 1961](bibliography.md#miyasawa-1961), [Efron 2011](bibliography.md#efron-2011)); that a denoising
# autoencoder learns it was shown by [Vincent 2011](bibliography.md#vincent-2011) and [Alain and
# Bengio 2014](bibliography.md#alain-2014).

# %%
std = 0.4
angle = rng.uniform(0, 2 * np.pi, 3000)
ring = (1.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def log_density(points):
    """log p of noisy points, (n,), but for the constant."""
    distance = ((points[:, None] - ring[None]) ** 2).sum(axis=-1) / (2 * std**2)
    nearest = distance.min(axis=1)
    return np.log(np.exp(nearest[:, None] - distance).mean(axis=1)) - nearest


def best(points):
    """E[x | noisy point], (n, 2)."""
    distance = ((points[:, None] - ring[None]) ** 2).sum(axis=-1) / (2 * std**2)
    weights = np.exp(distance.min(axis=1, keepdims=True) - distance)
    return weights @ ring / weights.sum(axis=1, keepdims=True)


points = rng.uniform(-2.4, 2.4, (20, 2))
h = 1e-4
slope = np.stack(
    [log_density(points + h * axis) - log_density(points - h * axis) for axis in np.eye(2)],
    1,
) / (2 * h)
# the identity, by finite differences
assert np.allclose(best(points) - points, std**2 * slope, atol=1e-6)

encoder = sae.Sequential(
    *(sae.GaussianNoise(std), sae.Dense(2, 64, init="he", rng=rng), sae.ReLU()),
    *(sae.Dense(64, 64, init="he", rng=rng), sae.ReLU()),
)
plane = sae.Autoencoder(encoder, sae.Sequential(sae.Dense(64, 2, rng=rng)), loss=sae.MSE())
sae.fit(
    plane,
    ring,
    epochs=40,
    batch_size=100,
    optimizer=warm_cosine()(5e-3, 1200),
    progress=False,
)

axis = np.linspace(-2.4, 2.4, 13, dtype=np.float32)
grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
steps = {"learned": plane.reconstruct(grid) - grid, "σ² ∇ log p, exact": best(grid) - grid}
# where training has put noisy points
near = np.abs(np.linalg.norm(grid, axis=1) - 1.5) < 2 * std
difference = np.linalg.norm(steps["learned"] - steps["σ² ∇ log p, exact"], axis=1)[near]
length = np.linalg.norm(steps["σ² ∇ log p, exact"], axis=1)[near]
print(
    f"steps near the circle: mean length {length.mean():.3f}, mean deviation of the learned ones {difference.mean():.3f}"
)
assert difference.mean() < 0.2 * length.mean()

drawn, axes = figure(7, 4.2, columns=2, sharex=True, sharey=True)
for ax, (name, step) in zip(axes, steps.items(), strict=True):
    ax.plot(*ring[:400].T, ".", color="#E69F00", markersize=3)
    ax.quiver(
        *grid.T,
        *step.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.005,
        color="#0072B2",
    )
    ax.set(aspect="equal", xlabel="$x_1$", xlim=(-2.7, 2.7), ylim=(-2.7, 2.7))
    ax.set_title(name)
axes[0].set_ylabel("$x_2$")
show(
    drawn,
    "ring",
    "Arrows from a grid of points in the plane towards a circle of data, twice: as the"
    " denoising autoencoder moves them, and as the "
    "gradient of the log-density of noisy data says. Near the circle the two pictures agree.",
    "Where a denoiser sends each point. It leaves points on the circle nearly where they are, "
    "and moves the others uphill on the log-density of noisy data.",
)

# %% [markdown]
# This is why the code of a denoising autoencoder may be
# **[overcomplete](glossary.md#overcomplete)** (here 64 numbers for 2): the best function is
# $\mathbb E[x \mid \tilde x]$, and not the identity, whatever the size of the code.

# %% [markdown]
# ## Backward, with shapes
#
# Once the noise has been drawn, it is a constant like the data. So the gradient is taken *given the
# draw*, and each layer differentiates the line that it computed with this draw in the forward pass:
#
# $$
# \begin{aligned}
# \text{Gaussian: } & \tilde x = x + \sigma\varepsilon
# && \Rightarrow \underset{(N, D)}{dx} = \underset{(N, D)}{d\tilde x} \\
# \text{the same, cut: } & \tilde x = \min(\max(x + \sigma\varepsilon, 0), 1)
# && \Rightarrow dx = d\tilde x \odot [\,0 < x + \sigma\varepsilon < 1\,] \\
# \text{masking: } & \tilde x = x \odot \mathrm{mask}
# && \Rightarrow dx = d\tilde x \odot \mathrm{mask} \\
# \text{salt and pepper: } & \tilde x = x \odot \mathrm{mask} + \mathrm{salt}
# && \Rightarrow dx = d\tilde x \odot \mathrm{mask}
# \end{aligned}
# $$
#
# where $[\cdot]$ is 1 if the condition in it holds, else 0; a mask is 0 where a pixel was set to 0 or replaced, else 1; and salt is 1
# where a pixel was replaced by 1, else 0. All layers keep what they drew (`noise`,
# `mask`, `salt`), so that you can look at it. A gradient check evaluates the layer many times, and must get the
# same noise each time. So, for each evaluation, `check_gradients` makes a new generator with the same seed.

# %%
source(sae.GaussianNoise.backward, Masked.backward)
small = rng.uniform(0.05, 0.95, (3, 4))
for noise in (*noises.values(), sae.GaussianNoise(0.5)):
    report = sae.check_gradients(noise, small)
    print(f"{noise!r:<36} largest relative error {report.worst:.1e}")
    assert report.passed

# %% [markdown]
# **Break it.** Forget the mask in `backward`, and check the gradients of a whole autoencoder, once
# with this layer at the very beginning and once with it on the code, in the middle.
#
# **Predict.** Which parameters have wrong gradients in each of the two?

# %%


class Forgetful(sae.MaskingNoise):
    def backward(self, dy):
        return dy  # WRONG: right is dy * self.mask


def with_noise(*, first):
    draw = np.random.default_rng(1)
    dense = sae.Dense(4, 6, rng=draw), sae.Tanh()
    encoder = (
        sae.Sequential(Forgetful(0.4), *dense)
        if first
        else sae.Sequential(*dense, Forgetful(0.4))
    )
    return sae.Autoencoder(
        encoder, sae.Sequential(sae.Dense(6, 4, rng=draw)), loss=sae.MSE()
    )


assert not sae.check_gradients(Forgetful(0.4), small).passed
for first in (True, False):
    report = sae.check_gradients(with_noise(first=first), small)
    wrong = [check.name for check in report.checks if not check.passed]
    print(
        "noise first:    " if first else "noise on the code:",
        "wrong:",
        ", ".join(wrong) or "nothing",
    )
    assert wrong == ([] if first else ["encoder.0.W", "encoder.0.b"])

# %% [markdown]
# At the beginning the mistake does no harm: no parameter stands before the noise layer, so its
# $dx$, the gradient of the data, is used for nothing, and `backward_parameters` does not even compute it. On
# the code the mistake makes the gradients of the encoder wrong, because they are computed from the $dx$ of the noise layer.
#
# ## Two errors that you will meet
#
# ### The target must be clean
#
# **Wrong:** $L = \mathrm{loss}(\hat x, \tilde x)$: noisy images in, the same noisy images as
# target. The program runs, the loss falls, and the net learns to copy noise. **Right:**
# $L = \mathrm{loss}(\hat x, x)$. The smallest example is one number and one weight: $x$ with
# variance $s^2$ and mean 0, noise of variance $\sigma^2$, $\hat x = w \tilde x$. The noise
# is independent of $x$ and has mean 0, so $\mathbb E\tilde x^2 = s^2 + \sigma^2$ and $\mathbb E\tilde x x = s^2$. Set the derivative by $w$
# to 0:
#
# $$
# \begin{aligned}
# \text{right: } & \tfrac{d}{dw}\, \mathbb E (w\tilde x - x)^2 = 2\big(w\, \mathbb E\tilde x^2 - \mathbb E \tilde x x\big) = 0
# && \Rightarrow w = \frac{s^2}{s^2 + \sigma^2} \\
# \text{wrong: } & \tfrac{d}{dw}\, \mathbb E (w\tilde x - \tilde x)^2 = 2\,(w - 1)\, \mathbb E \tilde x^2 = 0
# && \Rightarrow w = 1
# \end{aligned}
# $$
#
# With $s = 1$ and $\sigma = 1$ the right weight is ½, and it halves the error. The wrong weight is 1,
# and removes no noise at all.

# %%
clean = rng.standard_normal(200_000)
noisy = clean + rng.standard_normal(200_000)
# least squares
right, wrong = (
    (noisy @ clean) / (noisy @ noisy),
    (noisy @ noisy) / (noisy @ noisy),
)
print(
    f"clean target: w = {right:.3f}, mean squared error {np.mean((right * noisy - clean) ** 2):.3f}"
)
print(
    f"noisy target: w = {wrong:.3f}, mean squared error {np.mean((wrong * noisy - clean) ** 2):.3f}"
)
assert abs(right - 0.5) < 0.01 and wrong == 1.0

# %% [markdown]
# ### The noise must be drawn afresh
#
# **Wrong:** make one noisy copy of the training set, and train on these pairs for many epochs.
# That is a data set of fixed pairs, and the net can learn the noise of each image by heart.
# **Right:** draw new noise for every batch. Then an image never comes twice with the same noise, so
# that there is no noise to learn by heart.
#
# To see both errors on images, here is a training step written out, with the two choices as
# arguments. With its default arguments it does what `fit` does with the preset `denoising`.
#
# **Predict.** Two nets train on the same images for as long, one with fresh noise, the other with noise that was drawn once. Which one has the smaller error on the
# noisy copies that were drawn once, and which one on new images?

# %%
noise = noises["Gaussian 0.5, cut"]


def train_denoiser(images, epochs, *, fresh=True, clean_target=True):
    model = PRESETS["denoising"].build(np.random.default_rng(0))
    draw = np.random.default_rng(1)
    frozen = noise.forward(images, draw)
    optimizer = warm_cosine()(2e-3, epochs * -(-len(images) // 100))
    for _ in range(epochs):
        order = draw.permutation(len(images))
        for start in range(0, len(images), 100):
            rows = order[start : start + 100]
            x = images[rows]
            noisy = noise.forward(x, draw) if fresh else frozen[rows]
            # no rng: its own noise is off
            prediction = model.decoder.forward(model.encoder.forward(noisy))
            _, dprediction = model.loss(prediction, x if clean_target else noisy)
            model.encoder.backward_parameters(model.decoder.backward(dprediction))
            optimizer.update(model.parameters, model.gradient)
    return model, frozen


noisy_test = noise.forward(test, np.random.default_rng(2))
few, passes = train[: quick(2000, 400)], quick(20, 8)
errors = {}
print("noise          error on one noisy copy of the training images, on test images")
for name, fresh in (("drawn afresh", True), ("drawn once", False)):
    model, frozen = train_denoiser(few, passes, fresh=fresh)
    on_pairs = squared_error(model.reconstruct(frozen), few)
    on_test = squared_error(model.reconstruct(noisy_test), test)
    errors[name] = on_pairs, on_test
    print(f"{name:<14} {on_pairs:5.1f} {on_test:5.1f}")
assert errors["drawn once"][0] < errors["drawn afresh"][0]  # it knows these very pairs
# and is worse on all others
assert quick(errors["drawn once"][1] > 1.05 * errors["drawn afresh"][1], True)

# %% [markdown]
# The net whose noise was drawn once is better on the pairs that it knows, and worse on new ones,
# because a part of what it has learned is the noise of these pairs. Now the other error, the noisy
# target. **Predict**: will its answers be better than the noisy images themselves?

# %%
model, _ = train_denoiser(few, passes, clean_target=False)
errors["noisy target"] = squared_error(model.reconstruct(noisy_test), test)
print("error on test images")
print(f"noisy images   {squared_error(noisy_test, test):5.1f}")
print(f"noisy target   {errors['noisy target']:5.1f}")
print(f"clean target   {errors['drawn afresh'][1]:5.1f}")
assert errors["drawn afresh"][1] < quick(0.5, 0.8) * errors["noisy target"]
assert errors["noisy target"] < squared_error(noisy_test, test)

# %% [markdown]
# Even with the noisy target some of the noise goes, because a code of 256 numbers has no room for
# the noise of 784 pixels. That is why this error can stay undetected: the pictures look better
# than the input. So compare with the clean images, and not with the input.
#
# ## An experiment
#
# The preset, 784-512-256-512-784, beside three baselines: the noisy images themselves; the
# **median** of each pixel and its eight neighbours; and [PCA](glossary.md#pca) with $k$
# directions, with the $k$ that is best on validation images. How much noise PCA removes can be computed. With $P$ the [projection](mathematics.md#orthonormal-directions-projection-rank)
# on $k$ directions and noise that is not cut,
#
# $$
# \mathbb E\, \|P(x + \sigma\varepsilon) - x\|^2 = \|Px - x\|^2 + \sigma^2\, \mathbb E \|P\varepsilon\|^2 = \|Px - x\|^2 + k\,\sigma^2,
# $$
#
# because $Px - x$ is orthogonal to $P\varepsilon$, and because the noise has the variance $\sigma^2$ in
# each direction, of which $P$ keeps $k$. So with more directions less of the digit is lost, as
# $\|Px - x\|^2$ falls, and more noise gets through, as $k\sigma^2$ grows.

# %%
uncut = (test + 0.5 * np.random.default_rng(3).standard_normal(test.shape)).astype(
    np.float32
)
validation = train[-1000:]
noisy_validation = noise.forward(validation, np.random.default_rng(4))
validation_errors = {}
pca_errors = {}
for k in (16, 32, 64, 128):
    pca = sae.PCA(k).fit(train[: quick(10_000, 2500)])
    expected = squared_error(pca.reconstruct(test), test) + k * 0.5**2
    found = squared_error(pca.reconstruct(uncut), test)
    pca_errors[k] = squared_error(pca.reconstruct(noisy_test), test)
    validation_errors[k] = squared_error(pca.reconstruct(noisy_validation), validation)
    print(
        f"PCA-{k:<4} noise not cut: formula {expected:5.1f}, measured {found:5.1f};   noise cut: {pca_errors[k]:5.1f}"
    )
    assert abs(found / expected - 1) < 0.02
k = min(validation_errors, key=validation_errors.get)
pca = sae.PCA(k).fit(train[: quick(10_000, 2500)])

# %%
images, epochs = quick(10_000, 2500), quick(8, 4)
model = PRESETS["denoising"].build(np.random.default_rng(0))
optimizer = warm_cosine()(2e-3, epochs * -(-images // 100))
history = sae.fit(
    model,
    train[:images],
    epochs=epochs,
    batch_size=100,
    optimizer=optimizer,
    progress=False,
)

results = {
    "noisy": noisy_test,
    "median 3×3": median_filter(noisy_test),
    f"PCA-{k}": pca.reconstruct(noisy_test),
    "autoencoder": model.reconstruct(noisy_test),
}
print(
    f"{images:,} training images, {epochs} epochs; 1,000 test images, squared error per image and pixel:"
)
error = {name: squared_error(made, test) for name, made in results.items()}
for name, value in error.items():
    psnr = 10 * np.log10(784 / value)
    print(
        f"{name:<12} {value:6.2f}   {value / 784:.5f}   peak signal-to-noise ratio {psnr:4.1f} dB"
    )
best_other = min(value for name, value in error.items() if name != "autoencoder")
assert quick(
    error["autoencoder"] < 0.6 * best_other, error["autoencoder"] < 0.5 * error["noisy"]
)
if data_name() == "strokes":
    assert 85 < error["noisy"] < 96 and quick(error["autoencoder"] < 13, True)

# %% [markdown]
# Expected squared error per image on `strokes`, without FAST: about 91 for the noisy images, 30 for the median, 24 for PCA, and
# 11 for the autoencoder. (Peak signal-to-noise ratio, for pixels between 0 and 1:
# $10 \log_{10}(1/\mathrm{error\ per\ pixel})$ decibel, dB; ten times less error is 10 dB more. It
# compares the error with the *largest* pixel that there can be, 1, and not with the images at hand.)

# %%
image_rows(
    {"clean": test[chosen]} | {name: made[chosen] for name, made in results.items()},
    "denoised",
    "Eight digits: clean, noisy, after a median filter, after PCA and after the "
    "autoencoder. The median leaves specks, PCA leaves grey "
    "clouds, the autoencoder gives clean strokes on white.",
    "One row for each method. Look for specks in the median's row and for grey clouds in PCA's; "
    "the autoencoder, which knows that ink comes in strokes, leaves neither.",
)

# %% [markdown]
# **Predict.** Give the trained net *clean* images, which need no denoising. Will the error be
# smaller or larger than that on noisy ones?

# %%
on_clean = squared_error(model.reconstruct(test), test)
print(f"error on noisy input {error['autoencoder']:.1f}, on clean input {on_clean:.1f}")
if data_name() == "strokes":
    assert quick(on_clean > 1.5 * error["autoencoder"], True)

# %% [markdown]
# The error on clean images is *larger*. The net has seen images with one level of noise only, so an
# image without any noise is unusual to it. It still removes what looks like noise to it: grey edges of
# strokes and thin strokes. So `model.reconstruct(test)` does not measure a denoiser: damage the
# test images first, with the same noise as in training.
#
# What were denoising autoencoders used for? They pretrained classifiers. A classifier with three
# hidden layers, each of which was first trained as a denoising autoencoder of the layer below, was
# wrong on 9.53 % of digits that were turned by random angles; with plain autoencoders it was 10.30 %
# ([Vincent et al. 2010](bibliography.md#vincent-2010), table 3). On MNIST as it is the two figures are 1.28 % and
# 1.40 %, which are too close to tell apart. Today the arrows above matter more: if you start at pure
# noise and follow them step by step, while the noise level falls, you end at new data. That is the
# idea behind diffusion models, and [chapter 19](19_diffusion.py) does it.

# %% [markdown]
# ## What to change for MNIST
#
# `scratchae tutorial 9 --data mnist` runs this chapter on MNIST, in the same time. The full
# preset, `scratchae train denoising --data mnist` (59,000 images, 20 epochs), took 83 s on one
# core of an AMD EPYC: squared error 8.58 per image, where noisy images have 90.60, the median
# leaves 30.21 and PCA-64 24.05 (one run; `benchmarks/README.md`). `denoising-masking` and
# `denoising-salt-and-pepper` are the other two kinds of damage.

# %% [markdown]
# ## Exercises
#
# 1. ★, 10 minutes. After *Backward, with shapes*. Write the backward pass of masking noise, in training
#    (with an `rng`) and in inference (without one).

# %%
exercise("09_masking_noise")

# %% [markdown]
# Derive, on paper:
#
# 2. ★★, 10 minutes. After *What is the best denoiser?* There are two noisy copies of the same image,
#    with *independent* noise of mean 0. One is the input, the other the target ([Lehtinen et al.
#    2018](bibliography.md#lehtinen-2018)). What is the best denoiser now?
# 3. ★★, 15 minutes. After *Where the arrows point*. Let $x \sim \mathcal N(0, s^2)$ be one number, and
#    $\tilde x = x + \sigma\varepsilon$. Find the best denoiser from the slope of $\log p(\tilde x)$, and
#    compare it with the weight $w$ of *The target must be clean*.
# 4. ★★, 10 minutes. After *Where the arrows point*. The best denoiser of a *finite* training set is
#    $\sum_i w_i x_i$. What does it answer for a noisy test image if $\sigma$ is small? Why is it good
#    that the net does not find it?
#
# Explore, with the code of this chapter:
#
# 5. ★★, 15 minutes. After *An experiment*. For salt-and-pepper noise the median is better than
#    PCA; for Gaussian noise it is the other way round. Damage `test` with each of the two in `noises`, clean it
#    with `median_filter` and with `pca.reconstruct`, compare the errors, and say why.
# 6. ★★★, 20 minutes. After *An experiment*. `model` was trained with noise of $\sigma = 0.5$. Give it
#    test images with $\sigma$ from 0.1 to 1. At which levels is its answer worse than its input?
#
# <details><summary>Answers</summary>
#
# 2\. The same one. Let $\tilde x'$ be the second copy: $\mathbb E[\tilde x' \mid \tilde x] = \mathbb E[x \mid \tilde x]$, because the second
# noise has mean 0 whatever the first one is. So no clean images are needed, if you have each image
# twice. (Noise that is cut does not have mean 0, though.) The next cell tries it with the one weight
# of *The target must be clean*.
#
# 3\. The sum of two independent normal numbers is normal and their variances add up, so
# $\tilde x \sim \mathcal N(0, s^2 + \sigma^2)$ and
# $\frac{d}{d\tilde x} \log p(\tilde x) = -\tilde x / (s^2 + \sigma^2)$. Then
# $r^*(\tilde x) = \tilde x - \sigma^2 \tilde x / (s^2 + \sigma^2) = \frac{s^2}{s^2 + \sigma^2}\, \tilde x$,
# which is the weight $w$. For normal data the best of all denoisers is linear.
#
# 4\. It answers with the training image that is nearest to $\tilde x$, because for small $\sigma$ one weight is
# nearly 1 and all others are nearly 0. Such a denoiser knows the training images by heart, and answers
# a new image with an old one. The net cannot store 10,000 images so exactly, and interpolates
# between them. A net that then does well on new images is said to generalise.
#
# 5\. The median of nine pixels does not change if a few of them are far off, however far. PCA is
# linear, so a pixel that is twice as far off does twice the harm. Gaussian noise changes all nine
# pixels a little, and PCA averages over many more than nine.
#
# 6\. On `strokes`, of the five levels that the second cell below tries, only at $\sigma = 0.1$. There is little noise to remove there,
# and the net removes parts of the strokes, as it does on clean images.
#
# </details>

# %% tags=["hide-cell"]
other = clean + rng.standard_normal(len(clean))  # the same numbers, other noise
weight = (clean + rng.standard_normal(len(clean))) @ other / (noisy @ noisy)
print(f"independent noisy target: w = {weight:.3f}")
assert abs(weight - 0.5) < 0.01

# %% tags=["hide-cell"]
print("σ      error of the noisy images   of the denoised ones")
for sigma in (0.1, 0.25, 0.5, 0.75, 1.0):
    there = sae.GaussianNoise(sigma, clip=(0, 1)).forward(test, np.random.default_rng(5))
    before, after = (squared_error(a, test) for a in (there, model.reconstruct(there)))
    print(f"{sigma:<6g} {before:12.1f} {after:22.1f}")
    if data_name() == "strokes":
        assert quick((after > before) == (sigma == 0.1), True)

# %% [markdown]
# ## Further reading
#
# - [Vincent et al. 2010](bibliography.md#vincent-2010): the long paper on denoising autoencoders.
# - [Alain and Bengio 2014](bibliography.md#alain-2014): what a regularised autoencoder learns of the data's distribution.
#
# ## What to read in the source next
#
# - `scratchae/layers/noise.py`, whole; `Dropout` is the same idea on hidden units.
# - `scratchae/presets/regularised.py`: the three denoising presets, a few lines each.
# - `scratchae/presets/convolutional.py`, `conv_denoising`: a net without a bottleneck.
#
# [Chapter 10](10_sparse_contractive.py) keeps the input whole, and restrains the code.
