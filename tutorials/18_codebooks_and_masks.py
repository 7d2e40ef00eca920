# %% [markdown]
# # 18 · Codebooks and masks
#
# *Can a code be of whole numbers, which have no slope? And what is learned from hidden patches?*
#
# **Time** 60 minutes to read, 30 s to run on two cores.

# %% [markdown]
# ## The question
#
# Text is a list of whole numbers, and the strongest models that we have predict the next one. An
# image is not such a list. A **[vector-quantised autoencoder](glossary.md#vq-vae)** ([van den Oord,
# Vinyals and Kavukcuoglu 2017](bibliography.md#van-den-oord-2017)) makes it one: each number of
# its code names a vector in a learned *[codebook](glossary.md#codebook)*. To name a vector is to
# jump from one to the next, and a jump has no slope. So the first half of this chapter trains with
# a gradient that is *wrong on purpose*, and asks in which way it is wrong.
#
# The second half hides parts of an image and asks for them: a **[masked
# autoencoder](glossary.md#masked-autoencoder)** ([He et al. 2022](bibliography.md#he-2022)). It
# is chapter 09 with one change, in the loss, and its code is for other tasks. Which, we measure.

# %%
import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.layers.codebook import perplexity
from scratchae.presets import PRESETS
from scratchae.presets.preset import warm_cosine
from scratchae.tutorial import dataset, exercise, figure, quick, show, source
from scratchae.uses.probing import few, linear_probe

rng = np.random.default_rng(0)
data = dataset()  # strokes, or what --data names
train = pixels(data.train_images).reshape(-1, 28, 28, 1)
test = pixels(data.test_images).reshape(-1, 28, 28, 1)[:1000]


def squared_error(made, wanted):
    """Summed over the pixels of an image, averaged over images."""
    return float(((made - wanted) ** 2).sum() / len(made))


# %% [markdown]
# ## Forward: the nearest vector
#
# The codebook $E$ holds $K$ vectors $e_1 \dots e_K$ of $D$ numbers. A vector $z$ is replaced by
# the nearest of them:
#
# $$
# \underset{(M, D)}{e} = e_k, \qquad \underset{(M)}{k} = \arg\min_j \|z - e_j\|^2 .
# $$
#
# $M$ is the number of vectors in the batch: one for each image, or one for each *place* of each
# image, if the encoder is convolutional. The squared distance has a part that is the same for all
# $j$, so that the search is one matrix product:
#
# $$
# \|z - e_j\|^2 = \|z\|^2 - 2\,c_j, \qquad c_j = z^\top e_j - \tfrac12 \|e_j\|^2,
# \qquad k = \arg\max_j c_j .
# $$

# %%
source(sae.Codebook.forward)
book = sae.Codebook(5, 3, rng=rng)
z = rng.standard_normal((100, 3)).astype(np.float32)
e = book.forward(z)
distances = ((z[:, None] - book.E) ** 2).sum(axis=2)  # (M, K), each written out
assert np.array_equal(book.k, distances.argmin(axis=1))

# %% [markdown]
# (The code counts $z$ and $e_j$ from the middle of the codebook, so that less is rounded. Distances
# do not notice.)
#
# ## Backward: nothing comes through
#
# Let $R(e)$ be the loss that the decoder makes of $e$. Move $z$ by a little: the nearest vector is
# the same one, and $R$ does not change. At a border between two vectors $R$ jumps, and has no
# derivative there at all. So
#
# $$
# \frac{\partial R}{\partial z} = 0 \quad\text{almost everywhere},
# $$
#
# and the encoder, which is behind $z$, would never learn. A drawing for a code of one number, with
# six vectors:

# %% tags=["hide-input"]
line = np.linspace(-2, 2, 801)
six = np.linspace(-1.8, 1.8, 6)
R = lambda q: (np.tanh(1.5 * q) - 0.5) ** 2  # noqa: E731
slope = lambda q: 3 * (np.tanh(1.5 * q) - 0.5) * (1 - np.tanh(1.5 * q) ** 2)  # noqa: E731
nearest = six[np.abs(line[:, None] - six).argmin(axis=1)]
drawn, axes = figure(6, 3.2)
axes.plot(line, R(line), "--", color=plots.GREY, label="R(z), without a codebook")
axes.plot(
    line, R(nearest), ".", markersize=2, color=plots.BLUE, label="R(e), what is descended"
)
for e_k in six:
    reach = np.array([-0.25, 0.25])
    axes.plot(e_k + reach, R(e_k) + slope(e_k) * reach, color=plots.RED)
axes.plot([], [], color=plots.RED, label="the slope that is used instead")
axes.plot(six, R(six), "o", color=plots.RED, markersize=4)
axes.set(xlabel="z", ylabel="R", ylim=(-0.3, 2.6))
axes.legend()
show(
    drawn,
    "stairs",
    "A smooth curve with a minimum, and stairs that cross it at six dots. Each dot has a short line with the slope of the curve there.",
    "The stairs are flat, so their own slope says nothing. The curve's slope at the nearest vector says where the lower stairs are.",
)

# %% [markdown]
# ## Straight through
#
# The way out is to act *as if* $e$ were $z$: hand the gradient at $e$ to $z$, past the codebook,
#
# $$
# \frac{\partial R}{\partial z} := \frac{\partial R}{\partial e} .
# $$
#
# This is the **[straight-through](glossary.md#straight-through) gradient** ([Bengio, Léonard and
# Courville 2013](bibliography.md#bengio-2013)). It is not the derivative of $R(e(z))$, which is 0.
# But it *is* the derivative of something. Write $\operatorname{sg}(x)$, *stop-gradient*, for "the
# value of $x$, held still". Then
#
# $$
# q = z + \operatorname{sg}(e - z)
# $$
#
# has the value of $e$ and the slope 1 in $z$, so $\partial R(q) / \partial z = \partial R /
# \partial q$. Nothing else is meant by sg: it names the variables that a *partial* derivative
# leaves alone. With bars for those,
#
# $$
# L(z, e, \bar z, \bar e) = R(z + \bar e - \bar z) + \|\bar z - e\|^2 + \beta\,\|z - \bar e\|^2,
# $$
#
# the gradient is $\partial L / \partial z$ and $\partial L / \partial e$ with the bars fixed, and
# afterwards $\bar z = z$, $\bar e = e$. The second term draws the codebook to the codes, the third,
# the *commitment*, the codes to the codebook. Both keep $e$ near $z$. Line by line, for the mean
# over $N$ examples:
#
# $$
# \begin{aligned}
# \underset{(M, D)}{dq} &= \text{what the decoder's backward pass returns} \\
# \underset{(M, D)}{dz} &= \frac{\partial L}{\partial z} = dq + \frac{2\beta}{N}\,(z - e) \\
# \underset{(M, D)}{de} &= \frac{\partial L}{\partial e} = \frac2N\,(e - z), \qquad
# \underset{(K, D)}{dE} = \mathrm{chosen}^\top de ,
# \end{aligned}
# $$
#
# where $\mathrm{chosen}$ $(M, K)$ has a 1 at $k$ in each row, so that $e = \mathrm{chosen}\,E$.
# The codebook gets nothing of $R$, and the decoder gets all of it, exactly.

# %%
source(sae.VQVAE.backward)

# %% [markdown]
# ### What does a gradient check say of a wrong gradient?
#
# Compared with differences of the loss it must fail. So the model says what its gradient *is* the
# derivative of: `descended`, the loss above with the bars held at what they were. The check
# compares with that, and then with the loss itself, and reports where the two disagree:


# %%
def quantised(kind=sae.VQVAE):
    draw = np.random.default_rng(0)
    encoder = sae.Sequential(
        *(sae.Dense(6, 4, rng=draw), sae.Tanh(), sae.Dense(4, 4, rng=draw)),
        sae.Reshape((2, 2)),
    )
    decoder = sae.Sequential(
        sae.Flatten(), sae.Dense(4, 5, rng=draw), sae.Tanh(), sae.Dense(5, 6, rng=draw)
    )
    return kind(encoder, sae.Codebook(5, 2, rng=draw), decoder, loss=sae.MSE())


source(sae.VQVAE.descended)
small = rng.random((8, 6))
report = sae.check_gradients(quantised(), small)
print(report)
assert report.passed and report.worst < 1e-7
(remark,) = report.findings
assert remark.kind == "straight_through"
assert not any(name.startswith("decoder") for name in remark.tensors)

# %% [markdown]
# The remark names the tensors before the codebook, and the codebook, and no tensor of the decoder:
# that one's gradient is the slope of the loss. So a wrong gradient on purpose does not switch the
# check off.
#
# **Break it.** The classic mistake is to forget one sg, so that the reconstruction trains the
# codebook too:


# %%
class Undetached(sae.VQVAE):
    def backward(self):
        super().backward()
        right = self.codebook.dE.copy()
        self.codebook.backward_parameters(self.decoder.backward(self.dprediction))
        self.codebook.dE += right  # WRONG: R(z + sg(e - z)) has no slope in e


report = sae.check_gradients(quantised(Undetached), small)
wrong = [check.name for check in report.checks if not check.passed]
print("wrong:", ", ".join(wrong))
assert wrong == ["codebook.E"]

# %% [markdown]
# ### How wrong is it?
#
# Were there no codebook, the gradient would be $\nabla R(z)$. The straight-through gradient is
# $\nabla R(e)$. With $H$ for the second derivatives of $R$,
#
# $$
# \nabla R(e) - \nabla R(z) = H\,(e - z) + O(\|e - z\|^2) :
# $$
#
# the nearer the vectors, the less wrong. Try it: 1,000 points of the plane, a decoder with random
# weights, and codebooks of more and more vectors.


# %%
def settled(x, K, steps=20):
    """A codebook of K vectors after some steps of k-means, which the next section explains."""
    book = sae.Codebook(K, x.shape[1], decay=0.0, dead=0.0, rng=0).to(dtype=np.float64)
    book.E[...] = x[:K]
    errors, in_use = [], []
    for _ in range(steps):
        errors.append(squared_error(book.forward(x), x))
        in_use.append(float(perplexity(book.chosen)))
        book.follow(np.random.default_rng(0))
    return book, errors, in_use


points = rng.standard_normal((1000, 2))
draw = np.random.default_rng(1)
decoder = sae.Sequential(
    sae.Dense(2, 16, rng=draw), sae.Tanh(), sae.Dense(16, 4, rng=draw)
).to(dtype=np.float64)
wanted = rng.standard_normal((1000, 4))


def gradient_at(q):
    _, dprediction = sae.MSE()(decoder.forward(q), wanted)
    return decoder.backward(dprediction)


exact = gradient_at(points)
print("vectors   mean |e - z|   error of the gradient, as a share of its length")
found = []
for K in (4, 16, 64, 256):
    e = settled(points, K)[0].forward(points)
    away = np.linalg.norm(e - points, axis=1).mean()
    error = np.linalg.norm(gradient_at(e) - exact) / np.linalg.norm(exact)
    found.append((away, error))
    print(f"{K:7} {away:14.3f} {error:12.3f}")
away, error = np.array(found).T
assert (np.diff(error) < 0).all() and 0.7 < error[3] / error[1] / (away[3] / away[1]) < 1.4

# %% [markdown]
# The error falls as the distance does, in proportion, as the formula says. That is why the two
# other terms of the loss are there: they pay for the distance.
#
# ## The codebook's gradient is k-means
#
# Take the second term alone, and one vector $e_j$. Only the $n_j$ codes that chose it count; let
# $m_j$ be their mean:
#
# $$
# \frac{\partial}{\partial e_j} \sum_{m : k_m = j} \|z_m - e_j\|^2
# = 2 \sum_{m : k_m = j} (e_j - z_m) = 2\,n_j\,(e_j - m_j) .
# $$
#
# It points from the vector away from the mean of its codes. The term is a parabola in $e_j$ with
# second derivative $2 n_j$, so a step of size $1 / 2 n_j$ lands on its minimum: $e_j \leftarrow
# m_j$. To choose the nearest vector, then to move each vector to the mean of its codes, and so on, is
# **[k-means](glossary.md#k-means)** ([Lloyd 1982](bibliography.md#lloyd-1982)). The sum of squares
# never rises: choosing again lowers each term or leaves it, and the mean is the best place for what
# chose it. (It ends in *a* minimum, not in the least one.)
#
# A **moving average** makes this step without a gradient. Over many small batches, keep for each
# vector the mean share $s_j$ of codes that chose it, and the mean $u_j$ of their sum:
#
# $$
# s_j \leftarrow \gamma s_j + (1 - \gamma) \frac{n_j}{M}, \qquad
# u_j \leftarrow \gamma u_j + (1 - \gamma) \frac1M \sum_{m : k_m = j} z_m, \qquad
# e_j = \frac{u_j}{s_j} .
# $$
#
# With $\gamma = 0$ that is $e_j = m_j$: an exact step of k-means on the batch. With $\gamma = 0.99$
# it is one on about the last hundred batches, the older the less. Then the second term of the loss
# is left out, and $E$ is no parameter that an optimizer moves.

# %%
source(sae.Codebook.follow)
turned = rng.standard_normal((1500, 2)) @ [[1.4, 0.5], [0.0, 0.6]]
one, _, _ = settled(turned, 12, steps=0)
one.forward(turned)
before, k = one.E.copy(), one.k.copy()
means = np.stack([turned[k == j].mean(axis=0) for j in range(12)])
one.backward(2 * (one.forward(turned) - turned))  # no gradient: E is a moving average
one.follow(rng)
assert np.allclose(one.E, means)  # an exact step of k-means

trained = sae.Codebook(12, 2, rng=0).to(dtype=np.float64)
trained.E[...] = before
trained.backward(2 * (trained.forward(turned) - turned))
counts = np.bincount(k, minlength=12)[:, None]
assert np.allclose(trained.dE, 2 * counts * (before - means))  # the formula above
assert np.allclose(before - trained.dE / (2 * counts), means)  # and its step

moved, errors, _ = settled(turned, 12, steps=25)
print("squared error per vector, step by step:", *(f"{error:.3f}" for error in errors[::4]))
assert (np.diff(errors) <= 1e-12).all()

# %% tags=["hide-input"]
drawn, panels = figure(7, 2.9, columns=2, sharex=True, sharey=True)
axis = np.linspace(-4.4, 4.4, 300)
grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
for axes, (title, E) in zip(
    panels, {"before": before, "after 25 steps": moved.E}.items(), strict=True
):
    cells = ((grid[:, None] - E) ** 2).sum(axis=2).argmin(axis=1).reshape(300, 300)
    for j in range(12):
        axes.contour(axis, axis, cells == j, [0.5], colors=plots.GREY, linewidths=0.6)
    axes.plot(*turned.T, ".", markersize=1.5, color=plots.BLUE)
    axes.plot(*E.T, "o", color=plots.RED, markersize=5)
    axes.set(title=title, xlabel="$z_1$", xlim=(-4.4, 4.4), ylim=(-2.4, 2.4))
    axes.grid(visible=False)
panels[0].set_ylabel("$z_2$")
show(
    drawn,
    "cells",
    "Twice the same slanted cloud of points with twelve dots and the borders between their cells; on the right the dots are spread over the cloud.",
    "Each vector has a cell: the points that are nearer to it than to any other. k-means spreads the vectors where the codes are.",
)

# %% [markdown]
# ## Dead codes
#
# A vector that nothing chooses has $n_j = 0$, and its gradient is 0. It does not move, so nothing
# will choose it: it is *dead*, as a ReLU can be ([chapter 05](05_going_deep.py)). How many vectors
# are in use? Counting those that were chosen at all would count one that is chosen once in a
# million. The **[perplexity](glossary.md#perplexity)** weighs them, by the entropy of the shares
# $p_j = n_j / M$:
#
# $$
# \text{perplexity} = e^{H}, \qquad H = -\sum_j p_j \log p_j ,
# $$
#
# which is $n$ if $n$ vectors are used alike and the others never; by [Jensen's inequality](mathematics.md#jensens-inequality) it is at
# most $K$. The remedy is blunt: a vector whose share falls below a few hundredths of $1/K$ is moved
# to a random code of the batch. A codebook of 64 that begins far from the codes, as it does in a
# new net:

# %%
assert np.isclose(float(perplexity(np.eye(8)[[0, 1, 2, 3] * 5])), 4)
far = (rng.standard_normal((2000, 4)) + 6).astype(np.float32)  # the codebook is at N(0, 1)
in_use = {}
for dead in (0.0, 0.03):
    book, draws = sae.Codebook(64, 4, decay=0.9, dead=dead, rng=0), np.random.default_rng(0)
    in_use[dead] = []
    for _ in range(200):
        book.forward(far[draws.integers(0, 2000, 256)])
        book.follow(draws)
        in_use[dead].append(float(perplexity(book.chosen)))
    print(f"dead={dead}: {in_use[dead][-1]:.1f} of 64 vectors in use")
assert in_use[0.0][-1] < 10 and in_use[0.03][-1] > 40

# %% [markdown]
# ## An experiment: images as 49 whole numbers
#
# The preset `vqvae`: convolutions take an image to $7 \times 7$ places with 16 numbers each, and
# each of these vectors is replaced by the nearest of 64. The code of an image is 49 whole numbers
# from 0 to 63.

# %%
images, epochs = quick(7000, 1000), quick(3, 2)
model = PRESETS["vqvae"].build(np.random.default_rng(0))
history = sae.fit(
    model,
    train[:images],
    epochs=epochs,
    batch_size=100,
    optimizer=warm_cosine()(3e-3, epochs * images // 100),
    progress=False,
)
codes, test_codes = model.codes(train[: images // 2]), model.codes(test)
made = model.reconstruct(test)
error = squared_error(made, test)
mean_error = squared_error(np.broadcast_to(train[:images].mean(axis=0), test.shape), test)
shares = np.bincount(test_codes.ravel(), minlength=64) / test_codes.size
use = float(np.exp(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()))
print(f"squared error per image {error:.1f}, of the mean image {mean_error:.1f}")
print(f"vectors in use (perplexity) {use:.1f} of 64, chosen at all {np.sum(shares > 0)}")
print(f"the first image as whole numbers:\n{test_codes[0]}")
assert quick(error < 0.4 * mean_error and use > 8, True)

# %% [markdown]
# ### What a code costs
#
# If all vectors are as probable, a code takes $49 \log_2 64 = 294$ bits, 37 bytes. A code for
# compression gives frequent vectors short names: a code that has probability $P$ can be written in
# about $-\log_2 P$ bits (arithmetic coding). The better one knows which codes are probable, the
# fewer bits it takes. In [expectation](mathematics.md#expectation-variance-covariance) over the data,
#
# $$
# \mathbb E\,[-\log_2 P(k)] = \underbrace{\mathbb E\,[-\log_2 Q(k)]}_{\text{entropy of the codes}} + \underbrace{\mathrm{KL}(Q \,\|\, P)}_{\text{for not knowing } Q} ,
# $$
#
# where $Q$ is how codes are really distributed. Three priors $P$: all alike; each place by itself;
# and a small table that knows each place with its neighbours to the left and above (`CodePrior`).
# They are counted on training images and judged on test images.
#
# (For readers of [chapter 11](11_variational.py): as a VAE, this model has the posterior
# $q(k|x) = 1$ at one $k$. Its KL to a uniform prior is $\log K$ at every place, whatever the
# encoder does: a constant, without a gradient. So the loss has no KL term, and the prior is learned
# afterwards, from codes that stand still.)

# %%
places = codes.reshape(len(codes), 49)
alone = 0.0
for i, at in enumerate(test_codes.reshape(len(test), 49).T):
    p = (np.bincount(places[:, i], minlength=64) + 1 / 64) / (len(places) + 1)
    alone -= np.log2(p[at]).mean()
prior = sae.CodePrior(64).fit(codes)
bits = {
    "all vectors alike": model.bits(test),
    "each place by itself": alone,
    "with the neighbours": float(prior.bits(test_codes[:300]).mean()),
}
for name, value in bits.items():
    print(f"{name:<22} {value:6.1f} bits per image")
assert np.isclose(bits["all vectors alike"], 49 * 6)
assert quick(bits["with the neighbours"] < 0.9 * bits["each place by itself"] < 250, True)

# %% [markdown]
# ### New images
#
# A prior can also be drawn from, place after place, and the decoder makes an image of what was
# drawn. This is what large models of images do, with a transformer for the prior instead of a table
# of neighbours.

# %%
drawn_codes = prior.sample(8, rng=0)
alike = np.random.default_rng(0).integers(0, 64, (8, 7, 7))
rows = {
    "original": test[:8],
    "its 49 numbers": made[:8],
    "drawn by the prior": model.decode(model.codebook.vectors(drawn_codes)),
    "drawn, all alike": model.decode(model.codebook.vectors(alike)),
}
rows = {name: each[..., 0] for name, each in rows.items()}
show(
    lambda path: plots.image_rows(rows, path),
    "codes",
    "Rows of images: eight digits, the same rebuilt from their codes, eight drawn from the prior, which look like parts of digits, and eight of random codes, which are noise.",
    "Below: codes drawn from the table of neighbours, and codes drawn without any knowledge.",
)
ink = {name: float(each.mean()) for name, each in rows.items()}
assert quick(abs(ink["drawn by the prior"] / ink["original"] - 1) < 0.5, True)
print("mean ink:", ", ".join(f"{name} {value:.3f}" for name, value in ink.items()))

# %% [markdown]
# And what do the vectors stand for? Cut a window of $12 \times 12$ pixels around each place of the
# training images, and take the mean over all windows whose place has chosen the same vector:

# %%
padded = np.pad(train[: len(codes), ..., 0], ((0, 0), (4, 4), (4, 4)))
windows, chosen_by = np.zeros((64, 12, 12)), np.zeros(64)
for i, j in np.ndindex(7, 7):
    np.add.at(windows, codes[:, i, j], padded[:, 4 * i : 4 * i + 12, 4 * j : 4 * j + 12])
    np.add.at(chosen_by, codes[:, i, j], 1)
windows /= np.maximum(chosen_by, 1)[:, None, None]
windows = windows[np.argsort(-chosen_by, kind="stable")].reshape(4, 16, 12, 12)
show(
    lambda path: plots.mosaic(windows, path),
    "vectors",
    "Sixty-four small grey images, the first of them empty, the others with a blurred piece of a stroke or of its edge, each in another place and direction.",
    "The mean window of each vector, the most frequent first, row by row. Those that were never chosen are white.",
)

# %% [markdown]
# ## Masks: judged by what is hidden
#
# Now the input is cut into patches of $4 \times 4$ pixels, of which some are hidden: with $h = 1$
# where a pixel is hidden, and 0 where it is seen,
#
# $$
# z = \mathrm{encoder}\big(x \odot (1 - h)\big), \qquad \hat x = \mathrm{decoder}(z), \qquad
# L = \frac1N \sum_n \sum_d h_{nd}\, \ell(\hat x_{nd}, x_{nd}),
# $$
#
# with $\ell$ the loss of one pixel. Since $h$ is a constant once it is drawn, the gradient is that
# of $\ell$ times $h$:
#
# $$
# \underset{(N, D)}{d\hat x} = \frac1N\, \frac{\partial \ell}{\partial \hat x} \odot h .
# $$
#
# A pixel that is seen costs nothing, so that there is nothing to be gained by copying. The best
# answer is, as in chapter 09, a mean: for squared error and for cross-entropy alike,
#
# $$
# \hat x_d = \mathbb E\,[x_d \mid x_s] \quad\text{for hidden } d,
# $$
#
# the mean of the pixel over all images that agree with what is seen, $x_s$. For a pixel that is
# seen, no answer is better than another. So nothing of the code need be spent on it.


# %%
def masked(rate):
    draw = np.random.default_rng(0)
    he = {"init": "he", "rng": draw}
    encoder = sae.Sequential(
        *(sae.Flatten(), sae.Dense(784, 256, **he), sae.ReLU()),
        *(sae.Dense(256, 64, **he), sae.ReLU()),
    )
    decoder = sae.Sequential(
        *(sae.Dense(64, 256, **he), sae.ReLU(), sae.Dense(256, 784, rng=draw)),
        sae.Reshape((28, 28, 1)),
    )
    return sae.MaskedAutoencoder(
        encoder, decoder, loss=sae.BCEWithLogits(), patch=4, rate=rate
    )


source(sae.MaskedAutoencoder.objective, sae.MaskedAutoencoder.hide)
model = masked(0.5)
model.training_step(test[:3], np.random.default_rng(0))
assert np.array_equal(
    model.dprediction != 0, np.broadcast_to(model.hidden == 1, (3, 28, 28, 1))
)

draw = np.random.default_rng(0)
tiny = sae.MaskedAutoencoder(
    sae.Sequential(sae.Dense(12, 5, rng=draw), sae.Tanh()),
    sae.Sequential(sae.Dense(5, 12, rng=draw)),
    loss=sae.BCEWithLogits(),
    patch=3,  # of a row of 12 numbers: runs of 3
    rate=0.5,
)
report = sae.check_gradients(tiny, rng.random((4, 12)))
print(f"largest relative error of a gradient {report.worst:.0e}")
assert report.passed and report.worst < 1e-7

# %% [markdown]
# (The library multiplies prediction *and* target by $h$. For a cross-entropy of logits, a logit of
# 0 for a target of 0 costs $\log 2$ all the same, which it takes off again: a constant, without a
# gradient.)
#
# ### What the rate does
#
# How much should be hidden? The best error can only grow with it. By the law of total variance,
# what is seen in addition, $x_t$, takes away the variance of a mean:
#
# $$
# \mathbb E \operatorname{Var}(x_d \mid x_s)
# = \mathbb E \operatorname{Var}(x_d \mid x_s, x_t) + \mathbb E \operatorname{Var}\big(\mathbb E[x_d \mid x_s, x_t] \,\big|\, x_s\big)
# \ge \mathbb E \operatorname{Var}(x_d \mid x_s, x_t) .
# $$
#
# With little hidden, the neighbours tell nearly everything. With nearly all hidden, nothing can be
# told, and the best answer nears the mean image. For images that were normally distributed, the best
# answer is a formula, with the mean $\mu$ and the covariance $C$ of pixels:
#
# $$
# \mathbb E\,[x_h \mid x_s] = \mu_h + C_{hs} C_{ss}^{-1} (x_s - \mu_s),
# $$
#
# which is at the same time the best *linear* answer for any data. It is an opponent to be taken
# seriously:

# %%
images, epochs = quick(5000, 1000), quick(6, 3)
x = train[:images]


def fitted(model, x=x):
    sae.fit(
        model,
        x,
        epochs=epochs,
        batch_size=100,
        optimizer=warm_cosine()(3e-3, epochs * len(x) // 100),
        progress=False,
    )
    return model


mean = x.reshape(images, -1).mean(axis=0)
C = np.cov(x.reshape(images, -1).astype(np.float64), rowvar=False) + 1e-2 * np.eye(784)


def linear(x, hidden):
    """x with its hidden pixels as the best linear answer has them."""
    made, hidden = x.reshape(len(x), -1).copy(), hidden.reshape(len(x), -1) == 1
    for one, h in zip(made, hidden, strict=True):
        of_seen = np.linalg.solve(C[np.ix_(~h, ~h)], one[~h] - mean[~h])
        one[h] = mean[h] + C[np.ix_(h, ~h)] @ of_seen
    return made.reshape(x.shape)


def missed(made, hidden, n):
    """The squared error per image, as large as if all pixels had been hidden."""
    return squared_error(made, test[:n]) / float(hidden.mean())


models, error = {}, {}
n = quick(100, 20)
print("hidden    autoencoder   linear   mean image")
for rate in (0.3, 0.5, 0.75):
    models[rate] = fitted(masked(rate))
    hidden = models[rate].hide(test, rng=0)
    error[rate] = missed(models[rate].fill_in(test, hidden), hidden, len(test))
    of_linear = missed(linear(test[:n], hidden[:n]), hidden[:n], n)
    of_mean = missed(
        np.where(hidden == 1, mean.reshape(28, 28, 1), test), hidden, len(test)
    )
    print(f"{rate:6.0%} {error[rate]:14.1f} {of_linear:8.1f} {of_mean:12.1f}")
    assert quick(of_linear < error[rate] < of_mean, True)
assert quick(error[0.3] < error[0.5] < error[0.75], True)

# %% [markdown]
# The table has the squared error per image, scaled as if all pixels had been hidden. The more is
# hidden, the larger it is, as it must be. And the *linear* answer is better than that of this small
# net. Two reasons: the linear answer is told which pixels are hidden, whereas the net is given a 0
# there, which is also the white of the paper; and the net has been trained for two seconds.
#
# Given time, the net wins. `scratchae train masked`, a larger net and 20 epochs of 29,500 images, ends
# at a squared error of 4.78 per test image with 24 of 49 patches hidden. `linear` has 9.7 on the
# first 300 of them with the same patches hidden (covariance of 10,000 images), the mean image 24.7.

# %%
shown, hidden = test[:8], models[0.75].hide(test[:8], rng=0)
rows = {"what is seen": shown * (1 - hidden) + 0.35 * hidden}
rows |= {"filled in": models[0.75].fill_in(shown, hidden), "linear": linear(shown, hidden)}
rows |= {"original": shown}
show(
    lambda path: plots.image_rows(
        {name: each[..., 0] for name, each in rows.items()}, path
    ),
    "filled_in",
    "Eight digits of which three quarters are hidden by grey patches; below, the autoencoder's answers, blurred digits, the linear answers, blots, and the originals.",
    "Three of four patches are hidden. Where the net cannot know, it answers with a mean of what it could be.",
)

# %% [markdown]
# ### What the code is good for
#
# Filling in is not the aim. The aim is the code, of the whole image, with nothing hidden: is it a
# good place to start for another task? A **[linear probe](glossary.md#linear-probe)** answers: how
# well can a *linear* function of the code tell the digit, with few labels? Beside it the same net,
# trained for as long on the same images as a plain and as a denoising autoencoder.

# %%
labels, test_labels = data.train_labels[:images], data.test_labels[: len(test)]


def probed(encode):
    """The mean accuracy over three choices of labelled images, for each number of labels."""
    z, of_test = encode(x), encode(test)
    accuracies = []
    for count in (50, 500):
        choices = [few(labels, count, np.random.default_rng(seed)) for seed in range(3)]
        each = [linear_probe(z[i], labels[i], of_test, test_labels) for i in choices]
        accuracies.append(float(np.mean(each)))
    return accuracies


def autoencoder(*noise):
    like = masked(0.5)
    encoder = sae.Sequential(*noise, *like.encoder.layers)
    return sae.Autoencoder(encoder, like.decoder, loss=sae.BCEWithLogits())


rates = {f"masked, {rate:.0%}": model for rate, model in models.items()}
others = {
    "denoising": fitted(autoencoder(sae.GaussianNoise(0.5, clip=(0, 1)))),
    "plain": fitted(autoencoder()),
    "random weights": autoencoder(),
}
flat = lambda x: x.reshape(len(x), -1)  # noqa: E731
probes = {name: probed(model.encode) for name, model in (rates | others).items()}
probes |= {
    "PCA-64": probed(lambda x: sae.PCA(64).fit(flat(train[:images])).encode(flat(x)))
}
probes |= {"pixels": probed(flat)}
print("accuracy with             50 labels   500 labels")
for name, (at_50, at_500) in probes.items():
    print(f"{name:<22} {at_50:10.1%} {at_500:12.1%}")
least, most = probes["masked, 30%"], probes["masked, 75%"]
for at in (0, 1):
    assert quick(least[at] > max(probes["denoising"][at], most[at]), True)
    assert quick(least[at] > probes["random weights"][at] + 0.05, True)
assert quick(probes["pixels"][1] > least[1], True)

# %% [markdown]
# With 30 % hidden, the code is a better start than the denoising one at equal cost, by three to five
# points (one training each, three choices of labels), and than that of random weights by far. With
# 75 % hidden it is worse. But the plain autoencoder is at least as good, and with 500 labels PCA and
# the pixels themselves are better, after these few seconds of training. With the presets' larger nets
# and 3 epochs of 29,500 images each (one seed), `python benchmarks/probe.py --data strokes --epochs 3
# --presets masked denoising denoising-masking simple` gives errors on 5,000 test images:
#
# | code of | 100 labels | 1,000 labels | 10,000 labels |
# | --- | ---: | ---: | ---: |
# | masked | 22.40 % | 4.52 % | 1.18 % |
# | denoising | 21.52 % | 5.54 % | 1.66 % |
# | denoising-masking | 18.98 % | 3.32 % | 0.62 % |
# | simple | 23.36 % | 5.48 % | 1.76 % |
# | pixels | 23.90 % | 5.52 % | 2.00 % |
# | PCA-64 | 31.72 % | 7.20 % | 2.24 % |
#
# There the masked code is better than the denoising one from 1,000 labels on, and better than the
# pixels. Best is `denoising-masking`, which hides single pixels and is judged by all of them. So on
# drawn digits of $28 \times 28$ pixels, patches are not what makes a code good. He et al. found them to
# be on photographs, for much larger nets. Take from this how to measure it.
#
# ### With convolutions
#
# Nothing in the loss asks for dense layers. A hidden patch is $4 \times 4$ pixels, so a convolutional net must look farther
# than that: two convolutions of stride 2 and a $5 \times 5$ kernel on their maps see 23 pixels across.


# %%
def convolutional(rate):
    draw = np.random.default_rng(0)
    he = {"init": "he", "rng": draw}
    half = {"stride": 2, "padding": 1}
    encoder = sae.Sequential(
        *(sae.Conv2d(1, 16, 3, **half, **he), sae.ReLU()),  # (N, 14, 14, 16)
        *(sae.Conv2d(16, 32, 3, **half, **he), sae.ReLU()),  # (N, 7, 7, 32)
        *(sae.Conv2d(32, 32, 5, padding=2, **he), sae.ReLU()),
    )
    decoder = sae.Sequential(
        *(sae.ConvTranspose2d(32, 16, 3, **half, output_padding=1, **he), sae.ReLU()),
        sae.ConvTranspose2d(16, 1, 3, **half, output_padding=1, rng=draw),
    )
    return sae.MaskedAutoencoder(
        encoder, decoder, loss=sae.BCEWithLogits(), patch=4, rate=rate
    )


model = fitted(convolutional(0.5), x[: quick(3000, 600)])
hidden = model.hide(test, rng=0)
of_conv = missed(model.fill_in(test, hidden), hidden, len(test))
print(
    f"half hidden: convolutional {of_conv:.1f} ({model.parameters.size:,} parameters), "
    f"dense {error[0.5]:.1f} ({models[0.5].parameters.size:,} parameters)"
)
assert quick(of_conv < 1.3 * error[0.5], True)

# %% [markdown]
# With a tenth of the parameters and fewer images it fills in about as well: a stroke goes on in the same way wherever it is.
#
# ## What to change for MNIST
#
# `scratchae tutorial 18 --data mnist` runs this chapter on MNIST. The presets are `scratchae train vqvae --data mnist` and
# `scratchae train masked --data mnist`; both draw what is drawn here. `python benchmarks/probe.py` probes the codes of `masked` and of
# the denoising presets at equal cost, with more labels.
#
# ## Exercises
#
# 1. One step of a vector-quantised autoencoder, all three gradients. After *Straight through*. ★★★, 25 minutes.

# %%
exercise("18_straight_through")

# %% [markdown]
# 2. The loss of a masked autoencoder. After *Masks*. ★, 10 minutes.

# %%
exercise("18_masked_loss")

# %% [markdown]
# Without code:
#
# 3. ★ The mean over the hidden pixels of the batch, or the sum over each image and the mean over images: when do the two losses
#    differ by more than a factor that the learning rate can make good?
# 4. ★★ A codebook of one vector: what does the vector become, what is the perplexity, and what does the decoder learn?
# 5. ★★ Let $\beta$ be 0. The loss of the reconstruction trains the encoder all the same. What may go wrong with
#    $\|z - e\|^2$, and what with the gradient?
# 6. ★★★ A VAE rounds too: its noise makes nearby codes alike. Compare the bits: with `MSE()` (variance ½), what does
#    `scratchae train vae` pay as KL in bits, and what does `vqvae` pay with its prior, at which squared error?
#
# *Answers:* 3. When different images have different numbers of hidden pixels: then the mean over all pixels counts an image the more,
# the more of it is hidden. Here each has as many. 4. The mean of all codes, 1, and the mean image: it is given the same
# for every image. 5. Nothing keeps $z$ near $e$. The codebook follows, but $z$ may run ahead of it as far as it
# likes, and then the gradient at $e$ says little about $z$: the error of the gradient grows with the distance.
# 6. KL in nats divided by $\log 2$. Only the pairs of bits and error compare: a model is better if it has less of both.

# %% [markdown]
# ## Further reading
#
# - [van den Oord et al. 2017](bibliography.md#van-den-oord-2017): the codebook. [He et al. 2022](bibliography.md#he-2022): masks.
#
# ## What to read in the source next
#
# - `scratchae/models/quantized.py` and `scratchae/layers/codebook.py`: the model and its layer.
# - `scratchae/models/prior.py`: the table of neighbours, whole.
# - `scratchae/models/masked.py`: masks for images and for tables.
#
# [Chapter 19](19_diffusion.py) goes back to noise, and to all of its levels.
