# %% [markdown]
# # 06 · A linear autoencoder is PCA
#
# *What does an autoencoder learn when nothing in it bends, and what when its code is larger than the data?*
#
# **Time** 65 minutes to read (short path 45), 14 s to run on two cores.
#
# **A short path** of 45 minutes leaves out what is marked *beyond the short path*; nothing else in this chapter needs it. These are the
# proof of the theorem, *PCA as a model of probabilities*, the marked part of *Can training get stuck?*, and *When the code is
# larger than the data*.

# %% [markdown]
# ## The question
#
# Take the nonlinearities out of an [autoencoder](glossary.md#autoencoder). The encoder is one matrix, the decoder
# another. What does training find?
#
# For this one network there is a complete answer, on paper, for every data set. With a code of $k$ numbers, training finds the subspace of
# [principal component analysis](glossary.md#pca) (PCA), which holds the $k$ *principal directions*: those along which the data vary
# most. (Where several subspaces are equally good, it finds one of them.) This chapter proves it from matrix products and the
# [singular value decomposition](mathematics.md#singular-value-decomposition), and it proves that the loss has no local minimum but the
# global one. Then it trains the network and measures, in degrees, how far the network is from what was proved. At the end it asks the
# opposite question: what does an autoencoder learn if its code is *larger* than its data?
#
# You need this for two reasons. PCA is the yardstick of every other chapter: a network with a code of $k$ numbers that
# does not beat PCA with $k$ numbers has gained nothing by being a network. And the linear autoencoder is the one network of this book
# for which you can compare what gradient descent found with the best that there is.
#
# (Some letters have their own meaning in this chapter. $k$ is the size of the code, $C$ a
# [covariance](mathematics.md#expectation-variance-covariance), $P$ a
# [projection](mathematics.md#orthonormal-directions-projection-rank), and $A$ any invertible matrix. $S$ and $s_i$ are singular values,
# and $h_i$ are shares in a proof.)

# %%
import itertools

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.presets import PRESETS
from scratchae.presets.dense import slanted_gaussian
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)


def linear_autoencoder(D, k, tied=False):
    encoder = sae.Sequential(sae.Dense(D, k, rng=rng))
    decoder = sae.Sequential(sae.Dense(k, D, rng=rng))
    return sae.Autoencoder(encoder, decoder, loss=sae.MSE(), tied=tied)


def weights(model):
    """W₁ (D, k) and W₂ (k, D)."""
    return model.encoder.layers[0].W, model.decoder.layers[0].W


def squared_error(made, x):
    """Summed over features, averaged over examples."""
    return float(((made - x) ** 2).sum(axis=1).mean(dtype=np.float64))


# %% [markdown]
# ## A picture of it
#
# Take three hundred points in the plane, $D = 2$, and a code of one number, $k = 1$. Whatever the decoder $\hat x = z\,W_2 + b_2$ makes
# of one number $z$ lies on a straight line. The decoder chooses the line, and the encoder chooses where on it each point goes. In the
# picture below a thin segment joins each point to its reconstruction; the loss is the mean of the squared lengths of these segments.
# **Predict:** which line is best, and where on it should a point go?

# %%
points = slanted_gaussian(np.random.default_rng(1), 300) + np.float32([0.5, -0.3])
model = linear_autoencoder(2, 1)
before = weights(model)[1][0].copy()
sae.fit(
    model,
    points,
    epochs=600,
    batch_size=300,
    optimizer=sae.Adam(sae.Cosine(0.05, 600)),
    progress=False,
)
after = weights(model)[1][0]
pca = sae.PCA(1).fit(points)
made = model.reconstruct(points)


def degrees_between(a, b):
    """The angle between two lines, which have no sign: at most 90 degrees."""
    return np.degrees(
        np.arccos(min(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b), 1.0))
    )


drawn, axes = figure(6, 4.2)
axes.plot(
    *np.stack([points, made, points * np.nan], 1).reshape(-1, 2).T,
    color=plots.GREY,
    linewidth=0.5,
)
axes.scatter(*points.T, s=9, color=plots.ORANGE, label="data $x$")
axes.scatter(*made.T, s=5, color=plots.BLUE, label=r"reconstruction $\hat x$")
for direction, look, name in (
    (before, ":", "decoder's line, untrained"),
    (after, "-", "decoder's line, trained"),
    (pca.directions[0], "--", "first principal direction"),
):
    end = 3 * direction / np.linalg.norm(direction)
    colour = "black" if look == "--" else plots.BLUE
    axes.axline(
        points.mean(axis=0),
        xy2=points.mean(axis=0) + end,
        linestyle=look,
        color=colour,
        label=name,
    )
axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", xlim=(-2.6, 3.6), ylim=(-2.4, 1.8))
axes.legend(loc="lower right", fontsize=9)
show(
    drawn,
    "line",
    "A slanted cloud of points; each is joined to its reconstruction on a line through the middle. The trained "
    "network's line lies on the first principal direction, the untrained one does not.",
    "A linear autoencoder with a code of one number puts its line where PCA does.",
)
print(
    f"angle to the first principal direction: untrained {degrees_between(before, pca.directions[0]):.1f} degrees"
)
print(
    f"                                        trained   {degrees_between(after, pca.directions[0]):.2f} degrees"
)
assert (
    degrees_between(after, pca.directions[0]) < 0.5
    and degrees_between(before, pca.directions[0]) > 20
)

# %% [markdown]
# ## Forward
#
# The examples are the rows of $X$, $(N, D)$. With $\mathbf 1$ a column of $N$ ones,
#
# $$
# \underset{(N, k)}{Z} = \underset{(N, D)}{X}\,\underset{(D, k)}{W_1} + \mathbf 1\, b_1,
# \qquad
# \underset{(N, D)}{\hat X} = \underset{(N, k)}{Z}\,\underset{(k, D)}{W_2} + \mathbf 1\, b_2,
# \qquad
# L = \frac1N \lVert \hat X - X \rVert^2 .
# $$
#
# $\lVert A \rVert^2 = \sum_{ij} A_{ij}^2$ is the sum of the squares of all entries (the [Frobenius norm](mathematics.md#norms)). So $L$ is the
# squared error, summed over the features and averaged over the examples, as everywhere in this book.
#
# **The biases take care of the mean.** Put the two steps into one: $\hat X = X M + \mathbf 1 c$ with
#
# $$
# \underset{(D, D)}{M} = W_1 W_2, \qquad \underset{(1, D)}{c} = b_1 W_2 + b_2 .
# $$
#
# $M$ has [rank](mathematics.md#orthonormal-directions-projection-rank) at most $k$, because each of its columns is a sum of multiples of the
# $k$ columns of $W_1$. And $c$ can be any row, because $b_2$ can. For a given $M$ the best $c$ is where
# $\partial L / \partial c = \frac2N \sum_n (\hat x_n - x_n) = 0$, that is $c = \bar x - \bar x M$ with the mean example $\bar x$. With
# this $c$
#
# $$
# \hat X - X = (X - \mathbf 1 \bar x)\, M - (X - \mathbf 1 \bar x):
# $$
#
# the network with biases does on $X$ what a network without biases does on the *centred* data $X - \mathbf 1\bar x$. **From
# here on $X$ is centred and there are no biases**, and the whole question is: which $M = W_1 W_2$ makes
# $\lVert X M - X \rVert^2$ least?

# %%
N, D, k = 200, 6, 3
# of the data along the principal directions
variances = np.array([4.0, 2.0, 1.0, 0.4, 0.2, 0.1])
basis, _ = np.linalg.qr(rng.standard_normal((D, D)))
X = rng.standard_normal((N, D))
X -= X.mean(axis=0)
# (N, D), centred, with exactly these variances
X = np.linalg.qr(X)[0] * np.sqrt(N * variances) @ basis.T

shifted = X + rng.standard_normal(D)  # the same cloud with its mean elsewhere
M = rng.standard_normal((D, k)) @ rng.standard_normal((k, D))
mean = shifted.mean(axis=0)
c = mean - mean @ M
best = squared_error(shifted @ M + c, shifted)
print(
    f"error with c = mean − mean M: {best:.4f}; without biases, on the centred data: {squared_error(X @ M, X):.4f}"
)
assert np.isclose(best, squared_error(X @ M, X))
assert all(
    squared_error(shifted @ M + c + 0.1 * rng.standard_normal(D), shifted) > best
    for _ in range(100)
)

# %% [markdown]
# ## Backward, with shapes
#
# Nothing is new here in comparison with chapter [02](02_backpropagation.py): there are two layers $y = xW$ and a squared error.
#
# $$
# \begin{aligned}
# \underset{(N, D)}{d\hat X} &= \tfrac2N (\hat X - X), &
# \underset{(k, D)}{dW_2} &= \underset{(k, N)}{Z^\top}\, \underset{(N, D)}{d\hat X}, \\
# \underset{(N, k)}{dZ} &= \underset{(N, D)}{d\hat X}\, \underset{(D, k)}{W_2^\top}, &
# \underset{(D, k)}{dW_1} &= \underset{(D, N)}{X^\top}\, \underset{(N, k)}{dZ} .
# \end{aligned}
# $$
#
# Now replace $\hat X$ by $X W_1 W_2$, and write $C = \frac1N X^\top X$, $(D, D)$, for the
# [covariance](mathematics.md#expectation-variance-covariance) of the centred data:
#
# $$
# dW_2 = 2\, W_1^\top C\,(W_1 W_2 - I), \qquad dW_1 = 2\, C\,(W_1 W_2 - I)\, W_2^\top .
# $$
#
# The examples appear in the gradients only through $C$. So all that a linear autoencoder ever learns about its data is their covariance.

# %%
model = linear_autoencoder(D, k).to(dtype=np.float64)
W1, W2 = weights(model)
model.training_step(X)
C = X.T @ X / N
dW1, dW2 = model.encoder.layers[0].dW, model.decoder.layers[0].dW
assert np.allclose(dW2, 2 * W1.T @ C @ (W1 @ W2 - np.eye(D)))
assert np.allclose(dW1, 2 * C @ (W1 @ W2 - np.eye(D)) @ W2.T)
print("the library's dW₁", dW1.shape, "and dW₂", dW2.shape, "equal the two formulas in C")

# %% [markdown]
# ## What is the best that any rank can do?
#
# The **singular value decomposition** writes any matrix as
#
# $$
# \underset{(N, D)}{X} = \underset{(N, D)}{U}\; \underset{(D, D)}{S}\; \underset{(D, D)}{V^\top},
# \qquad U^\top U = I, \quad V^\top V = V V^\top = I
# $$
#
# (for $N \ge D$), where $S$ is diagonal and holds the singular values $s_1 \ge s_2 \ge \dots \ge s_D \ge 0$. Then
# $C = \frac1N X^\top X = V\,\frac{S^2}{N}\,V^\top$. So the columns $v_i$ of $V$ are the
# [eigenvectors](mathematics.md#eigenvalues-trace-determinant) of the covariance, and $\lambda_i = s_i^2 / N$ are its eigenvalues. Each
# $\lambda_i$ is the variance of the data along $v_i$. The first $k$ columns, $V_k$ $(D, k)$, span the **PCA subspace**, and PCA
# reconstructs $\hat X = X V_k V_k^\top$.
#
# The picture shows the decomposition of a matrix of 2 × 2, applied to the points of a circle. By the decomposition every matrix does
# three things: it turns, stretches along the axes, and turns again (a turn may come with a reflection). The directions $v_1$ and $v_2$
# are those that the first turn brings to the axes.

# %% tags=["hide-input"]
matrix = np.array([[0.6, 0.0], [0.8, 1.0]])
U2, s2, V2t = np.linalg.svd(matrix)
circle = np.stack([np.cos(turn := np.linspace(0, 2 * np.pi, 100)), np.sin(turn)])
drawn, axes_row = figure(7, 2.3, columns=4, sharey=True)
steps = (
    ("a circle", np.eye(2)),
    (r"turned: $V^\top$", V2t),
    (r"stretched: $S V^\top$", np.diag(s2) @ V2t),
    (r"turned: $U S V^\top$", U2 @ np.diag(s2) @ V2t),
)
for axes, (name, map_) in zip(axes_row, steps, strict=True):
    axes.plot(*(map_ @ circle), color=plots.GREY)
    for vector, colour, look, label in (
        (V2t[0], plots.BLUE, "-", "$v_1$"),
        (V2t[1], plots.RED, "--", "$v_2$"),
    ):
        end = map_ @ vector
        axes.plot([0, end[0]], [0, end[1]], look, color=colour, linewidth=2, label=label)
        axes.plot(*end, "o", color=colour, markersize=4)
    axes.set(aspect="equal", xlim=(-1.45, 1.45), ylim=(-1.45, 1.45), title=name)
    axes.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
axes_row[0].legend(fontsize=8, loc="lower right", borderaxespad=0)
show(
    drawn,
    "svd",
    "Four panels. A circle with two perpendicular lines from its centre; the circle turned, so that the lines lie on the axes; an ellipse, "
    "long along the first axis and short along the second; the ellipse turned.",
    "The singular value decomposition: turn, stretch, turn. Follow the two lines: they stay perpendicular all the way.",
)
assert np.allclose(matrix @ V2t.T, U2 * s2)

# %% [markdown]
# **Theorem** ([Eckart and Young 1936](bibliography.md#eckart-1936)). For every $Y$ $(N, D)$ of rank at most $k$
#
# $$
# \lVert X - Y \rVert^2 \;\ge\; \sum_{i > k} s_i^2 .
# $$
#
# Equality holds for $Y = X V_k V_k^\top$, and if $s_k > s_{k+1}$, it holds for no other $Y$.
#
# **Proof** (*beyond the short path*). *One.* Take $Q$ $(N, k)$ with orthonormal columns, $Q^\top Q = I$, whose span holds all columns
# of $Y$. Since $QQ^\top$ projects onto this span, $Q Q^\top Y = Y$. Split the error into its part outside that span and its part
# inside:
#
# $$
# X - Y = (I - QQ^\top) X + (QQ^\top X - Y) .
# $$
#
# The two parts are orthogonal, so their squares add up (Pythagoras). Without the second part the sum can only be smaller. Then use
# Pythagoras once more, for $X$ and its projection $QQ^\top X$, which is as long as $Q^\top X$; and $\lVert X \rVert^2 = \sum_i s_i^2$:
#
# $$
# \lVert X - Y \rVert^2 \ge \lVert (I - QQ^\top) X \rVert^2 = \lVert X \rVert^2 - \lVert Q^\top X \rVert^2
# = \sum_{i} s_i^2 - \lVert Q^\top X \rVert^2 .
# $$
#
# *Two.* $Q^\top X = Q^\top U\, S\, V^\top$, and multiplication by $V^\top$ changes no length, because it is a turn. Let $u_i$ be the
# columns of $U$; then the columns of $Q^\top U S$ are $s_i\, Q^\top u_i$, and
#
# $$
# \lVert Q^\top X \rVert^2 = \lVert Q^\top U S \rVert^2 = \sum_{i} s_i^2 h_i, \qquad h_i = \lVert \underset{(k, N)}{Q^\top}\,
# \underset{(N, 1)}{u_i} \rVert^2 .
# $$
#
# *Three.* A projection makes no vector longer, so $0 \le h_i \le \lVert u_i \rVert^2 = 1$. For the same reason
# $\sum_i h_i = \lVert U^\top Q \rVert^2 \le \lVert Q \rVert^2 = k$. So the $h_i$ are shares that add up to at most $k$, and none of
# them is larger than 1. The sum $\sum_i s_i^2 h_i$ is greatest when each of the $k$ largest $s_i^2$ gets a full share. In symbols:
#
# $$
# \begin{aligned}
# \sum_{i} s_i^2 h_i
# &\le \sum_{i \le k} s_i^2 h_i + s_k^2 \sum_{i > k} h_i && s_i \le s_k \text{ for } i > k \\
# &\le \sum_{i \le k} s_i^2 h_i + s_k^2 \Big( k - \sum_{i \le k} h_i \Big) && \textstyle\sum_i h_i \le k \\
# &= \sum_{i \le k} \big( s_i^2 h_i + s_k^2 (1 - h_i) \big) \\
# &\le \sum_{i \le k} s_i^2 && s_k \le s_i,\ 0 \le h_i \le 1 .
# \end{aligned}
# $$
#
# *Four.* The lines of *one* and *three* together give
# $\lVert X - Y \rVert^2 \ge \sum_i s_i^2 - \sum_{i \le k} s_i^2 = \sum_{i > k} s_i^2$. For $Y = X V_k V_k^\top$ the error is
# $X - Y = \sum_{i > k} s_i u_i v_i^\top$, and $\lVert X - Y \rVert^2$ is this sum.
#
# *Five: for no other $Y$.* Let $s_k > s_{k+1}$, and let the bound be reached. Then each line of the estimate in *three* is an equality,
# and so is the ≥ in *one*. The first line says that $(s_k^2 - s_i^2) h_i = 0$ for $i > k$, so $h_i = 0$ for $i > k$. Then the second
# says that $\sum_{i \le k} h_i = k$, so $h_i = 1$ for $i \le k$. Then $Q$ spans $u_1 \dots u_k$, so $QQ^\top = U_k U_k^\top$. And in
# *one* the second part is 0, so $Y = QQ^\top X = U_k U_k^\top X = X V_k V_k^\top$. $\blacksquare$
#
# The next cell computes each step of the proof for 2,000 matrices $Y$:

# %%
U, s, Vt = np.linalg.svd(X, full_matrices=False)
V = Vt.T
Vk = V[:, :k]
assert np.allclose(s**2 / N, variances) and np.allclose(C, V @ np.diag(s**2 / N) @ V.T)
assert np.isclose((X**2).sum(), (s**2).sum())  # ‖X‖² = Σ sᵢ²

tail = (s[k:] ** 2).sum()
closest = np.inf
for _ in range(2000):
    Y = X @ Vk @ Vk.T + 0.3 * rng.standard_normal((N, k)) @ rng.standard_normal((k, D))
    left, size, right = np.linalg.svd(Y, full_matrices=False)
    Y = left[:, :k] * size[:k] @ right[:k]  # of rank k
    Q = left[:, :k]
    h = ((Q.T @ U) ** 2).sum(axis=0)
    outside = X - Q @ (Q.T @ X)
    inside = Q @ (Q.T @ X) - Y
    assert abs((outside * inside).sum()) < 1e-8  # one: orthogonal
    assert np.isclose((outside**2).sum(), (s**2).sum() - (s**2 * h).sum())  # one and two
    assert (h >= 0).all() and (h <= 1 + 1e-12).all() and h.sum() <= k + 1e-9  # three
    assert (s**2 * h).sum() <= (s[:k] ** 2).sum() + 1e-9
    closest = min(closest, ((X - Y) ** 2).sum())
reached = ((X - X @ Vk @ Vk.T) ** 2).sum()
print(f"bound Σ sᵢ² for i > k    {tail:9.4f}")
print(f"X V_k V_kᵀ               {reached:9.4f}")
print(f"best of 2,000 other Y    {closest:9.4f}")
assert np.isclose(reached, tail) and closest > tail

# %% [markdown]
# ## So what does the autoencoder learn?
#
# $\hat X = X W_1 W_2$ has rank at most $k$, so the theorem bounds its error:
#
# $$
# L \;\ge\; \frac1N \sum_{i > k} s_i^2 = \sum_{i > k} \lambda_i .
# $$
#
# This sum is the variance of the data in the directions that were left out. The bound can be reached: with any invertible $A$
# $(k, k)$ take
#
# $$
# \underset{(D, k)}{W_1} = V_k A, \qquad \underset{(k, D)}{W_2} = A^{-1} V_k^\top,
# \qquad\text{so}\qquad W_1 W_2 = V_k V_k^\top .
# $$
#
# **There are no others** (if $\lambda_k > \lambda_{k+1}$, and no direction of the data has variance 0). At a minimum
# $X W_1 W_2 = X V_k V_k^\top$, because no other matrix of rank $k$ is as close. Multiply from the left by $\frac1N C^{-1} X^\top$: then
# $W_1 W_2 = V_k V_k^\top$. Multiply from the left by $V_k^\top$: then $(V_k^\top W_1)\, W_2 = V_k^\top$. The right side has rank $k$,
# so the $(k, k)$ matrix $A = V_k^\top W_1$ is invertible, and $W_2 = A^{-1} V_k^\top$. Put this into $W_1 W_2$: then
# $W_1 A^{-1} V_k^\top = V_k V_k^\top$. Multiply from the right by $V_k A$: then $W_1 = V_k A$. $\blacksquare$
#
# Read the result closely, because it is often misquoted:
#
# - The network finds the *subspace* of PCA, not its directions. $A$ is free: the columns of $W_1$ need not be orthogonal, the
#   numbers of the code need not be uncorrelated, and none comes first.
# - The error does not depend on $A$ at all, so with this loss no amount of training makes the code more like PCA's. (A little weight
#   decay on both matrices does: [Kunin et al. 2019](bibliography.md#kunin-2019).)
# - $W_1$ and $W_2$ are not transposes of each other, unless you tie them. Tied means $W_2 = W_1^\top$, so
#   $A^{-1} V_k^\top = A^\top V_k^\top$, so $A A^\top = I$: then $A$ is a rotation or reflection, and the decoder's rows are orthonormal.
# - If some directions have no variance (pixels that are never inked), $W_1$ may do anything there, because the data have nothing in these
#   directions. The rows of $W_2$ still span the PCA subspace.
#
# **While reading** (★, 3 minutes). Two people train the same linear autoencoder with the same data from different first weights, both to the
# minimum. Which of these do they have in common: $W_1$, $W_2$, $W_1 W_2$, the code of an image, its reconstruction, the loss?
#
# <details><summary>Answer</summary>
#
# $W_1 W_2$, the reconstruction and the loss. $W_1$, $W_2$ and the code differ by the $A$ of each.
#
# </details>

# %%
A = rng.standard_normal((k, k))
W1[...], W2[...] = Vk @ A, np.linalg.inv(A) @ Vk.T
print(
    f"L with a random A: {model.objective(X)['loss']:.6f}; the sum of the left-out λ: {variances[k:].sum():.6f}"
)
correlation = np.corrcoef(model.encode(X).T)
print(
    "correlations of its code, numbers 1-2, 1-3, 2-3:",
    correlation[np.triu_indices(k, 1)].round(2),
)
assert np.isclose(model.objective(X)["loss"], variances[k:].sum())
assert abs(correlation[np.triu_indices(k, 1)]).max() > 0.1

# %% [markdown]
# ### PCA as a model of probabilities
#
# *Beyond the short path.* PCA assumes nothing about how the data are distributed: the theorem holds for every $X$. So PCA does not say how
# probable an example is, and it cannot make new ones. *Probabilistic PCA* ([Tipping and Bishop 1999](bibliography.md#tipping-1999)) can,
# because it tells how the examples come about. Draw a code from a
# [Gaussian](mathematics.md#density-and-the-normal-distribution), $z \sim \mathcal N(0, I)$, decode it with a matrix $W$ $(k, D)$, and add
# the same noise in all directions:
#
# $$
# x = z\, W + \bar x + n, \qquad n \sim \mathcal N(0, s^2 I) .
# $$
#
# A sum of independent Gaussian numbers is Gaussian, so $x$ is Gaussian. It has the mean $\bar x$ and the covariance
# $\Sigma = W^\top W + s^2 I$. Which $W$ and $s$ make the data most probable? Tipping and Bishop prove that the rows of $W$ span the PCA
# subspace again. Along each $v_i$, $W$ gives less variance than the data have there, because a part of that is noise:
#
# $$
# W^\top W = \sum_{i \le k} (\lambda_i - s^2)\, v_i v_i^\top, \qquad s^2 = \frac{1}{D - k} \sum_{i > k} \lambda_i .
# $$
#
# For $s \to 0$ the model becomes plain PCA. The cell below compares these $W$ and $s$ with 300 others. It compares the logarithm of the
# density, averaged over the data, which is $-\frac12 \big( D \log 2\pi + \log\det\Sigma + \operatorname{tr} \Sigma^{-1} C \big)$. (The
# natural logarithm has the unit *nat*.) In [chapter 11](11_variational.py#when-a-correct-vae-collapses) the same matrix appears again,
# as the decoder of a *linear variational autoencoder*.

# %%
s_squared = variances[k:].mean()
best_rows = np.sqrt(variances[:k] - s_squared)[:, None] * Vk.T  # (k, D)


def log_density(W, s_squared):
    """log p(x) of probabilistic PCA, averaged over the data."""
    covariance = W.T @ W + s_squared * np.eye(D)
    _, log_det = np.linalg.slogdet(covariance)
    spread = np.trace(np.linalg.solve(covariance, C))
    return -(D * np.log(2 * np.pi) + log_det + spread) / 2


best = log_density(best_rows, s_squared)
others = [
    log_density(best_rows + 0.05 * rng.standard_normal((k, D)), s_squared * factor)
    for factor in rng.uniform(0.7, 1.4, 300)
]
print(
    f"log density by the formula {best:.4f} nats per example, best of 300 others {max(others):.4f}"
)
assert (
    max(others) < best
    and log_density(Vk.T * np.sqrt(variances[:k])[:, None], s_squared) < best
)

# %% [markdown]
# ## Can training get stuck?
#
# The loss is not convex (a *convex* function has a single valley), because $W_1$ and $W_2$ are multiplied. So it might have a valley
# that is not the deepest one. It has none ([Baldi and Hornik 1989](bibliography.md#baldi-1989)). To see this, look for all points where
# both gradients vanish. Let $C$ be invertible with distinct eigenvalues, and let $W_2$ have rank $k$.
#
# $$
# \begin{aligned}
# dW_1 = 0:\quad & C (W_1 W_2 - I) W_2^\top = 0 \;\Rightarrow\; W_1 W_2 W_2^\top = W_2^\top \\
# & \Rightarrow\; W_1 = W_2^\top (W_2 W_2^\top)^{-1} \;\Rightarrow\; W_1 W_2 = W_2^\top (W_2 W_2^\top)^{-1} W_2 = P \\
# dW_2 = 0:\quad & W_1^\top C (P - I) = 0 \;\Rightarrow\; W_2^\top W_1^\top C (P - I) = 0 \\
# & \Rightarrow\; P C (P - I) = 0 \;\Rightarrow\; P C P = P C .
# \end{aligned}
# $$
#
# $P$ $(D, D)$ is the orthogonal projection onto the rows of $W_2$: it is symmetric, and $P^2 = P$. The left side $PCP$ of the last line is
# symmetric, so the right side is symmetric too: $PC = (PC)^\top = CP$. Then for each eigenvector $v_i$,
# $C (P v_i) = P C v_i = \lambda_i P v_i$. So $P v_i$ belongs to the eigenvalue $\lambda_i$ too, and because the eigenvalues are distinct,
# $P v_i = \alpha v_i$. A projection has $\alpha = 0$ or $1$. So $P$ projects onto **some $k$ of the eigenvectors**, and the loss there is the
# sum of the $\lambda_i$ of the others. For the gradient to vanish, any $k$ of them will do.
#
# But only one choice is a minimum. Call a direction stronger if its eigenvalue is larger. If a weaker direction $v_j$ was taken and a
# stronger $v_i$ was left out, turn $v_j$ a little towards $v_i$, to $v_j \cos\varphi + v_i \sin\varphi$. The variance that the code
# keeps grows by $\sin^2\!\varphi\,(\lambda_i - \lambda_j) > 0$, and the loss falls by as much. So this point is a **saddle**: it is
# flat to [first order](mathematics.md#first-order-change), and it has a way down.
#
# **Where $W_2$ has a rank below $k$** (*beyond the short path*). $W_1 W_2 W_2^\top = W_2^\top$ still says that $W_1 W_2$ keeps the rows
# of $W_2$ (as columns), and what is orthogonal to all these rows it makes 0. So it is the projection $P$ onto them, and the rest is as
# before, but with fewer than $k$ eigenvectors. (At the extreme, $W_1 = W_2 = 0$ reconstructs the mean.) The way down is another one.
# Because the rank is below $k$, there is a unit vector $u$ $(k, 1)$ with $u^\top W_2 = 0$: a number of the code, or a combination of
# several, that the decoder does not use. Give it an eigenvector $v_i$ that was left out: $W_1 \to W_1 + \epsilon\, v_i u^\top$ and
# $W_2 \to W_2 + \epsilon^2\, u v_i^\top$. Multiply out, with $u^\top W_2 = 0$ and $u^\top u = 1$:
#
# $$
# W_1 W_2 \;\to\; P + \epsilon^2\, W_1 u\, v_i^\top + \epsilon^3\, v_i v_i^\top .
# $$
#
# How does the loss change? The middle term is what a change of $W_2$ alone would do, and the loss has no slope in $W_2$, because $dW_2 = 0$.
# So this term counts only by its square, which is of order $\epsilon^4$. The last term reconstructs a part $\epsilon^3$ of the direction
# $v_i$, which had been left out. This lowers the loss by $2 \epsilon^3 \lambda_i$, up to terms of order $\epsilon^5$. So for a small
# $\epsilon > 0$ the loss falls. $\blacksquare$

# %%
epsilon, u, left_out = 0.001, np.eye(k)[:, -1:], V[:, -1:]
two = V[:, :2]
W1[...] = np.hstack([two, two[:, :1]])  # the third number of the code repeats the first
W2[...] = np.vstack([two.T, np.zeros((1, D))])  # and nobody reads it: rank 2
at_rest = float(model.training_step(X)["loss"])
assert np.abs(model.gradient).max() < 1e-12
W1[...] += epsilon * left_out @ u.T
W2[...] += epsilon**2 * u @ left_out.T
change, predicted = (
    float(model.objective(X)["loss"]) - at_rest,
    -2 * epsilon**3 * variances[-1],
)
print(f"a rank too low: the loss changes by {change:.3e}, predicted {predicted:.3e}")
assert np.isclose(change, predicted, rtol=0.05)

# %% [markdown]
# The next cell goes through all 20 choices of 3 directions out of 6, and prints six of them. At each of them the gradient is 0.
# **Predict:** at how many of the 20 is there no way down?

# %%
print("directions kept     loss   largest slope   after a turn by 5 degrees")
turn, minima = np.radians(5), 0
for kept in itertools.combinations(range(D), k):
    chosen = V[:, kept]
    W1[...], W2[...] = chosen, chosen.T
    loss = float(model.training_step(X)["loss"])
    slope = np.abs(model.gradient).max()
    assert np.isclose(loss, np.delete(variances, kept).sum()) and slope < 1e-12
    # the strongest left out, the weakest taken
    missed, weakest = (
        min(set(range(D)) - set(kept)),
        kept[-1],
    )
    remark = "the minimum: no way down"
    minima += weakest < missed
    if weakest > missed:
        turned = chosen.copy()
        turned[:, -1] = V[:, weakest] * np.cos(turn) + V[:, missed] * np.sin(turn)
        W1[...], W2[...] = turned, turned.T
        lower = float(model.objective(X)["loss"])
        assert np.isclose(
            loss - lower, np.sin(turn) ** 2 * (variances[missed] - variances[weakest])
        )
        remark = f"{lower:.4f}, v{weakest + 1} towards v{missed + 1}"
    if kept in {(0, 1, 2), (0, 1, 3), (0, 1, 5), (1, 2, 3), (2, 3, 4), (3, 4, 5)}:
        print(
            f"{'  '.join(f'v{i + 1}' for i in kept):<15} {loss:8.4f}   {slope:.0e}           {remark}"
        )
assert minima == 1

# %% [markdown]
# Gradient descent leaves a saddle, but slowly, because near it the slope is small. Start with tiny weights, close to the saddle
# $W_1 = W_2 = 0$. Then the network learns **one direction after the other**, the strongest first
# ([Saxe et al. 2014](bibliography.md#saxe-2014) give formulas for the whole course of this training). The loss comes down a staircase,
# and each landing of the stairs is the loss at one of the saddles that we have just found.

# %%
steps = 200
drawn, axes = figure(6.4, 3.8)
final = {}
for size, look, colour in (
    (1e-1, "-", plots.BLUE),
    (1e-3, "--", plots.RED),
    (1e-5, "-.", "black"),
):
    W1[...] = size * rng.standard_normal((D, k))
    W2[...] = size * rng.standard_normal((k, D))
    optimizer = sae.SGD(0.05)
    losses = []
    for _ in range(steps):
        losses.append(float(model.training_step(X)["loss"]))
        optimizer.update(model.parameters, model.gradient)
    axes.plot(losses, look, color=colour, label=f"first weights about {size:g}")
    final[size] = losses[-1]
for kept in range(k + 1):
    name = f"{kept} direction{'s' * (kept != 1)}: Σ = {variances[kept:].sum():.1f}"
    axes.axhline(variances[kept:].sum(), color=plots.GREY, linestyle=":", linewidth=1)
    axes.text(
        steps,
        variances[kept:].sum() + 0.06,
        name,
        ha="right",
        va="bottom",
        fontsize=9,
        color=plots.GREY,
    )
axes.set(
    xlabel="steps of gradient descent, on all data",
    ylabel="loss, squared error per example",
    ylim=(0, 8.4),
)
axes.legend(loc="upper right", bbox_to_anchor=(1, 0.9), fontsize=9)
show(
    drawn,
    "staircase",
    "The loss of three linear autoencoders over 200 steps. From tiny first weights it falls in stairs whose landings "
    "are the sums of the eigenvalues not yet learned: 7.7, 3.7, 1.7, 0.7; from larger ones it falls smoothly.",
    "The smaller the first weights, the longer the rest at each saddle; all arrive at the same loss.",
)
print(
    {size: round(loss, 4) for size, loss in final.items()},
    "all near",
    variances[k:].sum().round(4),
)
assert all(abs(loss - variances[k:].sum()) < 0.02 for loss in final.values())

# %% [markdown]
# **Break it.** Start at exactly zero. Then both gradients are exactly zero, and no step ever moves a weight. This is one reason
# why weights are drawn at random.

# %%
model.parameters[...] = 0
optimizer = sae.SGD(0.05)
for _ in range(steps):
    model.training_step(X)
    optimizer.update(model.parameters, model.gradient)
print(
    "largest weight after",
    steps,
    "steps from zero:",
    max(np.abs(W1).max(), np.abs(W2).max()),
)
assert not W1.any() and not W2.any()

# %% [markdown]
# ## The code
#
# The library's PCA takes the eigenvectors of the covariance, in float64. It uses the theorem as an algorithm.

# %%
source(sae.PCA.fit, sae.PCA.encode, sae.PCA.decode)

# %% [markdown]
# ## Checking it
#
# The gradient check sees that the derivatives are right. It cannot see that the minimum is PCA; the experiment below can see that. You
# need a check of each kind: one of the arithmetic, and one of the meaning.

# %%
model = linear_autoencoder(5, 2)
report = sae.check_gradients(model, rng.standard_normal((4, 5)))
print(report)
assert report.passed

# %% [markdown]
# ## An experiment
#
# Now take images with $D = 784$ pixels, a code of $k = 12$ numbers, and no nonlinearity. How do you compare two subspaces of a space of 784
# dimensions? You measure their **[principal angles](glossary.md#principal-angles)**. Let the columns of $Q_a$ and $Q_b$, both $(D, k)$, be
# orthonormal bases of the two subspaces. The singular values of
#
# $$
# \underset{(k, k)}{Q_a^\top Q_b}
# $$
#
# are the cosines of $k$ angles. The first is the smallest angle between a vector of the one subspace and a vector of the other; the second
# is the smallest angle between vectors that are orthogonal to these two; and so on. If the subspaces are equal, all angles are 0. The angles
# do not depend on $A$, because $A$ does not change the subspace.
#
# **Predict:** after the first epoch the error will be within a few per cent of the least. How large is the largest angle then?

# %%
data = dataset()
x, test = (
    pixels(images).reshape(-1, 784) for images in (data.train_images, data.test_images)
)
k = 12
pca = sae.PCA(k).fit(x)
centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
eigenvalues = np.linalg.eigvalsh(centred.T @ centred / len(x))[::-1]
least = eigenvalues[k:].sum()
print(
    f"least error of any linear code of {k} numbers, Σ λᵢ for i > {k}: {least:.4f} per image"
)
print(
    f"PCA's own error on the training images:                     {squared_error(pca.reconstruct(x), x):.4f}"
)
assert np.isclose(squared_error(pca.reconstruct(x), x), least, rtol=1e-4)


def principal_angles(model, pca):
    """Between the rows of the decoder and PCA's subspace, in degrees, the smallest first."""
    Qa, _ = np.linalg.qr(weights(model)[1].T.astype(np.float64))  # (D, k)
    Qb, _ = np.linalg.qr(pca.directions.T.astype(np.float64))
    cosines = np.linalg.svd(Qa.T @ Qb, compute_uv=False)
    return np.degrees(np.arccos(np.clip(cosines, 0, 1)))


def one_epoch(model, x, optimizer, rng, batch_size=128):
    """What `fit` does in an epoch: the same optimizer remembers its moments from one to the next."""
    order = rng.permutation(len(x))
    for start in range(0, len(x), batch_size):
        model.training_step(x[order[start : start + batch_size]])
        optimizer.update(model.parameters, model.gradient)


def train(model, epochs):
    """The angles and the error above the least, after every epoch; the learning rate falls to 0."""
    measured = []
    optimizer = sae.Adam(sae.Cosine(3e-3, epochs * -(-len(x) // 128)))
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        one_epoch(model, x, optimizer, rng)
        measured.append(
            (principal_angles(model, pca), squared_error(model.reconstruct(x), x) - least)
        )
    return measured


model = linear_autoencoder(784, k)
epochs = quick(20, 5)
measured = train(model, epochs)
angles, excess = (np.array(column) for column in zip(*measured, strict=True))
print(
    f"after {epochs} epochs: error {least + excess[-1]:.4f}, {excess[-1] / least:.3%} above the least"
)
print("principal angles, degrees:", angles[-1].round(1))
print(
    f"after the first epoch: error {excess[0] / least:.1%} above the least, largest angle {angles[0].max():.0f} degrees"
)
assert 0 < excess[-1] < 0.01 * least and np.median(angles[-1]) < 3
if data_name() == "strokes":
    assert (
        angles[-1].max() < quick(2, 10)
        and excess[0] < 0.05 * least
        and angles[0].max() > 15
    )

# %%
drawn, (left, right) = figure(7, 3.4, columns=2)
looks = itertools.cycle(
    [(plots.BLUE, "-"), (plots.RED, "--"), ("black", ":"), (plots.ORANGE, "-.")]
)
for i, (colour, look) in zip((0, 5, 10, 11), looks, strict=False):
    left.plot(
        range(1, epochs + 1),
        angles[:, i],
        look,
        color=colour,
        label=f"angle {i + 1} of {k}",
    )
left.set(xlabel="epoch", ylabel="angle to PCA's subspace, degrees", yscale="log")
left.legend(fontsize=9)
right.plot(range(1, epochs + 1), 100 * excess / least, "-", color=plots.BLUE)
right.set(xlabel="epoch", ylabel="error above the least, %", yscale="log")
show(
    drawn,
    "angles",
    "Left: four of the twelve principal angles fall over the epochs; most are below one degree soon, the largest takes "
    "longest. Right: the error above the least possible falls below one percent within a few epochs.",
    "Compare the two at the same epoch: the largest angle is still large when the error is already near the least.",
)

# %% [markdown]
# In the first epochs the error is within a few per cent of the least, while the last angle is still tens of degrees. The turn in
# *Can training get stuck?* says why. If the network takes the direction $v_k \cos\varphi + v_{k+1} \sin\varphi$ in place of $v_k$, its
# loss is larger by $\sin^2\!\varphi\,(\lambda_k - \lambda_{k+1})$. The two eigenvalues are close to each other, so even a large angle
# costs little, and where little is to be gained the gradient is small. Remember this beyond PCA:
# **an error near its floor does not mean that the weights are where you think they are**.

# %%
gap = eigenvalues[k - 1] - eigenvalues[k]
print(
    f"λ₁ = {eigenvalues[0]:.2f}, λ₁₂ = {eigenvalues[11]:.3f}, λ₁₃ = {eigenvalues[12]:.3f}: gap {gap:.3f}"
)
finer = sae.PCA(k + 1).fit(x).directions.astype(np.float64)
for degrees in (5, 20, 45):
    cost = np.sin(np.radians(degrees)) ** 2 * gap
    print(
        f"an error of {degrees:2d} degrees in the last direction costs {cost:.4f} = {cost / least:.2%} of the error"
    )
    turn = np.radians(degrees)
    wrong = finer[:k].copy()
    wrong[-1] = finer[k - 1] * np.cos(turn) + finer[k] * np.sin(turn)
    caught = ((centred @ wrong.T) ** 2).sum() / len(x)
    assert np.isclose(eigenvalues.sum() - caught - least, cost, rtol=1e-3)

# %% [markdown]
# **From the network's code to PCA's.** The subspace is right, but the directions inside it are mixed by $A$. The mixing can be undone in
# three steps. Make an orthonormal basis $Q$ $(D, k)$ of the decoder's rows. Write the data in this basis, $(X - \mathbf 1 \bar x) Q$ $(N, k)$.
# Compute the eigenvectors $R$ $(k, k)$ of *their* covariance. Then the columns of $QR$ are the principal directions, up to the angles above.

# %%
Q, _ = np.linalg.qr(weights(model)[1].T.astype(np.float64))  # (D, k)
_, R = np.linalg.eigh(np.cov((centred @ Q).T))  # ascending
recovered = (Q @ R[:, ::-1]).T  # (k, D)
cosines = np.abs((recovered * pca.directions).sum(axis=1))
recovered *= np.sign((recovered * pca.directions).sum(axis=1))[:, None]
rows = weights(model)[1] / np.linalg.norm(weights(model)[1], axis=1, keepdims=True)
# how well each row of W₂ matches any principal direction
mixed = np.abs(rows @ pca.directions.T).max(axis=1)
print("rows of W₂, cosine to the nearest principal direction:\n   ", mixed.round(2))
print("recovered directions, cosine to PCA's:\n   ", cosines.round(2))
correlations = {
    name: np.abs(np.corrcoef(coder.encode(x).T)[np.triu_indices(k, 1)]).max()
    for name, coder in (("network", model), ("PCA", pca))
}
for name, value in correlations.items():
    print(f"largest correlation between two numbers of the code, {name:<7} {value:.3f}")
assert mixed.max() < 0.98 and np.median(cosines) > 0.98
assert correlations["PCA"] < 0.01 < 0.1 < correlations["network"]

drawn, grid = figure(7, 2.8, 3, 8)
for axes_row, (name, images) in zip(
    grid,
    {"PCA": pca.directions, "rows of $W_2$": rows, "recovered": recovered}.items(),
    strict=True,
):
    axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6)
    for axes, image in zip(axes_row, images, strict=False):
        limit = np.abs(image).max()
        shown = axes.imshow(image.reshape(28, 28), cmap="gray_r", vmin=-limit, vmax=limit)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color="#CCCCCC")
bar = drawn.colorbar(shown, ax=grid, shrink=0.8, ticks=[-limit, 0, limit])
bar.ax.set_yticklabels(["−1", "0", "1"])
bar.set_label("weight, of the largest")
show(
    drawn,
    "directions",
    "Three rows of eight 28 by 28 images. The first row, PCA, goes from coarse to fine strokes; the second, the "
    "network's own, are mixtures of all; the third, recovered from the network, repeats the first.",
    "The first 8 of 12 directions. Compare the third row, the network's after undoing the mixing, with the first.",
)

# %% [markdown]
# **Tied weights.** With $W_2 = W_1^\top$ training must end with orthonormal rows, as derived above, although no term of the loss asks for it.

# %%
tied = linear_autoencoder(784, k, tied=True)
train(tied, quick(10, 4))
for name, net in (("untied", model), ("tied", tied)):
    gram = weights(net)[1] @ weights(net)[1].T  # (k, k)
    error = squared_error(net.reconstruct(x), x)
    print(
        f"{name:<7} error {error:.3f}; W₂ W₂ᵀ differs from I by at most {np.abs(gram - np.eye(k)).max():.3f}"
    )
    assert (np.abs(gram - np.eye(k)).max() < 0.05) == (
        name == "tied"
    ) and error < 1.02 * least

# %% [markdown]
# **And now let it bend.** Keep the code of 12 numbers, and add a hidden layer of 128 ReLUs on each side. The theorem is not about such a
# network, because its reconstructions need not lie in any subspace of 12 dimensions.

# %%
encoder = sae.Sequential(
    sae.Dense(784, 128, init="he", rng=rng), sae.ReLU(), sae.Dense(128, k, rng=rng)
)
decoder = sae.Sequential(
    sae.Dense(k, 128, init="he", rng=rng),
    sae.ReLU(),
    sae.Dense(128, 784, rng=rng),
    sae.Sigmoid(),
)
bent = sae.Autoencoder(encoder, decoder, loss=sae.MSE())
steps = quick(8, 3) * -(-len(x) // 128)
sae.fit(
    bent,
    x,
    epochs=quick(8, 3),
    batch_size=128,
    optimizer=sae.Adam(sae.Cosine(3e-3, steps, 50)),
    progress=False,
)
errors = {
    name: squared_error(coder.reconstruct(test), test)
    for name, coder in (("PCA", pca), ("linear autoencoder", model), ("with ReLU", bent))
}
for name, error in errors.items():
    print(f"{name:<19} {error:6.2f} per test image, {error / 784:.5f} per pixel")
# on test images either may be ahead
assert abs(errors["linear autoencoder"] - errors["PCA"]) < 0.02 * errors["PCA"]
assert errors["with ReLU"] < 0.8 * errors["PCA"]

# %% [markdown]
# So a network that bends can beat PCA, and therefore the README prints PCA beside every autoencoder. On MNIST,
# `scratchae train deep --data mnist` (10 epochs) reached 8.2 to 9.4 per test image with 32 numbers, over three seeds, where PCA leaves
# 13.19; and [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b) report 3.00 for their deep network with 30 numbers, and 13.87
# for PCA with 30. All are squared errors summed over the 784 pixels.
#
# ## When the code is larger than the data
#
# *Beyond the short path, up to the section on MNIST.* For $k \ge D$ the bound $\sum_{i > k} \lambda_i$ is 0: then $W_1 W_2 = I$ is possible,
# and the best "autoencoder" copies. Such a code is [overcomplete](glossary.md#overcomplete). A ReLU does not prevent copying, because
#
# $$
# x = \max(x, 0) - \max(-x, 0),
# $$
#
# so two units for each number, and a decoder that subtracts the second from the first, make the identity. So "a 2-dimensional
# [Gaussian](mathematics.md#density-and-the-normal-distribution), compressed to 50 numbers" is no compression, and a small loss of such
# a network says nothing. The preset `overcomplete` is that network, 2-50-2. The cell first copies with weights set by hand. Then it
# trains the network four times: plain, with noise on the input, with dropout on the code, and with a penalty on the code. It prints
# what each makes of the point (4, −4), which is far from all data, and which share of the numbers of the code is above 0. **Predict:**
# what does the plain network make of (4, −4)?

# %%
preset = PRESETS["overcomplete"]
copier = preset.build(np.random.default_rng(0))
hidden, out = copier.encoder.layers[0], copier.decoder.layers[0]
for parameter in (hidden.W, hidden.b, out.W, out.b):
    parameter[...] = 0
hidden.W[:, :4] = [[1, -1, 0, 0], [0, 0, 1, -1]]
out.W[:4] = [[1, 0], [-1, 0], [0, 1], [0, -1]]
anything = rng.standard_normal((1000, 2)).astype(np.float32) * 100
print("copied by hand, with 4 of 50 units: loss", copier.objective(anything)["loss"])
assert copier.objective(anything)["loss"] == 0

plane = preset.examples()


def trained(build, epochs):
    model = build(np.random.default_rng(0))
    steps = epochs * -(-len(plane.train) // preset.batch_size)
    sae.fit(
        model,
        plane.train,
        epochs=epochs,
        batch_size=preset.batch_size,
        optimizer=sae.Adam(sae.Cosine(3e-3, steps)),
        progress=False,
    )
    return model


def linear_part(model, x):
    """The matrix M (2, 2) with which x M comes closest to the reconstructions."""
    return np.linalg.lstsq(x, model.reconstruct(x), rcond=None)[0]


models = {
    name: trained(build, quick(60, 40))
    for name, build in {"plain": preset.build, **preset.variants}.items()
}
far = np.float32([[4, -4]])  # a point such as the data never have
distance = np.sqrt(far @ np.linalg.inv(np.cov(plane.train.T)) @ far.T).item()
print(f"(4, −4) is {distance:.0f} standard deviations from the middle of the data\n")
print(f"{'':<28}squared error   what becomes of (4, −4)   code active   mean code")
for name, model in models.items():
    z = model.encode(plane.test)
    error = squared_error(model.reconstruct(plane.test), plane.test)
    there = "({:5.2f}, {:5.2f})".format(*model.reconstruct(far)[0])
    print(
        f"{name:<28}{error:10.5f}      {there:^20}  {(z > 0).mean():8.0%} {z.mean():11.3f}"
    )

assert squared_error(models["plain"].reconstruct(plane.test), plane.test) < 1e-3
assert np.allclose(models["plain"].reconstruct(far), far, atol=0.8)

# %% [markdown]
# The plain network copies even a point that is nothing like its data, so it has learned nothing about its data. In the three variants
# copying is no longer free, as we see now for each.
#
# **Noise on the input.** The network sees $\tilde x = x + n$, with noise of variance $\sigma^2$, and has to give back $x$. A network
# that copies now copies the noise too. Which linear map is best? For $\hat x = \tilde x M$ and centred data with covariance $C$
#
# $$
# L(M) = \mathbb E \lVert (x + n) M - x \rVert^2
# = \operatorname{tr}\big( (M - I)^\top C\, (M - I) \big) + \sigma^2 \operatorname{tr}\big( M^\top M \big),
# $$
#
# because $x$ and $n$ are uncorrelated. The derivative by $M$ is $2 C (M - I) + 2 \sigma^2 M$, $(D, D)$, which is 0 at
#
# $$
# M = (C + \sigma^2 I)^{-1} C: \qquad \text{along } v_i \text{ the factor is } \frac{\lambda_i}{\lambda_i + \sigma^2} .
# $$
#
# So directions with much variance are kept and those with little variance are shrunk, where PCA keeps some directions and drops the
# others. If the data are Gaussian, as here, no nonlinear function does better: the best answer is the mean of $x$ given $x + n$,
# and for a Gaussian $x$ this mean is linear in $x + n$. So a network with 50 ReLUs, which is trained by gradient descent and
# told nothing of covariances, should end at this matrix:

# %%
C = np.cov(plane.train.T.astype(np.float64), bias=True)
noise = 0.5  # the standard deviation in the preset
M = np.linalg.solve(C + noise**2 * np.eye(2), C)
found = linear_part(models["noise of 0.5 on the input"], plane.test)
lam, directions = np.linalg.eigh(C)
factors = {
    "predicted": lam / (lam + noise**2),
    "found": np.diag(directions.T @ found @ directions),
}
print("predicted M:", M.round(3).tolist())
print("found:      ", found.astype(float).round(3).tolist())
for name, (weak, strong) in factors.items():
    print(
        f"factor along the strong direction {strong:.3f}, along the weak {weak:.3f} ({name})"
    )
assert (
    np.allclose(np.linalg.eigvalsh((M + M.T) / 2), factors["predicted"])
    and np.abs(found - M).max() < 0.05
)


def denoising_loss(M):
    return np.trace((M - np.eye(2)).T @ C @ (M - np.eye(2))) + noise**2 * np.trace(M.T @ M)


noisy = plane.train + noise * rng.standard_normal(plane.train.shape)
# the formula for L(M)
assert np.isclose(denoising_loss(M), squared_error(noisy @ M, plane.train), rtol=0.03)
assert all(
    denoising_loss(M + 0.05 * rng.standard_normal((2, 2))) > denoising_loss(M)
    for _ in range(100)
)

# %% [markdown]
# **Dropout on the code.** Each number of the code is set to 0 with probability $p$, and divided by $1 - p$ otherwise. So
# $\tilde z_j = m_j z_j$, where $m_j$ is 0 or $1 / (1 - p)$, with $\mathbb E[m_j] = 1$ and $\operatorname{Var}[m_j] = p / (1 - p)$. With
# $w_j$ the $j$-th row of $W_2$, the expected error is
#
# $$
# \mathbb E \lVert \tilde z W_2 + b_2 - x \rVert^2 = \lVert z W_2 + b_2 - x \rVert^2 + \frac{p}{1 - p} \sum_j z_j^2 \lVert w_j \rVert^2 ,
# $$
#
# because the $m_j$ are independent, and the mean of a square is the square of the mean plus the variance. So dropout adds a penalty on
# the contribution of each unit, $z_j^2 \lVert w_j \rVert^2$. To copy, the units must make large contributions, so copying now costs
# something. (Dropout: [Srivastava et al. 2014](bibliography.md#srivastava-2014); as a penalty:
# [Wager et al. 2013](bibliography.md#wager-2013).)

# %%
p = 0.5
model = models["dropout 0.5 on the code"]
z, W2, b2 = (
    model.encoder.layers[0].forward(plane.test[:200]),
    model.decoder.layers[0].W,
    model.decoder.layers[0].b,
)
z = np.maximum(z, 0)
formula = ((z @ W2 + b2 - plane.test[:200]) ** 2).sum(1) + p / (1 - p) * z**2 @ (W2**2).sum(
    1
)
draws = [
    float(model.objective(plane.test[:200], np.random.default_rng(i))["loss"])
    for i in range(400)
]
spread = np.std(draws) / np.sqrt(len(draws))
print(
    f"by the formula {formula.mean():.4f}, over 400 draws of the dropout {np.mean(draws):.4f} ± {spread:.4f}"
)
assert abs(np.mean(draws) - formula.mean()) < 5 * spread

# %% [markdown]
# **An L1 penalty on the code**, $\beta \sum_j |z_j|$, pushes the numbers of the code to 0. But look at what else it does. The network may
# halve every $z_j$ and double every $w_j$: then the reconstruction stays as it is, and the penalty halves. Nothing in the loss opposes
# this, so training drifts that way as long as it runs. **Break it:** train longer, and the code shrinks, the decoder grows, and the
# penalty is evaded. [Chapter 10](10_sparse_contractive.py) ties or bounds the weights for this reason.

# %%
shorter, longer = (
    trained(preset.variants["sparsity, L1 of 0.02"], epochs)
    for epochs in (15, quick(150, 60))
)
for name, model in (("15 epochs", shorter), (f"{quick(150, 60)} epochs", longer)):
    z, W2 = model.encode(plane.test), model.decoder.layers[0].W
    error = squared_error(model.reconstruct(plane.test), plane.test)
    print(
        f"{name:<10} mean |z| {np.abs(z).mean():.4f}, ‖W₂‖ {np.linalg.norm(W2):.2f}, squared error {error:.5f}"
    )
assert (
    np.abs(longer.encode(plane.test)).mean()
    < 0.7 * np.abs(shorter.encode(plane.test)).mean()
)
assert np.linalg.norm(longer.decoder.layers[0].W) > 1.2 * np.linalg.norm(
    shorter.decoder.layers[0].W
)

# %%
axis = np.linspace(-2, 2, 7, dtype=np.float32)
start = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
drawn, grid = figure(6.6, 6.6, 2, 2, sharex=True, sharey=True)
for axes, (name, model) in zip(grid.flat, models.items(), strict=True):
    move = model.reconstruct(start) - start
    axes.scatter(*plane.test[:500].T, s=4, color=plots.ORANGE, linewidths=0)
    axes.scatter(*start.T, s=6, color=plots.BLUE, linewidths=0)
    axes.quiver(
        *start.T,
        *move.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.006,
        color=plots.BLUE,
    )
    axes.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), title=name)
for axes in grid[-1]:
    axes.set_xlabel("$x_1$")
for axes in grid[:, 0]:
    axes.set_ylabel("$x_2$")
show(
    drawn,
    "displacements",
    "Four panels, each with a slanted cloud of data and arrows from a grid of points to their reconstructions. Plain: "
    "the arrows have no length. Dropout: short arrows inwards. Sparsity: short arrows, some of them outwards. Noise: "
    "long arrows towards the data, from everywhere.",
    "From a point to its reconstruction: only noise on the input taught a network where the data are.",
)

# %% [markdown]
# With dropout every point moves inwards a little. With sparsity points hardly move, and not always towards the data. Only noise taught the
# network where the data lie: there the arrows point to the data, from everywhere. [Chapter 09](09_denoising.py) is built on that.
#
# ## What to change for MNIST
#
# `scratchae tutorial 6 --data mnist` runs this chapter on MNIST, in about 25 s. Some of the 784 directions have no variance there,
# because the corners are never inked. `scratchae train overcomplete` and `scratchae train deep --data mnist` train the presets
# that this chapter used and quoted.
#
# ## Exercises
#
# 1. PCA, from the singular value decomposition to the reconstruction. After *What is the best that any rank can do?* ★, 15 minutes.

# %%
exercise("06_pca")

# %% [markdown]
# 2. The way down from a point where training rests. After *Can training get stuck?* ★★★, 30 minutes.

# %%
exercise("06_escape")

# %% [markdown]
# **Explore.**
#
# 3. ★★, 15 minutes, after *So what does the autoencoder learn?* Plot the error of PCA with $k = 1, 2, 5, 10, 20, 50, 100$ numbers, on
#    training and on test images, beside $\sum_{i > k} \lambda_i$. How does the ratio of the test error to the training error change
#    with $k$, and why?
# 4. ★, 5 minutes, after *An experiment*. How many numbers does the best linear code of these images need to keep 90 % of the variance? Use
#    `eigenvalues`.
#
# **Derive.**
#
# 5. ★★, 15 minutes, after *So what does the autoencoder learn?* The linear autoencoder with $k = 12$ has
#    $784 \cdot 12 \cdot 2 + 12 + 784$ parameters. How many of them are redundant? That is: at typical parameters, in how many
#    independent directions can you move them so that $\hat x$ stays as it is for every $x$?
# 6. ★★, 10 minutes, after the proof. What happens to the proof when $\lambda_k = \lambda_{k+1}$? Which part survives?
# 7. ★★★, 15 minutes, after *So what does the autoencoder learn?* Put a ReLU after the encoder, and nothing else. Is the error for $k$ units
#    still bounded below by $\sum_{i > k} \lambda_i$? Can it reach the bound?
#
# <details><summary>Answers</summary>
#
# 3\. On the training images the error *is* the sum, by the theorem. On test images it may be larger or smaller, depending on which images
# they are. But the ratio of test to training rises from $k = 1$ to $k = 100$, because the later directions follow what just the training
# images happen to have. The cell below computes both.
#
# 4\. The cell below counts.
#
# 5\. $k^2$ for the entries of $A$, and $k$ for $b_1$, because $b_2$ can make up for any change of $b_1$. The cell below counts them for
# a small network: it takes the number of parameters, minus the rank of the derivative of $(M, c)$ by the parameters.
#
# 6\. The bound survives, and PCA reaches it. The subspace is no longer unique, because any mixture of $v_k$ and $v_{k+1}$ is as good.
#
# 7\. Each reconstruction is still a combination of the $k$ rows of $W_2$, plus $b_2$, so the matrix of the centred reconstructions has
# rank at most $k$, and the bound holds. The bound is reached when the ReLU never cuts: a large enough $b_1$ makes every $z_j$ positive
# on all data. So no encoder of any kind, however deep, beats PCA if the *decoder* is linear: to beat PCA, the decoder must bend.
# ([Bourlard and Kamp 1988](bibliography.md#bourlard-1988) found this for one hidden layer.)
#
# </details>

# %% tags=["hide-cell"]
gaps = []
for size in (1, 2, 5, 10, 20, 50, 100):
    coder = sae.PCA(size).fit(x)
    on_train, on_test = (squared_error(coder.reconstruct(part), part) for part in (x, test))
    gaps.append(on_test / on_train)
    print(
        f"3. k = {size:3d}: Σ of the left-out λ {eigenvalues[size:].sum():7.3f}, "
        f"training images {on_train:7.3f}, test images {on_test:7.3f}"
    )
    assert np.isclose(on_train, eigenvalues[size:].sum(), rtol=1e-3)
assert data_name() != "strokes" or gaps[-1] > gaps[0]

# %% tags=["hide-cell"]
share = np.cumsum(eigenvalues) / eigenvalues.sum()
print(
    f"4. {np.searchsorted(share, 0.9) + 1} numbers keep 90 % of the variance of {data_name()}"
)
# of the map from parameters to (M, c), at a small size: D = 5, k = 2
jacobian = np.linalg.matrix_rank
small = linear_autoencoder(5, 2).to(dtype=np.float64)


def end_to_end():
    (first,), (second,) = small.encoder.layers, small.decoder.layers
    return np.concatenate([(first.W @ second.W).ravel(), first.b @ second.W + second.b])


columns = []
for i in range(len(small.parameters)):
    old = small.parameters[i]
    small.parameters[i] = old + 1e-6
    plus = end_to_end()
    small.parameters[i] = old - 1e-6
    columns.append((plus - end_to_end()) / 2e-6)
    small.parameters[i] = old
redundant = small.parameter_count() - jacobian(np.array(columns), tol=1e-6)
print(
    f"5. for D = 5, k = 2: {redundant} of {small.parameter_count()} parameters, k² + k = {2**2 + 2}; for k = 12: {12**2 + 12}"
)
assert redundant == 2**2 + 2

# %% tags=["hide-cell"]
ahead = linear_autoencoder(D, 3).to(dtype=np.float64)
ahead.encoder = sae.Sequential(*ahead.encoder.layers, sae.ReLU())
ahead.gather()
first, second = ahead.encoder.layers[0], ahead.decoder.layers[0]
first.W[...], first.b[...] = V[:, :3], 100.0
second.W[...], second.b[...] = V[:, :3].T, -100.0 * V[:, :3].sum(axis=1)
print(
    f"7. a ReLU that never cuts: {ahead.objective(X)['loss']:.6f}; the bound: {variances[3:].sum():.6f}"
)
assert np.isclose(ahead.objective(X)["loss"], variances[3:].sum())

# %% [markdown]
# ## Further reading
#
# - [Bourlard and Kamp 1988](bibliography.md#bourlard-1988), [Baldi and Hornik 1989](bibliography.md#baldi-1989): the link from
#   autoencoders to PCA, and the proof that training cannot get stuck.
# - [Bishop 2006](bibliography.md#bishop-2006), chapter 12, and [Tipping and Bishop 1999](bibliography.md#tipping-1999): PCA as a model of
#   probabilities.
#
# ## What to read in the source next
#
# `scratchae/models/pca.py`: the theorem as an algorithm, in 65 lines. `scratchae/presets/dense.py`: the presets `overcomplete`, `deep` and
# `science2006`, a few lines each. `tests/models/test_pca.py` has this chapter's claims as tests. Then
# [chapter 07](07_cross_entropy.py): what other losses are there, and what does the value of one mean?
