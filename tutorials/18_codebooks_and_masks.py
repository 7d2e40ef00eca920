# %% [markdown]
# # 18 · Codebooks and masks
#
# *Can a code be of whole numbers, which have no slope? And what is learned from hidden patches?*
#
# **Time** 60 minutes to read, 30 s to run on two cores.

# %% [markdown]
# ## The question
#
# Text is a list of whole numbers, and a language model predicts the next one. An image is not such a
# list. A **[vector-quantised autoencoder](glossary.md#vq-vae)** ([van den Oord, Vinyals and
# Kavukcuoglu 2017](bibliography.md#van-den-oord-2017)) makes such a list of an image: each number of
# its code names a vector in a learned *[codebook](glossary.md#codebook)*. When the encoder's output
# moves a little, the number either stays the same or jumps. A number that stays has the slope 0, and
# one that jumps has no slope, so neither can train the encoder. So the first half of this chapter
# trains with a gradient that is *wrong on purpose*, and asks in which way it is wrong.
#
# The second half hides parts of an image and asks the net for them. This is a **[masked
# autoencoder](glossary.md#masked-autoencoder)** ([He et al. 2022](bibliography.md#he-2022)): the
# denoising autoencoder of [chapter 09](09_denoising.py) with one change in the loss. Its code is meant
# for other tasks, and we measure how good it is for one of them.

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
# The codebook $E$ holds $K$ vectors $e_1 \dots e_K$ of $D$ numbers. Each vector $z$ that the encoder
# makes is replaced by the nearest of them:
#
# $$
# \underset{(M, D)}{e} = e_k, \qquad \underset{(M)}{k} = \arg\min_j \|z - e_j\|^2 .
# $$
#
# $M$ is the number of vectors in the batch: one for each image, or one for each *place* of each
# image, if the encoder is convolutional. (Up to the experiment, *codes* are these vectors $z$, and
# *vectors* are those of the codebook. In the end the code of an image is its numbers $k$.) The squared
# distance has a part $\|z\|^2$ that is the same for all $j$, so it does not decide which vector is
# nearest. The rest is one matrix product:
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
# (The code measures $z$ and $e_j$ from the mean of the codebook, so that less is rounded. This changes
# no distance.)
#
# ## Backward: nothing comes through
#
# Let $R(e)$ be the loss that follows from $e$ through the decoder. Move $z$ a little: the nearest vector
# is still the same one, so $R$ does not change. At a border between two vectors $R$ jumps, and has no
# derivative at all. So
#
# $$
# \frac{\partial R}{\partial z} = 0 \quad\text{almost everywhere},
# $$
#
# and the encoder, which makes $z$, would never learn. Here is $R$ for a code of one number and a
# codebook of six vectors:

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
    "The stairs are flat, so their own slope says nothing. Look at the short slanted lines: the slope of the curve at each vector says on which side the stairs are lower.",
)

# %% [markdown]
# ## Straight through
#
# The way out is to act *as if* $e$ were $z$. The gradient in $e$ is handed to $z$, past the codebook:
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
# \partial q$. That is all that sg means: it marks the variables that a *partial* derivative holds
# fixed. Write these variables with bars. The whole loss of an example is
#
# $$
# L(z, e, \bar z, \bar e) = R(z + \bar e - \bar z) + \|\bar z - e\|^2 + \beta\,\|z - \bar e\|^2,
# $$
#
# and its gradient is $\partial L / \partial z$ and $\partial L / \partial e$ with $\bar z$ and $\bar e$
# held fixed, and with $\bar z = z$ and $\bar e = e$ put in afterwards. The second term draws the
# vectors of the codebook to the codes. The third term, the *commitment*, draws the codes to the
# vectors. Both keep $e$ near $z$. If $L$ is now the mean over $N$ examples, the lines of the backward
# pass are
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
# where $\mathrm{chosen}$ $(M, K)$ has a 1 at $k$ in each row, so that $e = \mathrm{chosen}\,E$ is a
# dense layer with the weights $E$. The first term of $dz$ is $dq$, because $q$ has the slope 1 in $z$.
# $R$ does not contain $e$ but only $\bar e$, so the codebook gets no gradient of $R$. The decoder gets
# its exact gradient, because $R$ depends on the decoder's parameters only after $q$, where nothing is
# held fixed.

# %%
source(sae.VQVAE.backward)

# %% [markdown]
# ### What does a gradient check say of a wrong gradient?
#
# A check that compares the gradient with differences of the loss must fail here. So the model says
# what its gradient *is* the derivative of: the model's method `descended` computes the loss above, with
# $\bar z$ and $\bar e$ held at their values of the last forward pass. The check compares the gradient
# with differences of `descended`, and it fails if the two disagree. Then it compares the differences of
# `descended` with differences of the loss itself. If these two disagree, the check does not fail, but names
# the tensors in a remark below its table.
#
# *Predict:* which tensors will the remark name: the encoder's, the codebook, the decoder's?


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
# The remark names the encoder's tensors and the codebook. It names no tensor of the decoder, because
# the decoder's gradient is the slope of the loss itself. So although the gradient is wrong on purpose, it
# can still be checked.
#
# **Break it.** A common mistake is to forget one sg, so that the reconstruction trains the codebook
# too. *Predict:* for which tensors does the check fail now?


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
# Without a codebook the gradient would be $\nabla R(z)$. The straight-through gradient is
# $\nabla R(e)$. With $H$ for the second derivatives of $R$ at $z$ ([Taylor](mathematics.md#taylors-theorem)),
#
# $$
# \nabla R(e) - \nabla R(z) = H\,(e - z) + O(\|e - z\|^2) .
# $$
#
# So the nearer $e$ is to $z$, the less wrong the gradient is. The next cell tries this with 1,000 points
# of the plane, a decoder with random weights, and codebooks of more and more vectors. *Predict:* if the
# mean distance between $e$ and $z$ becomes half as large, what becomes of the gradient's error?


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
# The error falls in proportion to the distance, as the formula says. That is why the loss has its two
# other terms: they make the distance small.
#
# ## The codebook's gradient is k-means
#
# Take the second term alone, and one vector $e_j$. Only the $n_j$ codes that chose it count; let
# $m_j$ be their mean:
#
# $$
# \frac{\partial}{\partial e_j} \sum_{i : k_i = j} \|z_i - e_j\|^2
# = 2 \sum_{i : k_i = j} (e_j - z_i) = 2\,n_j\,(e_j - m_j) .
# $$
#
# The gradient vanishes where $e_j$ is the mean of its codes. The sum is a parabola in $e_j$ with second
# derivative $2 n_j$, so one step of size $1 / (2 n_j)$ against the gradient lands on its minimum:
# $e_j \leftarrow m_j$. To choose the nearest vector for each code, then to move each vector to the mean
# of its codes, and to repeat both, is **[k-means](glossary.md#k-means)** ([Lloyd
# 1982](bibliography.md#lloyd-1982)). The sum of squared distances never rises. When codes choose again,
# each distance becomes smaller or stays. When a vector moves to the mean of its codes, the sum of their
# squared distances becomes as small as it can. (k-means ends in *a* minimum, which need not be the least
# one.)
#
# A **moving average** makes this step without a gradient. Keep two running means over many small
# batches for each vector: the share $s_j$ of the codes that chose it, and the sum $u_j$ of these codes,
# divided by $M$:
#
# $$
# s_j \leftarrow \gamma s_j + (1 - \gamma) \frac{n_j}{M}, \qquad
# u_j \leftarrow \gamma u_j + (1 - \gamma) \frac1M \sum_{i : k_i = j} z_i, \qquad
# e_j = \frac{u_j}{s_j} .
# $$
#
# With $\gamma = 0$ this is $e_j = m_j$: an exact step of k-means on the batch. With $\gamma = 0.99$ it is
# a step of k-means on about the last hundred batches, of which the older ones have smaller weights. The
# second term of the loss is then left out, because the moving average does its work, and the optimizer
# does not move $E$.

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
    "Each dot is a vector and has a cell: the points that are nearer to it than to any other vector. Look at how k-means spreads the vectors over the places where codes are.",
)

# %% [markdown]
# ## Dead codes
#
# A vector that no code chooses has $n_j = 0$, so its gradient is 0 and it does not move. Then most
# likely no code will choose it later either: it is *dead*, as a ReLU can be ([chapter
# 05](05_going_deep.py)). How many vectors are in use? The number of vectors that were chosen at least
# once is a poor measure, because it includes a vector that is chosen once in a million. The
# **[perplexity](glossary.md#perplexity)** takes account of how often each vector is chosen, by the
# [entropy](glossary.md#entropy) of the shares $p_j = n_j / M$:
#
# $$
# \text{perplexity} = e^{H}, \qquad H = -\sum_j p_j \log p_j ,
# $$
#
# which is $n$ if $n$ vectors are chosen equally often and the others never; by [Jensen's
# inequality](mathematics.md#jensens-inequality) it is at most $K$. The remedy for dead vectors is
# simple: a vector whose share falls below a few hundredths of $1/K$ is moved to a random code of the
# batch. The next cell begins with a codebook of 64 vectors that are far from the codes, as the vectors
# of a new net may be. *Predict:* how many vectors are in use in the end, without the remedy and with it?

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
# In the preset `vqvae`, convolutions turn an image into $7 \times 7$ places with 16 numbers each, and
# each of these 49 vectors is replaced by the nearest of 64. So the code of an image is 49 whole numbers
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
# If all vectors are equally probable, the code of an image takes $49 \log_2 64 = 294$ bits, or 37
# bytes. If they are not, frequent vectors can have short names: a code of probability $P$ can be
# written in about $-\log_2 P$ bits ([chapter 17](17_what_a_code_is_good_for.py#what-a-bit-is)). The
# probabilities $P$ of the codes are called a *prior*, because they are known before the image is seen.
# The better the prior knows which codes are frequent, the fewer bits the codes take. In
# [expectation](mathematics.md#expectation-variance-covariance) over the data,
#
# $$
# \mathbb E\,[-\log_2 P(k)] = \underbrace{\mathbb E\,[-\log_2 Q(k)]}_{\text{entropy of the codes}} + \underbrace{\mathrm{KL}(Q \,\|\, P)}_{\text{for not knowing } Q} ,
# $$
#
# where $Q$ is the true distribution of the codes. Here are three priors $P$. The first takes all vectors
# as equally probable. The second counts how often each vector is chosen, at each place by itself. The
# third, `CodePrior`, is a small table that also takes account of the neighbours to the left and above.
# The priors are counted on training images and judged on test images. *Predict:* how many bits does an
# image take with the third prior, instead of 294?
#
# (A note that looks back to [chapter 11](11_variational.py): taken as a VAE, this model has the posterior
# $q(k|x) = 1$ at one $k$. Its KL to a uniform prior is $\log K$ at every place, whatever the encoder
# does. This is a constant without a gradient, so the loss has no KL term. The prior is learned
# afterwards, when the encoder no longer changes.)

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
# Codes can be drawn from the prior, place after place, and the decoder makes an image of each. Large
# models of images do the same with a larger net as the prior (often a *transformer*), instead of a table
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
    "Rows of images: eight digits, the same rebuilt from their codes, eight drawn from the prior, which look like parts of digits, and eight of random codes, which are scattered blots.",
    "Compare the two lower rows: codes drawn from the table of neighbours make parts of digits, and codes drawn with all vectors alike make scattered blots.",
)
ink = {name: float(each.mean()) for name, each in rows.items()}
assert quick(abs(ink["drawn by the prior"] / ink["original"] - 1) < 0.5, True)
print("mean ink:", ", ".join(f"{name} {value:.3f}" for name, value in ink.items()))

# %% [markdown]
# What do the vectors stand for? The next cell cuts a window of $12 \times 12$ pixels around each place of
# the training images, and takes the mean of all windows whose places have chosen the same vector:

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
    "The mean window of each vector, the most frequent first, row by row. Look for places and directions of strokes. Vectors that were never chosen are white.",
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
# A pixel that is seen costs nothing, so the net gains nothing by copying it. The best answer is a mean,
# as in [chapter 09](09_denoising.py). For squared error and for cross-entropy alike it is
#
# $$
# \hat x_d = \mathbb E\,[x_d \mid x_s] \quad\text{for hidden } d,
# $$
#
# the mean of the pixel over all images that agree with the seen pixels $x_s$. For a pixel that is seen,
# no answer is better than another, so the code need not describe it.


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
# (The library multiplies prediction *and* target by $h$, and gives both to the loss. A seen pixel then
# has the prediction 0 and the target 0, which costs nothing by the squared error. By the cross-entropy
# of logits it costs $\log 2$, because a logit of 0 is a probability of ½. The library subtracts this
# constant again, which has no gradient.)
#
# ### What the rate does
#
# The *rate* is the share of the patches that are hidden. How large should it be? The more is hidden, the
# larger is even the best possible error. The best answer for a pixel is its mean given $x_s$, so the
# squared error that remains is its variance given $x_s$. If some pixels $x_t$ are seen in addition to
# $x_s$, this variance falls by the variance of the new mean (the law of total variance):
#
# $$
# \mathbb E \operatorname{Var}(x_d \mid x_s)
# = \mathbb E \operatorname{Var}(x_d \mid x_s, x_t) + \mathbb E \operatorname{Var}\big(\mathbb E[x_d \mid x_s, x_t] \,\big|\, x_s\big)
# \ge \mathbb E \operatorname{Var}(x_d \mid x_s, x_t) .
# $$
#
# If little is hidden, a pixel's neighbours tell it nearly exactly. If nearly everything is hidden, the
# best answer is close to the mean image. If images were [normally
# distributed](mathematics.md#density-and-the-normal-distribution), the best answer would be a formula
# of the mean $\mu$ and the covariance $C$ of the pixels:
#
# $$
# \mathbb E\,[x_h \mid x_s] = \mu_h + C_{hs} C_{ss}^{-1} (x_s - \mu_s) .
# $$
#
# Here an index $h$ takes the hidden pixels and an index $s$ the seen ones. For any data this formula is
# the best *linear* answer, so it is a strong opponent.
#
# *Predict:* is the error of a net that is trained for a few seconds smaller than that of the linear
# answer?

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
# hidden, the larger the error is. And the *linear* answer is better than that of this small net. There may be
# two reasons. The linear answer is told which pixels are hidden, whereas the net is given a 0 there,
# which is also the value of a pixel without ink. And the net has been trained for a few seconds only;
# `scratchae train masked` trains a larger net for longer.

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
# The aim is not to fill in images. The aim is a code of the whole image, with nothing hidden, from which
# another task can be learned with few labels. A **[linear probe](glossary.md#linear-probe)** measures
# that: how well does a *linear* function of the code tell the digit ([chapter
# 17](17_what_a_code_is_good_for.py#few-labels))? The masked code is compared with codes of the same net,
# trained for as long on the same images as a plain and as a denoising autoencoder.
#
# *Predict:* which rate is best, and is the masked code better than the plain one?

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
    assert quick(probes["plain"][at] > least[at] - 0.02, True)
assert quick(probes["pixels"][1] > least[1], True)

# %% [markdown]
# With 30 % hidden, a linear probe reads the masked code better than the denoising one, and much better than
# the code of random weights (one training each, three choices of labels). With 75 % hidden the masked code
# is worse than with 30 %, perhaps because the net then sees too little of an image to learn much from it.
# But the plain autoencoder is at least as good, and with 500 labels the pixels themselves are better, after these
# few seconds of training. So in this experiment, on drawn digits, hidden patches are not what makes a
# code good.
#
# On MNIST, hidden patches are worth more. The nets are the larger ones of the presets, each trained twice
# for three epochs.
# `python benchmarks/probe.py --presets masked denoising denoising-masking simple --epochs 3 --seeds 2` gives
# the accuracy of a linear probe on the test images:
#
# | code of | 100 labels | 1,000 labels | all labels |
# | --- | ---: | ---: | ---: |
# | `masked` | 82.5 % | 90.7 % | 92.8 % |
# | `denoising` | 78.6 % | 88.6 % | 92.0 % |
# | `denoising-masking` | 81.0 % | 91.0 % | 93.1 % |
# | `simple` | 70.8 % | 84.5 % | 87.5 % |
# | the pixels | 71.9 % | 83.9 % | 86.3 % |
#
# The nets of `masked` and `denoising` have the same size, and the masked code is the better one. Both codes are better
# than that of `simple`, whose net is smaller. But `denoising-masking`, which hides single pixels and is judged by all
# pixels, is as good as `masked`. So what helps here is that something is
# hidden, not that it is a patch. He et al. found that patches help on photographs, for much larger nets.
#
# ### With convolutions
#
# The loss works with any layers. A hidden patch is $4 \times 4$ pixels, so a unit of a convolutional net must see farther
# than that to know what lies around the patch. Two convolutions of stride 2, and a $5 \times 5$ kernel on what they make,
# see 23 pixels across.


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
# The convolutional net has a tenth of the parameters, has seen fewer images, and fills in about as well. A likely reason is that a
# stroke continues in the same way wherever it is, and a kernel that is used at all places learns this from fewer images.
#
# ## What to change for MNIST
#
# `scratchae tutorial 18 --data mnist` runs this chapter on MNIST. The presets are `scratchae train vqvae --data mnist` and
# `scratchae train masked --data mnist`; both draw what is drawn here. `python benchmarks/probe.py` probes the codes of `masked` and of
# the denoising presets at equal cost, with more labels.
#
# ## Exercises
#
# 1. **Derive** one step of a vector-quantised autoencoder, all three gradients. After *Straight through*. ★★★, 25 minutes.

# %%
exercise("18_straight_through")

# %% [markdown]
# 2. **While reading.** The loss of a masked autoencoder, and its gradient. After *Masks: judged by what is hidden*. ★, 10 minutes.

# %%
exercise("18_masked_loss")

# %% [markdown]
# 3. **While reading.** A loss could be the mean over all hidden pixels of the batch. The loss of this chapter is the sum over the
#    hidden pixels of an image, averaged over images. When do the two differ by more than a constant factor? After *Masks: judged by what is hidden*. ★, 5 minutes.
# 4. **While reading.** A codebook has one vector. What does the vector become, what is the perplexity, and what does the decoder
#    learn? After *Dead codes*. ★★, 5 minutes.
# 5. **Derive.** Let $\beta$ be 0. The loss of the reconstruction trains the encoder all the same. Which term still makes
#    $\|z - e\|^2$ small, and which tensor does this term move? What may go wrong with the gradient? After *How wrong is it?* ★★, 10 minutes.
# 6. **Derive.** Why is the perplexity of $K$ vectors at most $K$? Write $\log K - H$ as a KL divergence. After *Dead codes*.
#    ★★, 10 minutes.
# 7. **Explore.** A VAE rounds too, because its noise makes nearby codes alike. Train a `VAE` with `MSE()` (variance ½) on the same
#    images: how many bits is its KL? How many bits does a code of `vqvae` take with its prior? Compare the bits together with the
#    squared errors. After *What a code costs*. ★★★, 30 minutes.
#
# <details><summary>Answers</summary>
#
# 3\. When different images have different numbers of hidden pixels. The mean over all hidden pixels then gives more weight to an
# image of which more is hidden. Here the same number is hidden of each image, so the losses differ by a factor only, which a
# change of the learning rate makes up for.
#
# 4\. The vector becomes the mean of all codes, and the perplexity is 1. The decoder is given the same vector for every image, so
# the best it can learn is the mean image.
#
# 5\. The second term moves the codebook to the codes, but no term draws the codes to the codebook. The codebook follows $z$, but $z$
# may move faster than the codebook. Then $e$ is far from $z$, and the error of the gradient grows with this distance.
#
# 6\. With $u_j = 1/K$: $\mathrm{KL}(p \,\|\, u) = \sum_j p_j \log (p_j K) = \log K - H$. It is at least 0, so $H \le \log K$, and
# the perplexity is $K e^{-\mathrm{KL}(p \| u)}$.
#
# 7\. The bits of the VAE are its KL in nats divided by $\log 2$. Only pairs of bits and error can be compared: a model is better if
# it has less of both.
#
# </details>

# %% tags=["hide-cell"]
p = np.array([0.5, 0.25, 0.25, 0.0])  # answer 6
H = -(p[:3] * np.log(p[:3])).sum()
assert np.isclose(np.exp(H), 4 * np.exp(-(p[:3] * np.log(p[:3] * 4)).sum()))
constant = sae.Codebook(1, 2, decay=0.0, dead=0.0, rng=0).to(dtype=np.float64)  # answer 4
constant.forward(points)
assert np.isclose(float(perplexity(constant.chosen)), 1)
constant.follow(rng)
assert np.allclose(constant.E, points.mean(axis=0))

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
