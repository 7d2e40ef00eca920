# %% [markdown]
# # 11 · Variational: codes that are drawn
#
# *How does an autoencoder become a machine that makes new images, and what does its loss mean?*
#
# **Time** 125 minutes to read, 90 s to run on two cores.
#
# **In two sittings.** The first, of 55 minutes, goes from the start to *The manifold*, without what is marked *can be left out*.
# The second, of an hour, begins where the text says that the first ends. Its sections can be read in any order; if you have time for
# one, take *A tighter bound*.

# %% [markdown]
# ## The question
#
# The decoder of an autoencoder makes an image from any code. Does it make *new* images? To find out,
# draw a code at random and decode it. But from which distribution should the code be drawn? Training
# has said nothing about codes that belong to no image. The codes of the data may lie anywhere, with
# gaps between them, and nothing in the loss depends on what the decoder makes of a code in a gap.
#
# A **[variational autoencoder](glossary.md#variational-autoencoder)** (VAE) is built so that the
# question has an answer: draw the code from $\mathcal N(0, I)$, the [normal distribution](mathematics.md#density-and-the-normal-distribution) with mean
# 0 and [variance](mathematics.md#expectation-variance-covariance) 1 in each number. For that, the encoder gives for each image not a point but a
# small cloud, a normal distribution of its own, from which the code is drawn; and a term in the loss, the *KL term*, pulls each cloud towards
# $\mathcal N(0, I)$. The loss is the sum of this term and the reconstruction's, and minus the loss turns out to be a lower bound on the
# logarithm of the probability of the data. This chapter
# derives every step and tests it, and shows five ways to get it wrong, one of which no gradient
# check can see.

# %%
import math
import warnings

import numpy as np
from matplotlib.patches import Ellipse

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.models.likelihood import log_prior_ratio, log_probability
from scratchae.presets.dense import ROWS, stack
from scratchae.presets.preset import warm_cosine
from scratchae.presets.variational import variational
from scratchae.runs.variational import manifold
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source
from scratchae.uses.probing import linear_probe

data = dataset()  # strokes, or what --data names
rng = np.random.default_rng(0)
train = pixels(data.train_images)  # (N, 784), in [0, 1]
test = pixels(data.test_images)[:1000]
images, epochs = quick(10_000, 2000), quick(12, 4)


def fit(model, epochs=epochs, x=train):
    """Train in place, 100 images at a time, with a learning rate that rises to 0.003 and falls to 0."""
    optimizer = warm_cosine()(3e-3, epochs * images // 100)
    sae.fit(
        model,
        x[:images],
        epochs=epochs,
        batch_size=100,
        optimizer=optimizer,
        progress=False,
    )
    return model


# %% [markdown]
# ## A picture of it
#
# Here are two nets with the same layers, 784-256-128-8-128-256-784. The first is a plain autoencoder,
# the second is variational. We draw codes and decode them.
#
# **Predict.** For the plain autoencoder, codes are drawn in two ways: from $\mathcal N(0, I)$, and from
# a normal distribution with the mean and the spread (the standard deviation) that its own codes have. Will either way give digits?

# %%
draw = np.random.default_rng(0)
plain = sae.Autoencoder(
    stack([784, 256, 128, 8], sae.ReLU, draw, last=None),
    stack([8, 128, 256, 784], sae.ReLU, draw, last=None),
    loss=sae.BCEWithLogits(),
)
fit(plain)
vae = fit(variational(np.random.default_rng(0), ROWS, [784, 256, 128, 8]))

z = rng.standard_normal((200, 8)).astype(np.float32)
codes = plain.encode(test)
matched = codes.mean(axis=0) + codes.std(axis=0) * z
made = {
    "autoencoder: N(0, I)": plain.decode(z),
    "autoencoder: its own": plain.decode(matched),
    "VAE: N(0, I)": vae.decode(z),
    "real test images": test[:200],
}


def image_rows(rows, name, alt, caption, columns=8):
    drawn, grid = figure(7, 0.7 * len(rows), rows=len(rows), columns=columns)
    for line, (label, pictures) in zip(grid, rows.items(), strict=True):
        for ax, picture in zip(line, pictures, strict=False):
            ax.imshow(picture.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        line[0].set_ylabel(
            label.replace(": ", ":\n"), rotation=0, ha="right", va="center", fontsize=9
        )
    show(drawn, name, alt, caption)


def nearest(made):
    """The squared distance from each image to the nearest of 4,000 training images, averaged."""
    reference = train[:4000]
    distance = (made**2).sum(1)[:, None] - 2 * made @ reference.T + (reference**2).sum(1)
    return float(distance.min(axis=1).mean())


image_rows(
    made,
    "samples",
    "Four rows of eight images. Decoded draws from the standard normal distribution are grey and "
    "noisy for the plain autoencoder, and clean strokes, many of them digits, for the variational "
    "one. Real images below.",
    "Draws, decoded. Second row: drawn with the mean and spread of the autoencoder's "
    "own codes. Compare the third row with the two above it.",
)
distances = {name: nearest(pictures) for name, pictures in made.items()}
print("mean squared distance to the nearest training image:")
for name, distance in distances.items():
    print(f"{name:<24} {distance:5.1f}")
print(
    f"the autoencoder's codes: means {codes.mean(0).min():.1f} to {codes.mean(0).max():.1f}, spreads {codes.std(0).min():.1f} to {codes.std(0).max():.1f}"
)
assert distances["VAE: N(0, I)"] < quick(0.8, 0.95) * distances["autoencoder: N(0, I)"]
if data_name() == "strokes":
    assert distances["real test images"] < distances["VAE: N(0, I)"]
assert quick(distances["autoencoder: its own"] < distances["autoencoder: N(0, I)"], True)

# %% [markdown]
# The autoencoder's codes lie wherever training has left them, with means far from 0 and spreads
# far from 1. If codes are drawn with their mean and spread, the images are nearer to real ones (second
# row). But nothing in the loss has made the codes fill that region. The loss of a VAE makes its codes fill
# the region around 0.
#
# With a code of two numbers one can see where the codes lie. Here are a plain autoencoder and a VAE, 784-256-128-2 and
# back. What the VAE's encoder gives for an image is a cloud, drawn here as an ellipse: its
# centre is the mean $\mu$, and it reaches two spreads, $2\sigma$, to each side.

# %%
draw = np.random.default_rng(0)
plain2 = sae.Autoencoder(
    stack([784, 256, 128, 2], sae.ReLU, draw, last=None),
    stack([2, 128, 256, 784], sae.ReLU, draw, last=None),
    loss=sae.BCEWithLogits(),
)
fit(plain2)
flat = fit(variational(np.random.default_rng(0), ROWS, [784, 256, 128, 2]))
codes2 = plain2.encode(test)
means, log_vars = flat.infer_all(test)
sigmas = np.exp(log_vars / 2)


def normal_density(z, mean, sigma):
    return np.exp(-((z - mean) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))


side = np.linspace(-3.5, 3.5, 141)
across, up = np.meshgrid(side, side)
prior2 = normal_density(across, 0, 1) * normal_density(up, 0, 1)
# the mean of all training images' clouds, each a density across times one up
all_means, all_log_vars = flat.infer_all(train[:images])
one, other = (
    normal_density(side, all_means[:, k, None], np.exp(all_log_vars[:, k, None] / 2))
    for k in (0, 1)
)
average = other.T @ one / images

drawn2 = means + sigmas * rng.standard_normal(means.shape)
near = {
    "plain": float((np.linalg.norm(codes2, axis=1) < 3).mean()),
    "VAE": float((np.linalg.norm(drawn2, axis=1) < 3).mean()),
}
print(
    "share of the codes of 1,000 test images that lie within 3 of 0 (of N(0, I): 98.9 %):"
)
for name, share in near.items():
    print(f"{name:<6} {share:.1%}")
assert quick(near["VAE"] > near["plain"] + 0.05, True)

# %% tags=["hide-input"]
drawn, axes = figure(7, 7, rows=2, columns=2)
(ax, clouds), densities = axes
ax.plot(*codes2.T, ".", color=plots.BLUE, markersize=3)
ax.set_title("plain autoencoder: 1,000 codes")
for mean, sigma in zip(means[:150], sigmas[:150], strict=True):
    look = {"facecolor": "none", "edgecolor": plots.BLUE, "linewidth": 0.8}
    clouds.add_patch(Ellipse(mean, *(4 * sigma), **look))
clouds.set_title("VAE: the clouds of 150 images")
for ax, density, title in zip(
    densities, (average, prior2), ("VAE: the average of all clouds", "N(0, I)"), strict=True
):
    ax.contourf(
        across, up, density, levels=np.linspace(0.01, 0.24, 9), cmap="Blues", extend="max"
    )
    ax.contour(
        across,
        up,
        density,
        levels=np.linspace(0.01, 0.24, 9),
        colors=plots.GREY,
        linewidths=0.5,
    )
    ax.set_title(title)
for ax in (clouds, *densities):
    ax.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")
show(
    drawn,
    "clouds",
    "Four panels. The codes of a plain autoencoder lie in an uneven heap that reaches far "
    "from 0, with empty "
    "regions. The ellipses of the variational one are small, of different sizes, and lie "
    "around 0. Their average density "
    "is a hill around 0, but not a round one as that of N(0, I).",
    "Where codes lie (look at the numbers on the axes). The average of the VAE's clouds, "
    "below left, is where its decoder was "
    "trained; new codes are drawn from N(0, I), below right.",
)

# %% [markdown]
# Nothing in the plain loss holds codes near 0. The KL term holds the clouds of the VAE there, and their width fills a part of
# the gaps. But the average of the clouds is not quite $\mathcal N(0, I)$: it has dents. A code that is drawn from a dent is one that the
# decoder has hardly seen. *What the KL term pays for* measures how far the average is from $\mathcal N(0, I)$.
#
# ## Forward: a story of how images come about
#
# The story is this. First a code $z$ is drawn from $p(z) = \mathcal N(0, I)$, the **[prior](glossary.md#prior)**. Then $x$
# is drawn from $p(x \mid z)$, which the decoder computes: here pixels are 0 or 1, and the decoder gives, for each pixel,
# the probability that it is 1. So the probability of an image is
#
# $$
# p(x) = \int p(x \mid z)\, p(z)\, dz .
# $$
#
# Training should make $\log p(x)$ large for real images. But the integral cannot be computed, and a mean over draws of
# $z$ from the prior is a poor estimate of it, because for a given image $p(x \mid z)$ is nearly 0 at nearly all of them.
# The **[posterior](glossary.md#posterior)** tells which $z$ explain $x$. By [Bayes' rule](mathematics.md#conditional-probability-and-bayes-rule)
# it is $p(z \mid x) = p(x \mid z)\, p(z) / p(x)$. The $p(x)$ in it is the same integral again. The way out is to
# let a second net, the encoder, *guess* the posterior:
#
# $$
# q(z \mid x) = \mathcal N(\mu, \sigma^2), \qquad
# \underset{(N, H)}{h} = \mathrm{encoder}(x), \quad
# \underset{(N, K)}{\mu} = h W_\mu + b_\mu, \quad
# \underset{(N, K)}{\log\sigma^2} = h W_v + b_v ,
# $$
#
# with a mean and a variance for each number of the code. The two layers that compute them from $h$ are called *heads*.
# Why does the second head give the logarithm of the variance? A head may give any
# real number, and $\sigma = e^{\frac12 \log \sigma^2}$ is positive whatever it gives.
#
# The whole net in a picture. Solid arrows are the forward pass, dashed ones the backward pass that we
# shall derive; the round box is the only thing that is drawn at random.


# %% tags=["hide-input"]
def diagram(ax, boxes, forward, backward=()):
    """Boxes {name: (x, y, text)}, round if the text has a ~, and arrows between them:
    forward (from, to, bend), backward (from, to, bend, label, x, y)."""
    drawn_boxes = {}
    for name, (x, y, text) in boxes.items():
        look = {"boxstyle": "round4,pad=0.5" if "~" in text else "square,pad=0.4"}
        look |= {
            "facecolor": "#FFF3D6" if "~" in text else "white",
            "edgecolor": plots.GREY,
        }
        drawn_boxes[name] = ax.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            fontsize=9,
            color="black",
            bbox=look,
            zorder=3,
        )
    for start, end, bend in forward:
        arrow(ax, drawn_boxes[start], drawn_boxes[end], bend, "-", plots.GREY)
    for start, end, bend, label, x, y in backward:
        arrow(ax, drawn_boxes[start], drawn_boxes[end], bend, "--", plots.RED)
        ax.text(x, y, label, ha="center", va="center", fontsize=9, color=plots.RED)
    ax.axis("off")


def arrow(ax, start, end, bend, line, colour):
    look = {"arrowstyle": "-|>", "linestyle": line, "color": colour, "linewidth": 1.3}
    look |= {"connectionstyle": f"arc3,rad={bend}", "shrinkA": 3, "shrinkB": 3}
    ends = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
    ax.annotate("", end.get_position(), start.get_position(), arrowprops=look | ends)


drawn, ax = figure(7, 3.4)
ax.set(xlim=(-0.3, 7.5), ylim=(-1.8, 1.8))
diagram(
    ax,
    {
        "x": (0, 0, "x\n784"),
        "a": (0.95, 0, "256\nReLU"),
        "h": (1.9, 0, "h\n128"),
        "mu": (3.1, 1.25, "μ\n8"),
        "l": (3.1, -1.25, "ℓ = log σ²\n8"),
        "kl": (3.1, 0, "KL(q ‖ p)"),
        "e": (4.7, 1.5, "ε ~ N(0, I)"),
        "z": (4.7, 0, "z = μ + σ ε\n8"),
        "b": (5.75, 0, "128\nReLU"),
        "c": (6.5, 0, "256\nReLU"),
        "y": (7.2, 0, "x̂\n784"),
        "r": (6.9, -1.5, "−log p(x | z)"),
    },
    [
        *(("x", "a", 0), ("a", "h", 0), ("h", "mu", 0.12), ("h", "l", -0.12)),
        *(("mu", "z", 0.12), ("l", "z", 0.12), ("e", "z", 0), ("z", "b", 0)),
        *(("b", "c", 0), ("c", "y", 0), ("y", "r", 0.1)),
        *(("mu", "kl", 0.2), ("l", "kl", -0.2)),
    ],
    [
        ("r", "y", 0.35, "dx̂", 6.65, -0.85),
        ("z", "mu", 0.25, "dz", 4.15, 0.95),
        ("z", "l", -0.25, "dz ε σ/2", 4.4, -1.05),
        ("kl", "mu", 0.2, "", 0, 0),
        ("kl", "l", -0.2, "", 0, 0),
        ("mu", "h", 0.25, "dμ", 2.25, 0.95),
        ("l", "h", -0.25, "dℓ", 2.2, -0.95),
    ],
)
show(
    drawn,
    "architecture",
    "A chain of boxes from x through 256 and 128 units to two heads, mu and log sigma "
    "squared; both lead to the KL "
    "divergence between them, and, with the noise epsilon, to z. From z the chain goes on "
    "through 128 and 256 units to "
    "the reconstruction and its term of the loss. Dashed arrows lead back.",
    "The VAE of this chapter. Each head has two dashed arrows coming in, one from z and "
    "one from the KL: its gradient is the "
    "sum of the two. The gradient of h is a sum too, of what the two heads send back.",
)

# %% [markdown]
# ## The bound
#
# Let $\mathbb E_q$ be the mean over draws $z$ from $q$, and $\mathrm{KL}(q \,\|\, p) = \mathbb E_q[\log q - \log p]$ the [KL
# divergence](glossary.md#kl-divergence), which is never negative. Bayes' rule, $p(x) = p(x, z) / p(z \mid x)$, holds for every $z$, so it
# holds inside a mean over $z$. For **any** distribution $q(z)$:
#
# $$
# \begin{aligned}
# \log p(x) &= \mathbb E_q[\log p(x)] && p(x) \text{ does not depend on } z \\
# &= \mathbb E_q\!\left[\log \frac{p(x, z)}{p(z \mid x)}\right] && \text{Bayes} \\
# &= \mathbb E_q\!\left[\log \frac{p(x, z)}{q(z)}\right] + \mathbb E_q\!\left[\log \frac{q(z)}{p(z \mid x)}\right] && \text{times and divided by } q(z) \\
# &= \underbrace{\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q(z) \,\|\, p(z))}_{\text{ELBO}} + \underbrace{\mathrm{KL}(q(z) \,\|\, p(z \mid x))}_{\ge 0} && p(x, z) = p(x \mid z)\, p(z) .
# \end{aligned}
# $$
#
# The last term is never negative. So the **[ELBO](glossary.md#elbo)**, the
# evidence lower bound, never exceeds $\log p(x)$, and the gap is exactly how far the guess $q$ is
# from the posterior. Raising the ELBO makes images more probable, or the guess better, or both
# ([Kingma and Welling 2013](bibliography.md#kingma-2013), [Rezende et al.
# 2014](bibliography.md#rezende-2014)). The loss of a VAE is minus the ELBO, with the encoder's
# $q(z \mid x)$ as the guess:
#
# $$
# L = \underbrace{\mathbb E_q[-\log p(x \mid z)]}_{\text{reconstruction}} + \mathrm{KL}(q(z \mid x) \,\|\, p(z)) .
# $$
#
# Most papers get the bound in two lines from [Jensen's inequality](mathematics.md#jensens-inequality): the logarithm of a mean is
# at least the mean of the logarithm.
#
# $$
# \begin{aligned}
# \log p(x) = \log \int p(x, z)\, dz &= \log \mathbb E_q\!\left[\frac{p(x, z)}{q(z)}\right] && \text{times and divided by } q(z) \\
# &\ge \mathbb E_q\!\left[\log \frac{p(x, z)}{q(z)}\right] = \text{ELBO} && \text{Jensen} .
# \end{aligned}
# $$
#
# It is the same bound. Jensen says that there is a gap, and Bayes' rule says what the gap is. Jensen's way in turn shows how to make
# the gap smaller: put the mean of several draws of $p / q$ under the logarithm. *A tighter bound* does that.
# If a distribution cannot be computed, one can replace it by the nearest member of a simpler family. This is called
# *variational inference*, and is older than the VAE ([Jordan et al. 1999](bibliography.md#jordan-1999)). The VAE adds that one net gives $q$ for
# every image.
#
# ### The bound where everything is known
#
# *Can be left out at a first reading; 5 minutes.*
#
# Draw one number $z$ from $\mathcal N(0, 1)$, and let $x = c z + s\,\varepsilon$ with $\varepsilon \sim \mathcal N(0, 1)$. Then $x$ is normal with
# variance $c^2 + s^2$. The posterior, as a function of $z$, is proportional to $p(x \mid z)\, p(z)$. Collect the powers of $z$ in the exponent
# of this product; the posterior turns out to be $\mathcal N(m, v)$:
#
# $$
# -\frac{(x - cz)^2}{2s^2} - \frac{z^2}{2} = -\frac12 \underbrace{\Big(\frac{c^2}{s^2} + 1\Big)}_{1/v} (z - m)^2 + \text{const},
# \qquad v = \frac{s^2}{c^2 + s^2}, \quad m = \frac{c\, x}{c^2 + s^2} .
# $$
#
# For a guess $q = \mathcal N(\mu, \sigma^2)$ the first term of the ELBO is, as
# $\mathbb E_q (x - cz)^2 = (x - c\mu)^2 + c^2\sigma^2$,
#
# $$
# \mathbb E_q[\log p(x \mid z)] = -\tfrac12 \log(2\pi s^2) - \frac{(x - c\mu)^2 + c^2\sigma^2}{2 s^2} .
# $$

# %%
c, s, x0 = 1.5, 0.8, 1.2
v, m = s**2 / (c**2 + s**2), c * x0 / (c**2 + s**2)
log_p = -0.5 * math.log(2 * math.pi * (c**2 + s**2)) - x0**2 / (2 * (c**2 + s**2))


def standard_kl(mu, var):
    """KL(N(mu, var) ‖ N(0, 1)), derived below."""
    return 0.5 * (mu**2 + var - np.log(var) - 1)


def elbo(mu, var):
    expected = -0.5 * math.log(2 * math.pi * s**2) - ((x0 - c * mu) ** 2 + c**2 * var) / (
        2 * s**2
    )
    return expected - standard_kl(mu, var)


grid = np.linspace(-8, 8, 20_001)  # the integral itself, as a sum
joint = np.exp(-((x0 - c * grid) ** 2) / (2 * s**2) - grid**2 / 2) / (2 * math.pi * s)
assert np.isclose(math.log(joint.sum() * (grid[1] - grid[0])), log_p)
for mu, var in ((m, v), (0.0, 1.0), (1.0, 0.1), (-0.5, 2.0)):
    # KL(N(mu, var) ‖ N(m, v)): measure mu - m and var in units of the posterior's own spread
    gap = standard_kl((mu - m) / math.sqrt(v), var / v)
    print(
        f"q = N({mu:5.2f}, {var:4.2f}): ELBO {elbo(mu, var):8.4f} + gap {gap:7.4f} = {elbo(mu, var) + gap:.4f}, log p(x) = {log_p:.4f}"
    )
    assert np.isclose(elbo(mu, var) + gap, log_p)

at = np.linspace(-0.6, 1.9, 200)
drawn, ax = figure(6, 3.3)
ax.axhline(log_p, color="black", linewidth=1, label="log p(x)")
for factor, line in ((1, "-"), (2.5, "--"), (0.3, ":")):
    ax.plot(
        at, elbo(at, v * factor), line, label=f"ELBO, σ² = {factor:g} times the posterior's"
    )
ax.axvline(m, color=plots.GREY, linewidth=0.8)
ax.set(
    xlabel="μ, mean of the guess q (grey line: the posterior's mean)",
    ylabel="nats",
    ylim=(-4, -1),
)
ax.legend(loc="lower center")
show(
    drawn,
    "bound",
    "The ELBO as a function of the mean of q, for three variances, below a horizontal "
    "line at log p. It touches the line only for the "
    "posterior's own mean and variance.",
    "The bound touches log p(x) where q is the posterior, and only there.",
)

# %% [markdown]
# ## The KL term by hand
#
# First for one number of the code. The two log-densities and their difference are
#
# $$
# \begin{aligned}
# \log q(z) &= -\tfrac12 \log 2\pi - \log\sigma - \frac{(z - \mu)^2}{2\sigma^2} \\
# \log p(z) &= -\tfrac12 \log 2\pi - \frac{z^2}{2} \\
# \log q(z) - \log p(z) &= -\log\sigma - \frac{(z - \mu)^2}{2\sigma^2} + \frac{z^2}{2} .
# \end{aligned}
# $$
#
# Under $q$, $\mathbb E(z - \mu)^2 = \sigma^2$ and $\mathbb E z^2 = \mu^2 + \sigma^2$. So
#
# $$
# \mathrm{KL} = -\log\sigma - \tfrac12 + \tfrac12(\mu^2 + \sigma^2) = \tfrac12 \big(\mu^2 + \sigma^2 - \log\sigma^2 - 1\big) .
# $$
#
# The numbers of a code are independent under both $q$ and $p$. So their log-densities add up, and
# their KL divergences do too. Summed over the code, averaged over the batch, in terms of $\ell = \log\sigma^2$:
#
# $$
# \mathrm{KL} = \frac1N \sum_{n=1}^N \sum_{k=1}^K \tfrac12 \big(\mu_{nk}^2 + e^{\ell_{nk}} - \ell_{nk} - 1\big), \qquad
# \underset{(N, K)}{\frac{\partial\, \mathrm{KL}}{\partial \mu}} = \frac{\mu}{N}, \qquad
# \underset{(N, K)}{\frac{\partial\, \mathrm{KL}}{\partial \ell}} = \frac{1}{2N}\big(e^{\ell} - 1\big) .
# $$
#
# It is never negative, because $u - \log u - 1 \ge 0$ for every $u > 0$, here $u = e^\ell$, with equality only at
# $u = 1$. So it is 0 only at $\mu = 0$, $\sigma = 1$.
#
# **While reading** (★, 3 minutes). How many nats does a number of the code cost with $\mu = 1$ and $\sigma = \frac12$? In which
# direction do the two gradients pull $\mu$ and $\ell$ there?
#
# <details><summary>Answer</summary>
#
# $\frac12 (1 + 0.25 - \log 0.25 - 1) = 0.818$ nats. Both towards $\mathcal N(0, 1)$: $\mu$ is positive and a step against its
# gradient makes it smaller; $e^\ell - 1 = -0.75$ is negative, so a step makes $\ell$, and with it $\sigma$, larger.
#
# </details>

# %%
source(sae.gaussian_kl)
mu, log_var = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
report = sae.check_gradients(sae.gaussian_kl, mu, log_var)
print(report)
assert report.passed
zero = np.zeros((1, 4))
assert sae.gaussian_kl(zero, zero)[0] == 0 and sae.gaussian_kl(mu, log_var)[0] > 0

# %% [markdown]
# ### And by drawing
#
# A gradient check tells whether `backward` fits `forward`. It cannot tell whether `forward` is
# the KL divergence. For that, go back to the definition: draw $z$ from $q$, and average
# $\log q(z) - \log p(z)$. The mean of $n$ draws, a *Monte Carlo* estimate, has a
# [standard error](mathematics.md#standard-error-of-a-mean) of (their standard deviation) $/ \sqrt n$. The
# value of a right formula lies within a few standard errors of the estimate.

# %%


def monte_carlo_kl(mu, sigma, n=400_000):
    """The mean of log q(z) - log p(z) over n draws from N(mu, sigma²), and its standard error."""
    z = mu + sigma * rng.standard_normal(n)
    ratio = -math.log(sigma) - (z - mu) ** 2 / (2 * sigma**2) + z**2 / 2
    return float(ratio.mean()), float(ratio.std() / math.sqrt(n))


def closed_form(mu, log_var):
    return float(sae.gaussian_kl(np.array([[mu]]), np.array([[log_var]]))[0])


for mu0, lv0 in ((0.0, 0.0), (0.7, -1.2), (-2.0, 0.5), (0.0, -6.0)):
    estimate, error = monte_carlo_kl(mu0, math.exp(lv0 / 2))
    print(
        f"μ = {mu0:4.1f}, log σ² = {lv0:4.1f}: drawn {estimate:.4f} ± {error:.4f}, formula {closed_form(mu0, lv0):.4f}"
    )
    assert abs(estimate - closed_form(mu0, lv0)) < 5 * error + 1e-12

# %% [markdown]
# ## Drawing with a gradient
#
# The other term, $\mathbb E_q[-\log p(x \mid z)]$, is estimated by drawing one $z$ for each
# image. But how does a gradient get through a draw? The draw depends on $\mu$ and $\sigma$, and yet it is no
# function of them: the same $\mu$ and $\sigma$ give another $z$ each time. The trick is called
# **[reparameterisation](glossary.md#reparameterisation)**. Draw
# $\varepsilon \sim \mathcal N(0, I)$, which depends on no parameter, and compute
#
# $$
# \underset{(N, K)}{z} = \underset{(N, K)}{\mu} + \underset{(N, K)}{\sigma} \odot \underset{(N, K)}{\varepsilon}, \qquad \sigma = e^{\ell / 2} .
# $$
#
# Then $\mathbb E_q[f(z)] = \mathbb E_\varepsilon[f(\mu + \sigma\varepsilon)]$. The expectation on the right is over
# $\varepsilon$, whose distribution does not depend on $\mu$ and $\sigma$; so the derivative of the
# expectation is the expectation of the derivative. Given the draw, $z$ is an ordinary function:
#
# $$
# \frac{\partial z}{\partial \mu} = 1, \qquad
# \frac{\partial z}{\partial \ell} = \varepsilon\, \frac{\partial \sigma}{\partial \ell} = \frac{\varepsilon\,\sigma}{2}
# \qquad\Longrightarrow\qquad
# d\mu = dz, \qquad d\ell = dz \odot \varepsilon \odot \frac{\sigma}{2} .
# $$
#
# **Predict.** In the left graph below there is no way back from $z$ to $\mu$ and $\ell$. In the right one, to which
# of the boxes can gradients get?

# %% tags=["hide-input"]
drawn, axes = figure(7, 3.5, columns=2)
for ax, title in zip(axes, ("z is drawn", "z is computed, ε is drawn"), strict=True):
    ax.set(xlim=(-1.1, 1.9), ylim=(-0.35, 2.3), title=title)
below = {"mu": (-0.7, 0, "μ"), "l": (0.7, 0, "ℓ"), "f": (0, 2, "f(z)")}
diagram(
    axes[0],
    below | {"z": (0, 1, "z ~ N(μ, σ²)")},
    [("mu", "z", 0), ("l", "z", 0), ("z", "f", 0)],
    [("f", "z", 0.5, "∂f/∂z", -0.55, 1.5)],
)
axes[0].text(0, 0.42, "×", ha="center", va="center", fontsize=22, color=plots.RED)
axes[0].text(1.15, 0.6, "a draw has\nno slope", ha="center", fontsize=9, color=plots.RED)
diagram(
    axes[1],
    below | {"z": (0, 1, "z = μ + σ ε"), "e": (1.4, 1, "ε ~ N(0, I)")},
    [("mu", "z", 0), ("l", "z", 0), ("z", "f", 0), ("e", "z", 0)],
    [
        ("f", "z", 0.5, "dz = ∂f/∂z", -0.72, 1.5),
        ("z", "mu", 0.4, "dμ = dz", -0.95, 0.62),
        ("z", "l", -0.4, "dℓ = dz ε σ/2", 1.15, 0.48),
    ],
)
show(
    drawn,
    "graphs",
    "Two graphs. Left: mu and log-variance lead to a drawn z, and z to f; a dashed arrow "
    "leads from f back to z, and ends "
    "there. Right: z is computed from mu, log-variance and a drawn epsilon; dashed arrows "
    "lead back through z to mu and "
    "to the log-variance.",
    "Before and after the trick. Solid: forward. Dashed: gradients. A round box is drawn "
    "at random; on the right no "
    "gradient has to pass through one.",
)

# %% [markdown]
# ### Without a slope of f: the score function
#
# *Can be left out at a first reading; 8 minutes.*
#
# There is another way, which needs no derivative of $f$ ([Williams 1992](bibliography.md#williams-1992)). Let
# $\nabla$ be the derivative by $\mu$ or $\ell$, on which $q$ depends, and $f$ does not:
#
# $$
# \begin{aligned}
# \nabla\, \mathbb E_q[f(z)] = \nabla \int q(z)\, f(z)\, dz
# &= \int f(z)\, \nabla q(z)\, dz && f \text{ does not depend on } \mu, \ell \\
# &= \int q(z)\, f(z)\, \frac{\nabla q(z)}{q(z)}\, dz && \text{times and divided by } q(z) \\
# &= \mathbb E_q\big[f(z)\, \nabla \log q(z)\big] && \nabla \log q = \nabla q / q .
# \end{aligned}
# $$
#
# $\nabla \log q$ is called the score. From $\log q = -\frac12 \log 2\pi - \frac12 \ell - \frac12 (z - \mu)^2 e^{-\ell}$,
#
# $$
# \frac{\partial \log q}{\partial \mu} = \frac{z - \mu}{\sigma^2}, \qquad
# \frac{\partial \log q}{\partial \ell} = -\frac12 + \frac{(z - \mu)^2}{2\sigma^2} = \frac12 (\varepsilon^2 - 1) .
# $$
#
# So $f(z)\,(z - \mu)/\sigma^2$ is right on average, and so is $f'(z)$, the reparameterised derivative. But draws of the two do not spread
# alike. The score has the mean 0, so adding a constant to $f$ does not change the mean of the first, but it changes its spread. In a code of $K$
# numbers $f$ has many parts that have nothing to do with $\mu_1$, and all of them are noise for $\partial/\partial\mu_1$. Compare the two
# for $f(z) = z^2$, where $\mathbb E f = \mu^2 + \sigma^2$, so that the true derivatives are
# $2\mu$ and, by $\ell$, $\sigma^2$; then for $f(z) = |z|^2$, the sum of the squares of $K$ numbers.
#
# **Predict.** How does each spread grow with $K$?

# %%
mu0, lv0, n = 1.0, -1.0, 200_000
sigma0 = math.exp(lv0 / 2)
epsilon = rng.standard_normal(n)
z0 = mu0 + sigma0 * epsilon
estimators = {
    "∂μ, reparameterised": (2 * z0, 2 * mu0),
    "∂μ, score function": (z0**2 * (z0 - mu0) / sigma0**2, 2 * mu0),
    "∂log σ², reparameterised": (2 * z0 * epsilon * sigma0 / 2, sigma0**2),
    "∂log σ², score function": (z0**2 * 0.5 * (epsilon**2 - 1), sigma0**2),
}
for name, (draws, truth) in estimators.items():
    print(
        f"{name:<25} mean {draws.mean():7.4f} (true {truth:.4f}), spread of one draw {draws.std():5.2f}"
    )
    assert abs(draws.mean() - truth) < 5 * draws.std() / math.sqrt(n)
assert (
    estimators["∂μ, reparameterised"][0].std()
    < 0.5 * estimators["∂μ, score function"][0].std()
)
# 2 z spreads by 2 σ
assert np.isclose(estimators["∂μ, reparameterised"][0].std(), 2 * sigma0, rtol=0.02)

spreads = {}
for K in (1, 10, 100):
    noise = rng.standard_normal((20_000, K))
    zs = mu0 + sigma0 * noise
    spreads[K] = (2 * zs[:, 0]).std(), ((zs**2).sum(axis=1) * noise[:, 0] / sigma0).std()
    print(
        f"K = {K:<4} spread of one draw of ∂μ₁: reparameterised {spreads[K][0]:.2f}, score "
        f"function {spreads[K][1]:6.1f}"
    )
assert spreads[100][1] > 20 * spreads[1][1] and spreads[100][0] < 1.1 * spreads[1][0]

# %% [markdown]
# The spread of the reparameterised derivative does not depend on $K$; that of the score function grows like $K$, because $f$ does. Training uses one draw for
# each image, so this spread decides whether training works.
#
# ## Backward, with shapes
#
# $\mu$ and $\ell$ are each used twice, in $z$ and in the KL, so each gets a gradient from both terms of
# $L = \text{reconstruction} + \beta\, \mathrm{KL}$ (with $\beta = 1$ for now). And $h$ is used by both
# heads, so it gets one from each. Where a value is used twice, the gradients add:
#
# $$
# \begin{aligned}
# \underset{(N, K)}{dz} &= \mathrm{decoder.backward}(d\hat x) \\
# \underset{(N, K)}{d\mu} &= dz + \frac{\beta}{N}\, \mu \\
# \underset{(N, K)}{d\ell} &= dz \odot \varepsilon \odot \frac{\sigma}{2} + \frac{\beta}{2N} \big(e^\ell - 1\big) \\
# \underset{(N, H)}{dh} &= \underset{(N, K)}{d\mu}\, \underset{(K, H)}{W_\mu^\top} + \underset{(N, K)}{d\ell}\, \underset{(K, H)}{W_v^\top} .
# \end{aligned}
# $$
#
# ## The code

# %%
source(
    sae.VAE.objective,
    sae.VAE.infer,
    sae.VAE.draw_code,
    sae.VAE.backward_code,
    sae.VAE.backward_heads,
)

# %% [markdown]
# Three names are not in the derivation. `within` says where $\log\sigma^2$ was not cut: a value beyond
# $\pm 20$ is set to $\pm 20$, so that the exponential cannot overflow, and where that happens the gradient is 0, because the
# value does not change with $h$. `beta_now` is $\beta$, which may grow during training. `free_bits`,
# 0 here, is how many nats each number of the code may have for nothing. A growing $\beta$ and free bits are two cures for a code
# that stays unused; *When a correct VAE collapses* is about such codes.
#
# ## Checking it
#
# With the same $\varepsilon$ each time, the loss is an ordinary function of the parameters, so it can be
# checked by finite differences.

# %%


def tiny(kind=sae.VAE, **options):
    draw = np.random.default_rng(1)
    encoder = sae.Sequential(sae.Dense(6, 5, rng=draw), sae.Tanh())
    heads = sae.Dense(5, 2, rng=draw), sae.Dense(5, 2, rng=draw)
    decoder = sae.Sequential(
        sae.Dense(2, 5, rng=draw), sae.Tanh(), sae.Dense(5, 6, rng=draw)
    )
    return kind(encoder, *heads, decoder, loss=sae.BCEWithLogits(), **options)


small = rng.uniform(0.05, 0.95, (4, 6))
report = sae.check_gradients(tiny(), small)
print(report)
assert report.passed

# %% [markdown]
# **Break it.** Forget the ½ in $\varepsilon\sigma/2$.
#
# **Predict.** Which of the four groups of parameters have wrong gradients: encoder, `mu`, `log_var`, decoder?

# %%


class ForgotHalf(sae.VAE):
    def backward_code(self, dz):
        dmean = dz + self.beta * self.dkl_dmean
        dlog_var = (
            dz * self.epsilon * self.sigma + self.beta * self.dkl_dlog_var
        )  # WRONG: σ/2
        self.backward_heads(dmean, dlog_var)


report = sae.check_gradients(tiny(ForgotHalf), small)
wrong = [check.name for check in report.checks if not check.passed]
print("wrong:", ", ".join(wrong))
assert wrong == ["encoder.0.W", "encoder.0.b", "log_var.W", "log_var.b"]

# %% [markdown]
# Wrong are the gradients that are computed from $d\ell$: those of the head `log_var` and of the encoder. The decoder's
# and those of the head `mu` are computed without it.
#
# ## Five errors that you will meet
#
# ### 1. The one that no gradient check can see
#
# **Wrong:** $z = \mu + e^{\ell}\varepsilon$, with $\ell = \log\sigma^2$ in the KL term: a
# forgotten ½ in the *forward* pass. **Right:** $z = \mu + e^{\ell/2}\varepsilon$.
#
# **Predict.** The backward pass below differentiates the wrong forward pass correctly. Does the gradient
# check see the error?

# %%


class WrongSigma(sae.VAE):
    def draw_code(self, rng):
        if rng is None:
            return super().draw_code(rng)
        self.sigma = np.exp(self.z_log_var)  # WRONG: this is σ², not σ
        self.epsilon = rng.standard_normal(self.z_mean.shape, dtype=self.z_mean.dtype)
        return self.z_mean + self.sigma * self.epsilon

    def backward_code(self, dz):
        dmean = dz + self.beta * self.dkl_dmean
        # ∂e^ℓ/∂ℓ = e^ℓ: consistent
        dlog_var = dz * self.epsilon * self.sigma + self.beta * self.dkl_dlog_var
        self.backward_heads(dmean, dlog_var)


report = sae.check_gradients(tiny(WrongSigma), small)
print(
    f"gradient check of the wrong model: {'passed' if report.passed else 'failed'}, {report.worst:.1e}"
)
assert report.passed

# %% [markdown]
# It passes, because the gradient is that of the loss which the model computes. But this loss is the wrong one. Two tests
# see the error. Draw many codes and compare their spread with $e^{\ell/2}$; or estimate the KL of the
# *actual draws* and compare it with the KL in the loss.

# %%
mu0, lv0 = 0.7, -1.2
for name, sigma in (("right, e^(ℓ/2)", math.exp(lv0 / 2)), ("wrong, e^ℓ", math.exp(lv0))):
    true_kl, error = monte_carlo_kl(mu0, sigma)
    print(
        f"{name:<16} KL of the draws {true_kl:.3f} ± {error:.3f} nats, charged {closed_form(mu0, lv0):.3f}"
    )
    assert (abs(true_kl - closed_form(mu0, lv0)) < 5 * error) == (name.startswith("right"))

for kind in (sae.VAE, WrongSigma):
    model = tiny(kind).to(dtype=np.float64)
    model.infer(np.repeat(small[:1], 50_000, axis=0))
    spread = model.draw_code(rng).std(axis=0)
    ratio = spread / np.exp(model.z_log_var[0] / 2)
    print(f"{kind.__name__:<11} spread of the draws divided by e^(ℓ/2): {ratio.round(3)}")
    assert np.allclose(ratio, 1, atol=0.02) == (kind is sae.VAE)

# %% [markdown]
# ### 2. log σ or log σ²?
#
# **Wrong** for $\ell = \log\sigma^2$, but often seen, is this KL term of one number of the code:
# $\tfrac12\big(\mu^2 + (e^{\ell})^2\big) - \ell - 1$. At $\mu = 0$, $\sigma = 1$ it gives
# $-\tfrac12$, though a KL divergence is never negative; and its derivative, $e^{2\ell} - 1$, is
# four times too steep near $\ell = 0$ (the slope of this derivative is 2 there, in place of ½). **Right:**
# $\tfrac12(\mu^2 + e^{\ell} - \ell - 1)$.
#
# If the head gives $t = \log\sigma$ instead, $\sigma^2 = e^{2t}$ and $\log\sigma^2 = 2t$, so that
# the right form is $\tfrac12\big(\mu^2 + e^{2t}\big) - t - \tfrac12$. With $t$ in the place of its $\ell$, the
# wrong formula differs from this right one by a constant only, $-\tfrac12$. So *say which logarithm it is*, and use the same one for the
# draw.

# %%


def often_seen(mu, log_var):
    """WRONG for log σ²; for log σ it is off by ½ a number."""
    n = len(mu)
    value = (0.5 * (mu**2 + np.exp(log_var) ** 2) - log_var - 1).sum() / n
    return value, mu / n, (np.exp(2 * log_var) - 1) / n


mu, log_var = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
zero = np.zeros((1, 1))
print(
    "gradient check:",
    "passed" if sae.check_gradients(often_seen, mu, log_var).passed else "failed",
)
print("value at μ = 0, σ = 1:", often_seen(zero, zero)[0])
assert sae.check_gradients(often_seen, mu, log_var).passed  # again it sees nothing
assert often_seen(zero, zero)[0] == -0.5
h = 1e-5
stiffness = [
    (f(zero, zero + h)[2] - f(zero, zero - h)[2]).item() / (2 * h)
    for f in (often_seen, sae.gaussian_kl)
]
print(f"second derivative by ℓ at 0: wrong {stiffness[0]:.3f}, right {stiffness[1]:.3f}")
assert np.isclose(stiffness[0] / stiffness[1], 4)
t = log_var / 2  # log σ of the same distribution
assert np.isclose(often_seen(mu, t)[0] + 0.5 * 4, sae.gaussian_kl(mu, log_var)[0])

# %% [markdown]
# ### 3. Sums and means
#
# The bound needs the sum over pixels, the sum over the numbers of the code, and one mean, over
# the batch. **Wrong:** a mean over pixels (as many libraries' loss functions take by default) or
# over the code, for one of the two terms. What you then minimise is, up to a factor,
# $\text{reconstruction} + \beta\,\mathrm{KL}$ with a $\beta$ that nobody chose:

# %%
D, K = 784, 20
accidents = {
    ("sum", "sum"): 1.0,
    ("sum", "mean"): 1 / K,
    ("mean", "mean"): D / K,
    ("mean", "sum"): float(D),
}
reconstruction, kl = 75.0, 23.0  # any two numbers, in nats per image
print("pixels  code    β")
for (over_pixels, over_code), beta in accidents.items():
    a, b = (1 / D if over_pixels == "mean" else 1), (1 / K if over_code == "mean" else 1)
    assert np.isclose(a * reconstruction + b * kl, a * (reconstruction + beta * kl))
    print(f"{over_pixels:<7} {over_code:<5} {beta:6.2f}")

# %% [markdown]
# With $\beta = 784$ the code says nothing any more (**posterior collapse**): the KL term goes to
# 0, and every reconstruction is the mean image. With $\beta = 1/20$ the KL counts so little that the net is nearly a plain
# autoencoder. If your VAE gives one blurred image for all inputs, look first for a mean in place of a sum. The library warns
# when a training ends with a code that is not used; the cell prints what it says.

# %%
with warnings.catch_warnings(record=True) as remarks:
    warnings.simplefilter("always")
    collapsed = fit(
        variational(np.random.default_rng(0), ROWS, [784, 200, 8], beta=784.0),
        epochs=quick(2, 2),
    )
print(*(f"fit: {remark.message}" for remark in remarks), sep="\n")
assert quick(any("the code is not used" in str(each.message) for each in remarks), True)
bound = collapsed.elbo(test, rng)
spread = float(collapsed.reconstruct(test).std(axis=0).mean())
print(
    f"β = 784: KL {bound['kl']:.4f} nats; reconstructions of different images differ by {spread:.4f} per pixel"
)
assert bound["kl"] < 0.5 and spread < 0.05

# %% [markdown]
# ### 4. The root of a head that may be negative
#
# **Wrong:** let a head give the variance itself and take $\sigma = \sqrt{\mathrm{head}(h)}$.
# Nothing keeps the head positive; the root of a negative number is NaN ("not a number"), and at 0
# its slope $1 / (2\sqrt{\cdot})$ is infinite. **Right:** let the head give $\log\sigma^2$.

# %%
head = sae.Dense(200, 16, rng=rng)
guess = head.forward(rng.standard_normal((1000, 200)).astype(np.float32))
with np.errstate(invalid="ignore"):
    share = float(np.isnan(np.sqrt(guess)).mean())
print(f"with fresh weights, {share:.0%} of the standard deviations are NaN")
assert 0.3 < share < 0.7 and np.isfinite(np.exp(guess / 2)).all()

# %% [markdown]
# ### 5. A VAE without its KL term
#
# **Wrong:** drop the KL term because "the images get sharper". Reconstructions may indeed get sharper. But then nothing holds
# $q(z \mid x)$ near the prior. The net makes its own noise small, $\sigma \to 0$, and moves the codes
# apart, because both make the reconstruction better; it becomes a plain autoencoder. Then there is no
# reason any more to draw codes from $\mathcal N(0, I)$. The case $\beta = 0$ below shows it.

# %% [markdown]
# ## An experiment
#
# The VAE of the first picture, in numbers. `elbo` takes test images and one draw of $z$ for each;
# all values are in [nats](glossary.md#nat), summed over pixels and code, averaged over images.

# %%
bound = vae.elbo(test, np.random.default_rng(1))
floor = vae.loss.floor(test)
for name, value in bound.items():
    print(f"{name:<15} {value:7.2f} nats per image   {value / 784:.4f} per pixel")
print(f"{'floor':<15} {floor:7.2f} nats per image: the grey pixels' own entropy")
print(f"KL in bits: {bound['kl'] / math.log(2):.1f} per image")
print(f"numbers of the code in use: {vae.active_units(test).sum()} of {vae.code_size}")
assert np.isclose(bound["reconstruction"] + bound["kl"], bound["negative_elbo"])
assert bound["reconstruction"] > floor
if data_name() == "strokes":
    assert quick(88 < bound["negative_elbo"] < 101 and 14 < bound["kl"] < 20, True)

# %% [markdown]
# A number of the code is *in use* if its mean $\mu$ differs from image to image (`active_units`).
#
# Expected on `strokes`, without FAST: −ELBO about 94, of which KL about 17. The KL of 17 nats, 24
# bits, is the most that the code can tell about an image, and not what it does tell: see
# [below](11_variational.py#what-the-kl-term-pays-for).
#
# ### β: how much may the code say?
#
# With $\beta \ne 1$ ([Higgins et al. 2017](bibliography.md#higgins-2017) take $\beta > 1$) the
# loss is no longer minus the ELBO; but the ELBO can still be measured. We train the same net with four
# values of $\beta$.
#
# **Predict.** Which of the four has the smallest −ELBO on test images?

# %%
betas = {
    beta: fit(variational(np.random.default_rng(0), ROWS, [784, 256, 128, 8], beta=beta))
    for beta in (0.0, 0.25, 4.0)
}
betas = {0.0: betas[0.0], 0.25: betas[0.25], 1.0: vae, 4.0: betas[4.0]}
found = {}
print(
    f"{'β':>5} {'reconstruction':>15} {'KL':>7} {'−ELBO':>7} {'mean σ':>7} {'spread of μ':>12}   nats per image"
)
for beta, model in betas.items():
    bound = model.elbo(test, np.random.default_rng(1))
    mean, log_var = model.infer_all(test)
    found[beta] = bound | {
        "sigma": np.exp(log_var / 2).mean(),
        "spread": mean.std(axis=0).mean(),
    }
    f = found[beta]
    print(
        f"{beta:>5} {f['reconstruction']:>15.1f} {f['kl']:>7.1f} {f['negative_elbo']:>7.1f} {f['sigma']:>7.3f} {f['spread']:>12.2f}"
    )
reconstructions, kls = (
    [found[beta][part] for beta in betas] for part in ("reconstruction", "kl")
)
assert kls == sorted(kls, reverse=True) and reconstructions[1:] == sorted(
    reconstructions[1:]
)
assert quick(min(found, key=lambda beta: found[beta]["negative_elbo"]) == 1.0, True)
assert found[0.0]["sigma"] < quick(0.05, 0.2) and found[0.0]["kl"] > 3 * found[1.0]["kl"]

drawn, ax = figure(5.5, 3.4)
shown = [beta for beta in betas if beta > 0]
ax.plot(
    [found[b]["kl"] for b in shown],
    [found[b]["reconstruction"] for b in shown],
    "o-",
    color=plots.BLUE,
)
for beta in shown:
    place = found[beta]["kl"], found[beta]["reconstruction"]
    ax.annotate(f"β = {beta:g}", place, xytext=(8, 4), textcoords="offset points")
total = found[1.0]["negative_elbo"]
line = np.array([ax.get_xlim()[0], total - ax.get_ylim()[0]])
ax.plot(line, total - line, ":", color="black", label="the same −ELBO as β = 1")
ax.set(
    xlabel="KL, nats per image",
    ylabel="reconstruction, nats per image",
    ylim=(0.9 * min(reconstructions), None),
)
ax.legend()
show(
    drawn,
    "beta",
    "Reconstruction against KL for beta of a quarter, one and four. A larger beta says"
    " less and rebuilds worse. The line of equal ELBO "
    "through the point of beta one leaves the other two points above it.",
    "Nats of reconstruction for nats of KL. Training with β = 1 minimises their sum, the "
    "−ELBO: the other two points lie above the dotted line.",
)

# %% [markdown]
# $\beta = 0$ is error 5: its $\sigma$ is close to 0, and its KL is several times that of $\beta = 1$. Here is what each net makes of the
# same draws from $\mathcal N(0, I)$:

# %%
samples = {f"β = {beta:g}": model.decode(z[:8]) for beta, model in betas.items()}
image_rows(
    samples,
    "beta_samples",
    "Eight draws from the standard normal distribution, decoded by nets trained with beta of zero, a "
    "quarter, one and four: grey and noisy for zero, cleaner with every row.",
    "The same eight draws from N(0, I), decoded by each net. Look for the grey noise at β = 0.",
)
for beta, model in betas.items():
    print(
        f"β = {beta:<5g} mean squared distance of draws to the nearest training image {nearest(model.decode(z)):5.1f}"
    )
assert nearest(betas[0.0].decode(z)) > nearest(vae.decode(z))

# %% [markdown]
# The distance to the nearest training image is small for blurred images, because a blur is near to
# many images at once: β = 4 may come out nearer than β = 1. So this distance tells digits from junk,
# and cannot say which of two good models is better. The ELBO can.

# %% [markdown]
# ### The manifold
#
# With a code of two numbers one can see all that the decoder can make. The first picture decodes the points of a
# grid over the code. Its lines are spaced so that equally many draws of $\mathcal N(0, 1)$ fall between any two neighbours ([Kingma and Welling
# 2013](bibliography.md#kingma-2013), figure 4). The second picture shows the means $\mu$ of the test images.

# %%
bound = flat.elbo(test, np.random.default_rng(1))
print(f"code of 2: −ELBO {bound['negative_elbo']:.1f}, KL {bound['kl']:.1f} nats per image")
assert bound["negative_elbo"] > found[1.0]["negative_elbo"]  # two numbers say too little
pictures, z2 = manifold(flat, n=15)
show(
    lambda path: plots.manifold(pictures, z2, path),
    "manifold",
    "A grid of fifteen by fifteen decoded images over the two numbers of the code. "
    "Digits turn into one another without a break.",
    "What the decoder makes of two numbers. Follow a row: one digit turns into another.",
)
show(
    lambda path: plots.latent_scatter(means, data.test_labels[:1000], path),
    "scatter",
    "The means of the test images in the plane of the code, coloured and numbered by "
    "digit. Each digit has its region; together they "
    "fill a disc around zero.",
    "Where the test images lie. Together they fill what N(0, I) covers, more or less.",
)

# %% [markdown]
# Here the first sitting ends. The sections that follow are for a second one; each can be read by itself.
#
# ## Told the digit: the conditional VAE
#
# *Can be left out, 13 minutes; no later chapter needs it.*
#
# A VAE makes digits, but not the digit that you ask for. Let the data be pairs of an image $x$ $(N, D)$ and a
# label $y$ $(N, C)$, a row with a 1 for the class and 0 elsewhere. We model $x$ *given* $y$: the code is drawn from the same prior
# for every class, and the decoder is told the label,
#
# $$
# p(x \mid y) = \int p(x \mid z, y)\; p(z)\, dz .
# $$
#
# In the derivation of the bound, put "given $y$" into every probability. Nothing else changes. As $p(z \mid y) = p(z)$,
#
# $$
# \begin{aligned}
# \log p(x \mid y) &= \mathbb E_q\!\left[\log \frac{p(x, z \mid y)}{q(z)}\right] + \mathrm{KL}(q(z) \,\|\, p(z \mid x, y)) \\
# &\ge \mathbb E_q[\log p(x \mid z, y)] - \mathrm{KL}(q(z) \,\|\, p(z)), \qquad q(z) = q(z \mid x, y) .
# \end{aligned}
# $$
#
# So the loss of a **[conditional VAE](glossary.md#conditional-variational-autoencoder)** ([Sohn et al. 2015](bibliography.md#sohn-2015)) is
#
# $$
# L = \mathbb E_q[-\log p(x \mid z, y)] + \mathrm{KL}(q(z \mid x, y) \,\|\, p(z)) .
# $$
#
# The label enters twice. The posterior $p(z \mid x, y)$ depends on $y$, so the *encoder* gets $[x, y]$, with $D + C$ columns; and the
# *decoder* gets $[z, y]$, with $K + C$ columns. The target is $x$ alone. The KL term is computed as before, because the prior does not depend on $y$. Let
# the decoder's first layer have the weights $W = \binom{W_z}{W_y}$, with $K$ and $C$ rows:
#
# $$
# \begin{aligned}
# \text{forward: } a &= [z, y]\, W + b = z W_z + y W_y + b \\
# \underset{(N, K)}{dz} &= da\, W_z^\top = \text{the first } K \text{ columns of } da\, W^\top \\
# \underset{(C, H)}{dW_y} &= y^\top da : \text{ row } c \text{ is the sum of } da \text{ over the examples of class } c .
# \end{aligned}
# $$
#
# $yW_y$ is one row of $W_y$. So to tell the decoder the label is to give each class a bias of its own. The other $C$ columns of $da\, W^\top$ are the
# gradient of $y$, which is data, so they are dropped. From $dz$ on, all is as before:

# %%
source(
    sae.CVAE.target,
    sae.CVAE.decoder_input,
    sae.CVAE.joined,
    sae.CVAE.backward,
)

# %% [markdown]
# **Predict.** The VAE below has the same layers, and is not told the label. Which of the two nets has the smaller KL? From
# which of the two codes can a linear classifier tell the digit better?

# %%
eye = np.eye(10, dtype=np.float32)
with_labels = np.concatenate([train, eye[data.train_labels]], axis=1)
test_with_labels = np.concatenate([test, eye[data.test_labels[: len(test)]]], axis=1)


def conditional(pixels, hidden, code, labels):
    draw = np.random.default_rng(0)
    encoder = stack([pixels + labels, hidden], sae.ReLU, draw, last=sae.ReLU())
    heads = sae.Dense(hidden, code, rng=draw), sae.Dense(hidden, code, rng=draw)
    decoder = stack([code + labels, hidden, pixels], sae.ReLU, draw, last=None)
    return sae.CVAE(encoder, *heads, decoder, labels=labels, loss=sae.BCEWithLogits())


labelled = np.concatenate([small, np.eye(3)[[0, 2, 1, 2]]], axis=1)
report = sae.check_gradients(conditional(6, 5, 2, 3), labelled)
print(f"gradient check: {'passed' if report.passed else 'failed'}, {report.worst:.1e}")
assert report.passed
told = fit(conditional(784, 200, 4, 10), quick(8, 3), with_labels)
untold = fit(variational(np.random.default_rng(0), ROWS, [784, 200, 4]), quick(8, 3))
first = told.decoder.layers[0]
some_z, rows = rng.standard_normal((5, 4)).astype(np.float32), [3, 1, 4, 1, 5]
assert np.allclose(
    first.forward(told.joined(some_z, eye[rows])),
    some_z @ first.W[:4] + first.W[4:][rows] + first.b,
    atol=1e-5,
)

by_model = {
    "VAE": (untold, train, test),
    "conditional": (told, with_labels, test_with_labels),
}
compared = {}
print("              −ELBO     KL   digits told by a linear classifier of the code")
for name, (model, learnt, unseen) in by_model.items():
    bound = model.elbo(unseen, np.random.default_rng(1))
    accuracy = linear_probe(
        model.encode(learnt[:2000]),
        data.train_labels[:2000],
        model.encode(unseen),
        data.test_labels[: len(unseen)],
    )
    compared[name] = bound["negative_elbo"], bound["kl"], accuracy
    print(f"{name:<12} {compared[name][0]:6.1f} {compared[name][1]:6.1f} {accuracy:10.1%}")
assert compared["conditional"][0] < compared["VAE"][0]
assert compared["conditional"][2] < quick(compared["VAE"][2], 1.1)

one_code = rng.standard_normal((4, 4)).astype(np.float32)
asked = {
    f"z {i + 1}": told.decode(np.repeat(z[None], 10, axis=0), eye)
    for i, z in enumerate(one_code)
}
image_rows(
    asked,
    "conditional",
    "Four rows of ten images, the digits 0 to 9 in order. What a row has in common is the "
    "style: its slant, its size, how bold it is.",
    "In each row one draw of z, decoded with each of the ten labels. Look for the style that "
    "a row has in common.",
    columns=10,
)
many_z = rng.standard_normal((200, 4)).astype(np.float32)
wanted = np.arange(200) % 10
pictures = told.decode(many_z, eye[wanted])
distance = (train[:4000] ** 2).sum(1) - 2 * pictures @ train[:4000].T
obeyed = float((data.train_labels[:4000][distance.argmin(axis=1)] == wanted).mean())
print(
    "of 200 images made on request, the nearest training image has the label asked for in "
    f"{obeyed:.0%}"
)
assert obeyed > quick(0.85, 0)

# %% [markdown]
# The conditional VAE is told the label, so its code need not contain it, and the linear classifier finds less of it there. How much
# can a label save? The best possible $-\log p(x \mid y)$ is below the best $-\log p(x)$ by the
# [mutual information](glossary.md#mutual-information) of image and label, averaged over images. The mutual information is at most the mean surprise about the label,
# $\log 10 = 2.3$ nats. These two nets differ by more, because neither is the best possible: a code of four numbers is too small to
# describe an image well, and the label works like a fifth number. With a larger code the label matters less, and the decoder may follow $z$
# against the label (exercise 13).
#
# ## Grey pixels, and what a value means
#
# For pixels of 0 and 1, $p^x (1 - p)^{1 - x}$ is a probability: its two values add up to 1. For
# grey pixels people use the same expression, and nets train well with it, but it is **not** a density: over
# $x \in [0, 1]$ it does not integrate to 1. [Chapter 07](07_cross_entropy.py) finds the integral, with the [logit](glossary.md#logit)
# $a = \log\frac{p}{1 - p}$:
#
# $$
# \int_0^1 p^x (1 - p)^{1 - x}\, dx = \frac{2p - 1}{a} \le 1 .
# $$

# %%
middle = (np.arange(100_000) + 0.5) / 100_000
for p in (0.6, 0.9, 0.99):
    a = math.log(p / (1 - p))
    integral = float((p**middle * (1 - p) ** (1 - middle)).mean())
    print(f"p = {p}: integral {integral:.4f}, formula {(2 * p - 1) / a:.4f}")
    assert np.isclose(integral, (2 * p - 1) / a) and integral < 1

# %% [markdown]
# So "−ELBO about 94" on grey images is a training loss, and not a bound on $-\log p(x)$. (A density for grey
# pixels puts the missing constant in: the continuous Bernoulli, [Loaiza-Ganem and Cunningham
# 2019](bibliography.md#loaiza-ganem-2019).) Values that can be compared with the literature's
# come from **binarised** pixels: each drawn as 1 with probability $x$, anew in every step
# (`binarise=True`), or once for all (fixed). It is **wrong** to compare a loss of 105 on grey
# pixels with one of 87 on binarised ones, an ELBO with a $\log p(x)$, or pixels drawn once with pixels drawn anew; all three are done.
#
# ### Why binarise draws anew
#
# Call the grey image $x$ and the drawn one $b$: pixel $d$ of $b$ is 1 with probability $x_d$. The data are now draws of $b$, and their
# distribution is $p_{\mathrm{data}}(b) = \frac1N \sum_n p(b \mid x_n)$. A model should raise $\mathbb E[\log p(b)]$ over *this* distribution, so its loss
# is minus the ELBO of $b$, averaged over images *and draws*:
#
# $$
# L = \frac1N \sum_n \mathbb E_{b \mid x_n} \Big[ \mathbb E_{q(z \mid b)}[-\log p(b \mid z)] + \mathrm{KL}(q(z \mid b) \,\|\, p(z)) \Big] .
# $$
#
# The expectation over $b$ is estimated like that over $z$, by one draw a step. If it is a new draw each time, the gradient is right on
# average. If $b$ is drawn once, there are only $N$ binary images, and the net can learn by heart which pixels were drawn black, as the denoiser
# of [chapter 09](09_denoising.py) learned noise that was drawn once.
#
# Why is $b$ the encoder's *input* as well? The bound holds for any $q$. But the posterior of $b$ is $p(z \mid b)$, which
# an encoder that sees $x$ cannot give: all draws of an image would get the same $q$, and the gap would be larger. Could the *target* be $x$, the mean
# of $b$? For a *fixed* $z$ that would give the same loss on average, because the cross-entropy is linear in the target and $\mathbb E[b] = x$. But
# $z$ is inferred from $b$, so $z$ and the target $b$ depend on each other, and with the target $x$ the average would be different.

# %%
source(sae.VAE.as_drawn)
grey, logits_of = test[:1], rng.standard_normal((1, 784))
redrawn = (rng.random((5000, 784)) < grey).astype(float)
of_grey = float(sae.BCEWithLogits()(logits_of, grey.astype(float))[0])
of_drawn = -log_probability(
    sae.BCEWithLogits(), np.repeat(logits_of, 5000, axis=0), redrawn
)
print(
    f"a fixed prediction: cross-entropy to the grey image {of_grey:.2f}, mean over drawn "
    f"ones {of_drawn.mean():.2f}"
)
assert abs(of_drawn.mean() - of_grey) < 5 * of_drawn.std() / math.sqrt(5000)

# %% [markdown]
# Squared error is a [likelihood](mathematics.md#likelihood-and-logarithms) too, of $x$ drawn around $\hat x$ with a fixed standard deviation
# $s$ in each of $D$ pixels:
#
# $$
# -\log \mathcal N(x;\, \hat x,\, s^2 I) = \frac{\|x - \hat x\|^2}{2 s^2} + \frac{D}{2} \log(2\pi s^2),
# $$
#
# which is, up to a constant, the squared error divided by $2s^2$. So whoever takes the *sum* of squares, `MSE()` here, chooses $s^2 = \tfrac12$. Whoever
# takes a mean over pixels chooses $s^2 = D/2 = 392$: a decoder that expects noise with a standard deviation of 20, where pixels go from 0 to 1. Such a VAE collapses
# (error 3).

# %%
x, prediction = rng.uniform(0, 1, (1, 784)), rng.uniform(0, 1, (1, 784))
for s2 in (0.5, 392.0):
    # one pixel each
    densities = -((x - prediction) ** 2) / (2 * s2) - 0.5 * math.log(2 * math.pi * s2)
    sse = ((x - prediction) ** 2).sum()
    assert np.isclose(-densities.sum(), sse / (2 * s2) + 392 * math.log(2 * math.pi * s2))
assert np.isclose(sse / (2 * 0.5), sae.MSE()(prediction, x)[0]) and np.isclose(
    sse / (2 * 392), ((x - prediction) ** 2).mean()
)

# %% [markdown]
# ## When a correct VAE collapses
#
# *Can be left out, 15 minutes; it is the longest proof of the chapter.*
#
# Error 3 silenced the code by accident. A code also falls silent where nothing is wrong: after training, some
# numbers of the code have $\mu = 0$ and $\sigma = 1$ for every image. When? If heads and decoder are
# *linear*, the answer can be proved ([Dai et al. 2018](bibliography.md#dai-2018), [Lucas et al.
# 2019](bibliography.md#lucas-2019)).
#
# Let the images $x$, rows of $D$ numbers, have mean 0 (the decoder's bias takes the mean away) and
# the covariance $C = \mathbb E[x^\top x]$ with the [eigenvalues](mathematics.md#eigenvalues-trace-determinant) $\lambda_1 \ge \lambda_2 \ge \dots$ The
# decoder is $\hat x = zW$, with rows $w_k$, and expects noise of variance $s^2$. Without the constant, the loss is
#
# $$
# L = \mathbb E_x\Big[ \frac{1}{2s^2} \mathbb E_q |x - zW|^2 + \beta\, \mathrm{KL} \Big], \qquad
# \text{and let } c = \beta s^2 .
# $$
#
# **1. σ.** As in the example where everything was known,
# $\mathbb E_q |x - zW|^2 = |x - \mu W|^2 + \sum_k \sigma_k^2 |w_k|^2$. As $\frac{1}{2s^2} = \frac{\beta}{2c}$, the terms of the loss with
# $\sigma_k^2$ are $\frac{\beta}{2} \big( \sigma_k^2 \frac{|w_k|^2 + c}{c} - \log\sigma_k^2 \big)$. Their derivative is 0 at
#
# $$
# \sigma_k^2 = \frac{c}{c + |w_k|^2},
# $$
#
# the same for every image. With this $\sigma_k^2$ the terms are $\frac{\beta}{2} \big(1 + \log(1 + |w_k|^2 / c)\big)$, and the 1
# in them cancels the $-1$ of the KL.
#
# **2. μ.** What is left for each image is $\frac{1}{2s^2} \big( |x - \mu W|^2 + c\, |\mu|^2 \big)$. Its derivative
# is 0 where $(x - \mu W) W^\top = c \mu$, so $\mu = x W^\top (W W^\top + cI)^{-1}$. This is linear in $x$, so
# a linear head can compute it. Let $M = W^\top W + cI$, $(D, D)$. Then $M W^\top = W^\top (WW^\top + cI)$, so
# $W^\top (WW^\top + cI)^{-1} = M^{-1} W^\top$, and
# $x - \mu W = x\,(I - M^{-1} W^\top W) = c\, x M^{-1}$, because $M - W^\top W = cI$. Multiply the first equation, $(x - \mu W) W^\top = c\mu$, by
# $\mu^\top$ from the right: $c\,|\mu|^2 = (x - \mu W) (\mu W)^\top$. So
#
# $$
# |x - \mu W|^2 + c\,|\mu|^2 = (x - \mu W)\,x^\top = c\; x M^{-1} x^\top .
# $$
#
# Average over the images, with $\mathbb E[x M^{-1} x^\top] = \mathrm{tr}(C M^{-1})$ and $\frac{c}{2s^2} = \frac\beta2$, and add what step 1 has left:
#
# $$
# L = \frac{\beta}{2} \Big[ \mathrm{tr}(C M^{-1}) + \sum_{k=1}^K \log\Big(1 + \frac{|w_k|^2}{c}\Big) \Big] .
# $$
#
# **3. Rows at right angles.** The numbers $1 + |w_k|^2 / c$ are the diagonal of the $(K, K)$ matrix $I + WW^\top / c$.
# By Hadamard's inequality their product is at least its determinant, and equal to it only if the
# matrix is diagonal. The determinant is also that of the $(D, D)$ matrix $I + W^\top W / c = M / c$. So
#
# $$
# L \ge \frac{\beta}{2} \big[ \mathrm{tr}(C M^{-1}) + \log\det M - D \log c \big] .
# $$
#
# If $W$ is replaced by $UW$ with an [orthogonal](mathematics.md#orthonormal-directions-projection-rank) matrix $U$, $M$ stays the same; and there is a $U$ that makes the rows of
# $UW$ orthogonal. So the right side can be reached. The right side is, up to the factor $\beta$ and a constant, the negative log-likelihood of
# $x \sim \mathcal N(0, M)$: **probabilistic PCA** ([Tipping and Bishop
# 1999](bibliography.md#tipping-1999)). The linear autoencoder of
# [chapter 06](06_pca.py) finds the subspace of PCA only; with orthogonal rows this VAE finds its axes as well.
#
# **4. Which λ are used.** Let $m_i \ge c$ be the eigenvalues of $M$; at most $K$ of them exceed $c$. For
# given $m_i$, the trace in the bound is least if $M$ has the eigenvectors of $C$, the largest $m$ with the largest $\lambda$ (von
# Neumann's inequality). Then each direction can be treated by itself: minimise
# $f(m) = \lambda_i / m + \log m$ over $m \ge c$. Its derivative $(m - \lambda_i)/m^2$ is negative up to
# $m = \lambda_i$ and positive from there. So $m_i = \lambda_i$ if $\lambda_i > c$, else $m_i = c$. Compared with
# $m_i = c$, the choice $m_i = \lambda_i$ lowers $f$ by $\lambda_i/c - 1 - \log(\lambda_i/c)$, which grows with $\lambda_i$. So if the code has fewer numbers than there are
# $\lambda > c$, the largest $\lambda$ get them. And as $M = W^\top W + cI$, we have $|w_i|^2 = \lambda_i - c$.
#
# **5. What it costs.** $\sigma_i^2 = c / \lambda_i$; and with the unit eigenvector $v_i$,
# $\mu_i = x v_i^\top \sqrt{\lambda_i - c} / \lambda_i$, whose mean square is $1 - c / \lambda_i$. So
# $\mathrm{KL}_i = \frac12 \big(1 - \frac{c}{\lambda_i} + \frac{c}{\lambda_i} + \log\frac{\lambda_i}{c} - 1\big)$. Together:
#
# $$
# \boxed{\ \text{number } i \text{ is used} \iff \lambda_i > \beta s^2, \qquad
# \mathrm{KL}_i = \tfrac12 \log \frac{\lambda_i}{\beta s^2} \ } \qquad \blacksquare
# $$
#
# A direction in which the data vary less than the noise that the decoder expects, times $\beta$, is treated as noise. That is
# **[posterior collapse](glossary.md#posterior-collapse)** without any mistake, because it is the optimum itself. Now measure it, with `MSE()`, which
# means $s^2 = \frac12$.
#
# **Predict.** The largest eigenvalue of the covariance of `strokes` is 4.8. From which $\beta$ on will no number be used at all?

# %%
rows = train[:images]
covariance = np.cov(rows.T.astype(np.float64), ddof=0)
eigenvalues = np.linalg.eigvalsh(covariance)[::-1][:20]


def linear_vae(beta):
    draw = np.random.default_rng(0)
    heads = sae.Dense(784, 20, rng=draw), sae.Dense(784, 20, rng=draw)
    decoder = sae.Dense(20, 784, rng=draw)
    return sae.VAE(sae.Identity(), *heads, decoder, loss=sae.MSE(), beta=beta)


by_beta = {}
print("β   numbers used: predicted, found   KL, nats: predicted, found")
for beta in (1.0, 4.0, 8.0):
    predicted = 0.5 * np.log(np.maximum(eigenvalues / (beta * 0.5), 1))
    kl = np.sort(fit(linear_vae(beta), quick(45, 60)).unit_kl(rows))[::-1]
    by_beta[beta] = predicted, kl
    used = (predicted > 0.01).sum(), (kl > 0.01).sum()
    print(f"{beta:g} {used[0]:24} {used[1]:7} {predicted.sum():19.2f} {kl.sum():7.2f}")
    assert np.abs(kl - predicted).max() < quick(0.2, 0.5)
    assert abs(int(used[0]) - int(used[1])) <= quick(1, 3)
print(
    f"largest eigenvalue {eigenvalues[0]:.1f}: none is used from β = "
    f"{eigenvalues[0] / 0.5:.1f} on, so certainly with β = 784"
)
if data_name() == "strokes":
    assert 4.5 < eigenvalues[0] < 5.1

drawn, ax = figure(6, 3.3)
looks = zip(
    by_beta.items(), ("o", "s", "^"), (plots.BLUE, plots.ORANGE, plots.RED), strict=True
)
for (beta, (predicted, kl)), marker, colour in looks:
    ax.plot(range(1, 21), predicted, "-", color=colour, linewidth=1)
    ax.plot(range(1, 21), kl, marker, color=colour, markersize=5, label=f"β = {beta:g}")
ax.plot([], [], "-", color="black", linewidth=1, label="½ log(λ / β s²)")
ax.set(xlabel="number of the code", ylabel="KL, nats", xticks=range(2, 21, 2))
ax.legend()
show(
    drawn,
    "collapse",
    "The KL of each of twenty numbers of the code for beta of one, four and eight, in falling order. Points lie on the lines of the "
    "formula. For beta of one all numbers are used, for four six, for eight hardly one.",
    "What each number of a linear VAE's code costs: trained (points), and by the formula (lines).",
)

# %% [markdown]
# So a mean over pixels in place of the sum, $s^2 = 392$ (error 3), must silence every number of a linear VAE, because no
# eigenvalue is as large. For a deep decoder there is no such formula, but its loss weighs the same two things against each other: what
# a number explains, and $\beta s^2$.
#
# On MNIST (`python benchmarks/linear_vae.py --data mnist`, 60,000 images, a code of 40, 20 epochs, one run) the formula
# predicts a KL of 10.17 nats for β = 1, and 10.16 were found; for β = 4, 1.39 and 1.36. There one number fewer than
# the six predicted was above 0.01 nats: the one that should cost least, 0.06 nats, was not yet used. For β = 8 the formula predicts one
# number and 0.12 nats, and one number and 0.11 nats were found.
#
# ## What the KL term pays for
#
# Is the KL what the code tells about an image? An encoder that says $\mathcal N(3, 1)$ for *every*
# image pays $\frac12 3^2 = 4.5$ nats and tells nothing. Let $n$ be the number of an image, drawn from all
# $N$ with equal odds, and $z$ a draw of $q(z \mid x_n)$; $\mathbb E$ is the mean over both. Over all images $z$ is distributed as the
# **[aggregated posterior](glossary.md#aggregated-posterior)** $q(z) = \frac1N \sum_n q(z \mid x_n)$. Add and
# subtract $\log q(z)$ ([Hoffman and Johnson 2016](bibliography.md#hoffman-2016)):
#
# $$
# \begin{aligned}
# \frac1N \sum_n \mathrm{KL}\big(q(z \mid x_n) \,\|\, p(z)\big)
# &= \mathbb E\big[\log q(z \mid x_n) - \log q(z)\big] + \mathbb E\big[\log q(z) - \log p(z)\big] \\
# &= \underbrace{I(n; z)}_{\text{information}} + \underbrace{\mathrm{KL}\big(q(z) \,\|\, p(z)\big)}_{\text{the codes as a whole, off the prior}} .
# \end{aligned}
# $$
#
# The first term is the [mutual information](glossary.md#mutual-information) of image and code: the
# surprise about $n$ that $z$ takes away. It is at least 0 and at most $\log N$. The second tells how
# far the codes that `sample` draws, from $p(z)$, are from those that the decoder was trained with, which have the distribution $q(z)$. So
#
# $$
# \mathrm{ELBO} = -\text{reconstruction} - I(n; z) - \mathrm{KL}\big(q(z) \,\|\, p(z)\big) .
# $$
#
# For good samples only the last term needs to be small. The KL of the single clouds contains the information as
# well, so making the KL smaller can silence a code. We look first at five clouds of one number each, where the integrals can be computed as
# sums, then at the trained nets, where $z$ is drawn.
#
# **Predict.** Which of the four encoders in the first table tells most about the number of the image? Which of them pays nats and tells nothing?

# %%
grid = np.linspace(-14, 14, 28_001)
step = grid[1] - grid[0]


print("five clouds              KL    information   KL of q(z)   (log 5 = 1.609)")
for name, centres, sigma in (
    ("all N(3, 1)", [3.0] * 5, 1.0),
    ("all N(0, 1)", [0.0] * 5, 1.0),
    ("overlapping", [-1.2, -0.6, 0, 0.6, 1.2], 0.5),
    ("apart", [-2, -1, 0, 1, 2], 0.05),
):
    q = np.stack([normal_density(grid, centre, sigma) for centre in centres])
    mixture, prior = q.mean(axis=0), normal_density(grid, 0, 1)
    log_q, log_mixture = np.log(q + 1e-300), np.log(mixture + 1e-300)
    information = float((q * (log_q - log_mixture)).sum() * step / 5)
    gap = float((mixture * (log_mixture - np.log(prior))).sum() * step)
    kl = float(np.mean([standard_kl(centre, sigma**2) for centre in centres]))
    print(f"{name:<20} {kl:7.3f} {information:13.3f} {gap:12.3f}")
    assert np.isclose(kl, information + gap, atol=1e-6)
    assert -1e-9 < information < math.log(5) + 1e-9
    assert gap > -1e-9


def split_kl(model, x, draws=4):
    """KL, I(n; z) and KL(q(z) ‖ p(z)) of a VAE on the images x, in nats, by draws of z."""
    mean, log_var = model.infer_all(x)
    sigma, found = np.exp(log_var / 2), []
    for _ in range(draws):
        z = mean + sigma * rng.standard_normal(mean.shape)
        # log q(zₙ | xₘ) for each pair, without -½ log 2π of each number, which all terms have
        distance = (z[:, None] - mean[None]) / sigma[None]
        log_q = -0.5 * (distance**2).sum(axis=2) - 0.5 * log_var.sum(axis=1)
        top = log_q.max(axis=1, keepdims=True)
        log_all = np.log(np.exp(log_q - top).mean(axis=1)) + top[:, 0]
        log_own, log_prior = np.diag(log_q), -0.5 * (z**2).sum(axis=1)
        found.append([(log_own - log_all).mean(), (log_all - log_prior).mean()])
    information, gap = np.mean(found, axis=0)
    return model.unit_kl(x).sum(), information, gap


told = {}
print("\nVAE             images     KL   information   KL of q(z)   log N")
for name, model in (("code of 2", flat), ("code of 8", vae)):
    for count in (10, 100, 1000):
        kl, information, gap = split_kl(model, test[:count], quick(4, 2))
        print(
            f"{name:<15} {count:6} {kl:6.2f} {information:13.2f} {gap:12.2f} {math.log(count):7.2f}"
        )
        assert information < math.log(count) + 1e-9
        assert abs(information + gap - kl) < 0.1 * kl + 5 / math.sqrt(count)
        if count == 10:
            assert information > math.log(count) - quick(0.3, 0.8)
        told[name] = information
assert told["code of 2"] < math.log(1000) - 0.3  # its clouds overlap
assert told["code of 8"] > told["code of 2"]

# %% [markdown]
# From their codes ten images can be told apart nearly without fail: the information is close to $\log N$, and the rest of the KL is
# the second term, because ten small clouds do not fill $\mathcal N(0, I)$. With 1,000 images the clouds of the code of two overlap, so that the
# information stays below $\log N$. The code of eight tells more; but among 1,000 images the information cannot exceed
# $\log N = 6.9$ nats, whatever the KL is. The same two terms are behind the adversarial autoencoder of
# [chapter 15](15_two_players.py), which shapes $q(z)$ alone, and puts no price on the information.

# %% [markdown]
# ## A tighter bound: importance weights
#
# The ELBO is estimated with one draw $z$. Now draw $k$ of them, and give each an **[importance
# weight](glossary.md#importance-weight)**: how probable $x$ and the draw are together, compared
# with how likely $q$ was to make this draw:
#
# $$
# w_i = \frac{p(x \mid z_i)\, p(z_i)}{q(z_i \mid x)}, \qquad
# \mathbb E_q[w_i] = \int q(z \mid x)\, \frac{p(x \mid z)\, p(z)}{q(z \mid x)}\, dz = p(x), \qquad
# \mathcal L_k = \mathbb E\Big[\log \frac1k \sum_{i=1}^k w_i\Big] .
# $$
#
# The average of $k$ weights has mean $p(x)$ too, and spreads less. The logarithm is concave, so
# the mean of a logarithm is at most the logarithm of the mean ([Jensen's inequality](mathematics.md#jensens-inequality)):
# $\mathcal L_k \le \log p(x)$. And $\mathcal L_k \le \mathcal L_{k+1}$, for this reason: the average of
# $k + 1$ weights is also the average of the $k + 1$ averages that leave one weight out, and Jensen's inequality holds for this
# outer average. $\mathcal L_1$ is the ELBO ([Burda et al. 2016](bibliography.md#burda-2016)). Here are these bounds
# for the example where everything is known, with a guess $q$ that is wrong on purpose:

# %%
mu0, sigma0, draws = 0.0, 1.0, quick(40_000, 10_000)
bounds, errors = {}, {}
for k in (1, 2, 5, 10, 50):
    zk = mu0 + sigma0 * rng.standard_normal((draws, k))
    # log p(x|z)
    log_w = -0.5 * math.log(2 * math.pi * s**2) - (x0 - c * zk) ** 2 / (2 * s**2)
    # log p(z) - log q(z)
    log_w += -(zk**2) / 2 + math.log(sigma0) + (zk - mu0) ** 2 / (2 * sigma0**2)
    top = log_w.max(axis=1, keepdims=True)
    # log of a mean, without overflow
    each = np.log(np.exp(log_w - top).mean(axis=1)) + top[:, 0]
    bounds[k], errors[k] = float(each.mean()), float(each.std() / math.sqrt(draws))
    print(f"k = {k:<3} bound {bounds[k]:.4f} ± {errors[k]:.4f}   (log p(x) = {log_p:.4f})")
assert abs(bounds[1] - elbo(mu0, sigma0**2)) < 5 * errors[1]
values = list(bounds.values())
assert (
    values == sorted(values)
    and values[-1] < log_p + 5 * errors[50]
    and log_p - values[-1] < 0.05
)

# %% [markdown]
# ### Its gradient
#
# *Can be left out, 8 minutes, and so can the exercise on it.*
#
# For one image let $\mathcal L = \log \frac1k \sum_i w_i$. Its derivative by $\log w_i$ is the share that $w_i$ has in the sum:
#
# $$
# \frac{\partial \mathcal L}{\partial \log w_i} = \frac{w_i}{\sum_j w_j} = \tilde w_i, \qquad \sum_i \tilde w_i = 1,
# $$
#
# as $\partial w_i / \partial \log w_i = w_i$. Each $z_i = \mu + \sigma\varepsilon_i$
# is a reparameterised draw. All draws of an image have the same $\mu$ and $\sigma$, so their
# gradients add. With
# $\log w = \log p(x \mid z) - \tfrac12 \sum z^2 + \tfrac12 \sum \varepsilon^2 + \tfrac12 \sum \ell$
# (the constants of the two normal densities cancel, and $(z - \mu)/\sigma = \varepsilon$) and
# $L = -\mathcal L$ averaged over the batch, the gradients are as follows. The last term of $d\ell$ comes from $\tfrac12 \sum \ell$, as the shares add up to 1:
#
# $$
# \begin{aligned}
# \underset{(N, k, K)}{dz_{ni}} &= \tilde w_{ni} \Big( -\nabla_z \log p(x_n \mid z_{ni}) + z_{ni} \Big) / N \\
# \underset{(N, K)}{d\mu_n} &= \sum_i dz_{ni} \\
# \underset{(N, K)}{d\ell_n} &= \sum_i dz_{ni} \odot \varepsilon_{ni} \odot \frac{\sigma_n}{2} - \frac{1}{2N} .
# \end{aligned}
# $$
#
# In the code, the decoder gets all $Nk$ codes as one batch, and its `dprediction` is multiplied by `k * share`, where `share` is $\tilde w$. Why by $k$? Let $a_{ni}$ be the
# decoder's output for $z_{ni}$. `loss` takes the mean over the $Nk$ rows of its batch, so its gradient is divided by $Nk$. It should be
# divided by $N$ and multiplied by the share; the factor $k\,\tilde w_{ni}$ sets this right:
#
# $$
# \underbrace{-\frac{1}{Nk} \frac{\partial \log p(x_n \mid z_{ni})}{\partial a_{ni}}}_{\text{what the loss returns}} \cdot\; k\, \tilde w_{ni}
# = -\frac{\tilde w_{ni}}{N}\, \frac{\partial \log p(x_n \mid z_{ni})}{\partial a_{ni}} .
# $$
#
# If all weights are equal, $\tilde w_{ni} = 1/k$ and the factor is 1: the gradient is the plain mean over draws.

# %%
source(sae.IWAE.objective, sae.IWAE.backward, log_prior_ratio)
log_w = rng.standard_normal(5)
share = np.exp(log_w) / np.exp(log_w).sum()
h = 1e-6
slope = [
    (np.log(np.exp(log_w + h * e).mean()) - np.log(np.exp(log_w - h * e).mean())) / (2 * h)
    for e in np.eye(5)
]
assert np.allclose(slope, share)
report = sae.check_gradients(tiny(sae.IWAE, samples=3), small)
print(report)
assert report.passed

# %% [markdown]
# ### How probable are real images?
#
# Now take binarised pixels, for which $p(x)$ is a probability. Two smaller nets, 784-200-16 and
# back, are trained alike: one is a VAE, the other has the bound of five draws as its loss. `log_likelihood` is
# $\mathcal L_k$ with many draws, an estimate of $\log p(x)$ from below. Beside it stands the naive
# estimate: draw $z$ from the *prior*, and average $p(x \mid z)$.
#
# **Predict.** What is nearer to $\log p(x)$: one draw from $q(z \mid x)$, or 20,000 draws from the prior?

# %%


def binary(kind, **options):
    draw = np.random.default_rng(0)
    encoder = stack([784, 200], sae.ReLU, draw, last=sae.ReLU())
    heads = sae.Dense(200, 16, rng=draw), sae.Dense(200, 16, rng=draw)
    decoder = stack([16, 200, 784], sae.ReLU, draw, last=None)
    return kind(
        encoder, *heads, decoder, loss=sae.BCEWithLogits(), binarise=True, **options
    )


binary_vae = fit(binary(sae.VAE), epochs=quick(8, 4))
binary_iwae = fit(binary(sae.IWAE, samples=5), epochs=quick(8, 4))
few = test[: quick(60, 20)]
few = (rng.random(few.shape) < few).astype(np.float32)  # the same drawn pixels for all
nll = {}
for name, model in (("VAE", binary_vae), ("IWAE, k = 5", binary_iwae)):
    nll[name] = [-float(model.log_likelihood(few, k).mean()) for k in (1, 5, 50, 500)]
    print(
        f"{name:<12} -bound with 1, 5, 50, 500 draws: {np.round(nll[name], 1)} nats per image"
    )
    assert all(
        later < earlier + 0.5
        for earlier, later in zip(nll[name], nll[name][1:], strict=False)
    )

draws = quick(20_000, 4000)
logits = binary_vae.decoder.forward(binary_vae.prior(draws, rng))
# (images, draws)
log_p_x = np.stack([log_probability(binary_vae.loss, logits, x[None]) for x in few])
top = log_p_x.max(axis=1, keepdims=True)
naive = -float((np.log(np.exp(log_p_x - top).mean(axis=1)) + top[:, 0]).mean())
print(f"VAE, {draws:,} draws from the prior: {naive:.1f} nats per image")
assert quick(naive > nll["VAE"][0], True)
if data_name() == "strokes":
    assert quick(84 < nll["VAE"][-1] < 94 and nll["IWAE, k = 5"][-1] < nll["VAE"][-1], True)

# %% [markdown]
# 20,000 draws from the prior do worse than a *single* draw from $q$, because $q$ draws where $p(x \mid z)$ is large. That is what
# the encoder is for. The difference between the first and the last column is how much lower the ELBO lies than the
# best estimate of $\log p(x)$ that we have.

# %% [markdown]
# ## What to change for MNIST
#
# `scratchae tutorial 11 --data mnist` runs this chapter on MNIST, in the same time. The full
# presets, `scratchae train NAME --data mnist`, on one core of an AMD EPYC (one run each;
# test images, nats per image; others in `benchmarks/README.md`):
#
# - `vae-400`, grey pixels, one draw: −ELBO 104.5 after 10 epochs, 23 s. The example of PyTorch, with
#   the same net and as many epochs, prints 105.6. The two recipes differ: here the learning rate
#   rises to 0.003 and falls to 0, on 59,000 images; there it is 0.001 throughout, on 60,000. With
#   PyTorch's rate this library ended at 106.2 (`presets/variational.py`): what is gained is gained by
#   the schedule.
# - `vae-2d`: 140.4 after 30 epochs, 3 min 28 s, and the picture of its manifold.
# - `vae-binary`, 784-500-500-50: $-\log p(x)$ 86.3 with 5,000 importance samples, on every tenth test
#   image, 100 epochs, 9 min. [Burda et al. 2016](bibliography.md#burda-2016), table 1, one layer:
#   86.76 for a VAE, 85.54 for $k = 5$ and 84.78 for $k = 50$ draws. Their net is smaller,
#   784-200-200-50, so this is no comparison of like with like.
# - `beta-vae` also trains the same net with β = 1, and draws what each number of the two codes costs.

# %% [markdown]
# ## Exercises
#
# 1. ★★, 15 minutes. After *The KL term by hand*. Write the KL term and both its gradients.

# %%
exercise("11_kl")

# %% [markdown]
# 2. ★★★, 25 minutes. After *And by drawing*. The KL of any two normal distributions: derive a formula, then check it by draws.

# %%
exercise("11_kl_by_hand")

# %% [markdown]
# 3. ★★, 10 minutes. After *Drawing with a gradient*. Write the draw of $z$, forward and backward.

# %%
exercise("11_reparameterise")

# %% [markdown]
# 4. ★★★, 40 minutes. After *Backward, with shapes*. Write a whole training step of a VAE, forward and backward, in NumPy alone.

# %%
exercise("11_vae_step")

# %% [markdown]
# 5. ★★★, 35 minutes. After *When a correct VAE collapses*. Solve the linear VAE by eigenvectors.

# %%
exercise("11_linear_vae")

# %% [markdown]
# 6. ★★★★, 45 minutes. After *Its gradient*. Write the importance-weighted bound and its gradients, where weights may be as small as $e^{-2000}$.

# %%
exercise("11_iwae_weights")

# %% [markdown]
# Derive, on paper:
#
# 7. ★, 5 minutes. After *The KL term by hand*. A number of the code has $\mu = 0$ and $\sigma = 1$ for every image. What does it tell the
#    decoder, and what does it cost?
# 8. ★★, 10 minutes. After *A tighter bound: importance weights*. For which $q$ are all weights $w_i$ equal? What are $\mathcal L_1$ and
#    $\mathcal L_{50}$ then?
# 9. ★★, 10 minutes. After *An experiment*. Without an rng the library takes $z = \mu$. Why is the loss *lower* with this $z$ than with a drawn one, and why
#    is it then no bound?
# 10. ★★★, 20 minutes. After *Without a slope of f: the score function*. Subtract a number $c$ from $f$ in the score-function estimator. Show that
#     its mean stays the same. Which $c$ makes the spread of $\partial/\partial\mu$ least?
#
# Explore, with the code of this chapter:
#
# 11. ★★, 20 minutes. After *An experiment*. Train VAEs with codes of 2, 4, 8, 16 and 32. How do −ELBO, KL and the numbers in use
#     (`active_units`) change?
# 12. ★★★, 30 minutes. After *What the KL term pays for*. For each of the four values of $\beta$, compute the information and the KL of $q(z)$ with `split_kl` on 1,000
#     test images. Which of the two falls faster with $\beta$?
#
# 13. ★★, 15 minutes. After *Told the digit: the conditional VAE*. Give the conditional VAE a code of 8 numbers. For how many of the
#     200 images does the decoder still obey the label?
#
# <details><summary>Answers</summary>
#
# 7\. It tells nothing, because it is the same noise for every image; and it costs nothing, because its KL is 0. Such a number is "not in
# use".
#
# 8\. For $q = p(z \mid x)$, the posterior. Then $w = p(x)$ for every $z$, and all bounds equal $\log p(x)$.
#
# 9\. The decoder sees no noise, so it rebuilds better. But $\log p(x \mid \mathbb E z)$ is not $\mathbb E \log p(x \mid z)$, and the
# bound was proved for the second.
#
# 10\. $\mathbb E_q[(f - c)\, \nabla \log q] = \mathbb E_q[f\, \nabla \log q] - c\, \nabla \int q\, dz$, and the last integral is 1 for all
# parameters, so its derivative is 0. With the score $g$, the variance is $\mathbb E[(f - c)^2 g^2]$ minus a constant. Its derivative by $c$ is 0 at
# $c = \mathbb E[f g^2] / \mathbb E[g^2]$. Such a $c$ is called a *baseline*.
#
# 13\. For fewer. A code of 8 numbers can describe the class as well, so the decoder learns to read the class from both, and a
# drawn $z$ may contradict the label.
#
# The next cell checks 8, 9 and 10.
#
# </details>

# %% tags=["hide-cell"]
spread, drawn_z = 0.6, 1.0 + 0.6 * rng.standard_normal(200_000)  # q = N(1, 0.36)
score = (drawn_z - 1.0) / spread**2
baseline = (drawn_z**2 * score**2).mean() / (score**2).mean()
with_it, without = (drawn_z**2 - baseline) * score, drawn_z**2 * score
print(
    f"baseline {baseline:.2f}: mean {with_it.mean():.3f}, spread {with_it.std():.2f} in "
    f"place of {without.std():.2f}"
)
assert abs(with_it.mean() - 2.0) < 5 * with_it.std() / math.sqrt(200_000)
assert with_it.std() < without.std()
zk = m + math.sqrt(v) * rng.standard_normal(6)
log_w = -0.5 * math.log(2 * math.pi * s**2) - (x0 - c * zk) ** 2 / (2 * s**2) - zk**2 / 2
log_w += 0.5 * math.log(v) + (zk - m) ** 2 / (2 * v)
assert np.allclose(log_w, log_p)
at_mean, drawn_loss = (
    float(vae.objective(test)["loss"]),
    vae.elbo(test, rng)["negative_elbo"],
)
print(f"loss at z = μ: {at_mean:.1f} nats, with z drawn: {drawn_loss:.1f} nats")
assert at_mean < drawn_loss

# %% [markdown]
# ## Further reading
#
# - [Kingma and Welling 2013](bibliography.md#kingma-2013) and [Rezende et al. 2014](bibliography.md#rezende-2014): the two first papers.
# - [Bowman et al. 2016](bibliography.md#bowman-2016): a code that collapses, and a KL term that is warmed up.
# - [Murphy 2023](bibliography.md#murphy-2023), chapter 21: what came after.
#
# ## What to read in the source next
#
# - `scratchae/models/variational.py`, from the top: `elbo`, `unit_kl`, `log_likelihood`.
# - `scratchae/models/importance.py` (IWAE) and `scratchae/models/conditional.py` (a VAE that is
#   told the digit).
# - `tests/models/test_variational.py`: the statistical tests of this chapter, as the library runs
#   them.
#
# [Chapter 12](12_boltzmann.py) trains another model of probability, with a "gradient" that is not the gradient of any function.
