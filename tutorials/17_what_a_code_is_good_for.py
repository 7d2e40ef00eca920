# %% [markdown]
# # 17 · What a code is good for
#
# *The autoencoder is trained. What can you do with it, and how do you know that it works?*
#
# **Time** 70 minutes to read, 30 s to run on two cores.

# %% [markdown]
# ## The question
#
# Nobody needs a copy of an image that is there already. An autoencoder is trained for what comes
# with the copy: an error that tells usual examples from unusual ones, a code from which classes
# can be read with few labels, a short description that can be stored, and a space in which one can
# walk from image to image. This chapter takes these uses in turn. Each gets a figure that says how
# well it works, the figure gets a derivation, and something simpler stands beside it. Each also
# has a place where it fails, and the chapter goes there.

# %%
import bisect
import math
import zlib
from importlib.util import find_spec

import numpy as np

import scratchae as sae
from scratchae import plots, uses
from scratchae.data import pixels
from scratchae.presets.dense import ROWS, mirrored
from scratchae.presets.preset import warm_cosine
from scratchae.presets.variational import variational
from scratchae.runs.searching import trials_of
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source
from scratchae.uses.coding import Codec, bits_back, bits_forth, metric
from scratchae.uses.probing import PROBES, few, linear_probe

data = dataset()  # strokes, or what --data names
# what one sees is asserted where it was seen: on strokes, with the full training
settled = data_name() == "strokes" and quick(True, False)
count = quick(8000, 3000)
x, labels = pixels(data.train_images[:count]), data.train_labels[:count]  # (N, 784)
valid, valid_labels = (
    pixels(data.train_images[-2000:]),
    data.train_labels[-2000:],
)
test, test_labels = pixels(data.test_images[:3000]), data.test_labels[:3000]
epochs = quick(8, 4)


def fit(model, x, epochs=epochs, lr=3e-3):
    """Train in place, 50 images at a time, with a learning rate that rises to lr and falls to 0."""
    optimizer = warm_cosine()(lr, epochs * len(x) // 50)
    sae.fit(model, x, epochs=epochs, batch_size=50, optimizer=optimizer, progress=False)
    return model


def autoencoder(code, seed=0):
    """784-128-code-128-784, without a bend in the code."""
    draw = np.random.default_rng(seed)
    sizes = [784, 128, code]
    return mirrored(sizes, sae.ReLU, draw, code=None, end=sae.Sigmoid(), loss=sae.MSE())


# %% [markdown]
# `x` is for training. `valid` is for every choice: a limit, a size, a learning rate. `test` is
# looked at once, at the end of each section. The last section says why there must be three.
#
# ## What is unusual?
#
# Train on examples that are usual. A net that has seen no 3 has no need to rebuild one. So the
# **score** of an example is its squared error,
#
# $$
# \underset{(N)}{s} = \sum_{d=1}^{D} \big(\underset{(N, D)}{\hat x} - \underset{(N, D)}{x}\big)^2 ,
# $$
#
# and the larger it is, the more unusual the example is taken to be. Here all digits but the 3 are
# usual.

# %%
UNUSUAL = 3
usual = autoencoder(8)
fit(usual, x[labels != UNUSUAL])
source(uses.anomaly.error_parts)
scores = uses.score(usual, test).values
unusual = test_labels == UNUSUAL
print(
    f"mean score of the usual {scores[~unusual].mean():.1f}, of the 3s {scores[unusual].mean():.1f}"
)

# %% [markdown]
# ### Where to draw the line
#
# An alarm is raised where $s > c$. How is $c$ found without a single unusual example? Choose how
# many false alarms are bearable, say one in 20, and take for $c$ the score below which 95 % of the
# usual examples lie: the 0.95 **[quantile](glossary.md#quantile)**.
#
# Of *which* usual examples? If $n$ scores and the score of one new usual example are drawn in the
# same way, then each of the $n + 1$ is equally likely to be the largest, or the second largest,
# and so on. So the new one exceeds the $k$-th largest of the $n$ with probability $k / (n + 1)$,
# whatever the distribution is. This needs only that all were drawn in the same way. Training
# images were not: the net was fitted to them, and their errors are smaller. A limit from them
# gives more alarms than was agreed. Validation images keep the promise.

# %%
source(uses.threshold)
others = valid[valid_labels != UNUSUAL]
limit = uses.threshold(uses.score(usual, others).values, 0.95)
alarms = (scores[~unusual] > limit).mean()
error = math.sqrt(0.05 * 0.95 * (1 / len(others) + 1 / (~unusual).sum()))
print(
    f"limit {limit:.1f}: {alarms:.1%} ± {error:.1%} of the usual test images are false alarms"
)
print(f"and {(scores[unusual] > limit).mean():.1%} of the 3s are found")
assert abs(alarms - 0.05) < 4 * error
small = fit(autoencoder(32), x[:300], epochs=quick(60, 30))
limits = {
    name: uses.threshold(uses.score(small, images).values, 0.95)
    for name, images in (("training", x[:300]), ("validation", valid))
}
wrong, right = ((uses.score(small, test).values > c).mean() for c in limits.values())
print(
    f"a net that saw 300 images: {wrong:.1%} alarms with a limit from these, {right:.1%} else"
)
assert wrong > 0.1 > right or not settled

# %% [markdown]
# ### Every line at once
#
# Another limit trades false alarms against misses. The **[ROC
# curve](glossary.md#roc-curve)** draws all of them: for each limit the share of the usual that
# raise an alarm, to the right, and the share of the unusual that do, upwards. The area below it,
# AUC, is one number for the score itself, whatever the limit. What does it mean?
#
# Let $P$ examples be unusual and $Q$ usual. Lower the limit from $\infty$, past one example after
# the other. Past an unusual one the curve goes up by $1/P$. Past a usual one it goes to the right
# by $1/Q$, and below this step lies a strip whose height is the share of the unusual that came
# before, which are those with a larger score. Add up the strips:
#
# $$
# \mathrm{AUC} = \sum_{q=1}^{Q} \frac1Q \cdot \frac{\#\{p : s_p > s_q\}}{P}
#     = \frac{\#\{(p, q) : s_p > s_q\}}{P Q} .
# $$
#
# So the area is the share of pairs, one unusual and one usual, that the score puts in the right
# order: the probability that it does so for a pair drawn at random ([Hanley and McNeil
# 1982](bibliography.md#hanley-1982)). Where scores are equal the curve goes up and right at once,
# along a diagonal, which halves the strip: an equal pair counts ½. A score that knows nothing
# has ½.

# %%
source(uses.roc)


def share_of_pairs(scores, unusual):
    p, q = scores[unusual][:, None], scores[~unusual]  # (P, 1) and (Q,), so (P, Q) pairs
    return ((p > q) + 0.5 * (p == q)).mean()


for name, each in (("the scores", scores), ("rounded to tens", np.rint(scores / 10))):
    auc = uses.roc(each, unusual)["auc"]
    print(f"{name:<16} area {auc:.6f}, share of pairs {share_of_pairs(each, unusual):.6f}")
    assert np.isclose(auc, share_of_pairs(each, unusual))

# %% [markdown]
# The area does not depend on how *many* examples are unusual. Whoever has to look at the alarms
# does care. If a share $\pi$ is unusual, a limit that finds a share $t$ of it and falsely alarms for a
# share $f$ of the rest has the precision
#
# $$
# \frac{\pi t}{\pi t + (1 - \pi) f} .
# $$

# %%
t = (scores[unusual] > limit).mean()
for share in (0.1, 0.001):
    precision = share * t / (share * t + (1 - share) * alarms)
    print(f"{share:.1%} unusual: {precision:.1%} of the alarms are true")
assert precision < 0.05

# %% [markdown]
# ### Where it fails
#
# The score trusts that the net *cannot* rebuild what it has not seen. Nothing in its loss says so.
# It was asked to rebuild the usual well, and what it learned for that may serve for the rest too:
# strokes are strokes. The larger the code, the more it can rebuild. So before you look: does a net
# with 32 numbers in its code, which rebuilds everything better than one with 8, find the 3s better
# or worse? And what does it say of an empty image, which is no digit at all?

# %%
large = fit(autoencoder(32), x[labels != UNUSUAL])
blank = np.zeros((1, 784), np.float32)
found = {}
for name, model in (("code of 8", usual), ("code of 32", large)):
    each = uses.score(model, test).values
    found[name] = uses.roc(each, unusual)
    empty = uses.score(model, blank).values[0]
    above = (each[~unusual] > empty).mean()
    print(
        f"{name:<10}: error of the usual {each[~unusual].mean():5.1f}, AUC {found[name]['auc']:.3f}; empty image {empty:.1f}, and {above:.0%} of the usual have more"
    )
    assert above > 0.8 or not settled
assert each[~unusual].mean() < scores[~unusual].mean()
if settled:
    assert found["code of 32"]["auc"] < found["code of 8"]["auc"] - 0.05

# %% tags=["hide-input"]
order = np.argsort(each)
missed, caught = order[unusual[order]][:8], order[unusual[order]][::-1][:8]
rows = {
    "3s, lowest scores": missed,
    "3s, highest scores": caught,
}
shown, below = {}, {}
for name, places in rows.items():
    shown[name] = test[places].reshape(-1, 28, 28)
    shown[f"{name}: rebuilt"] = uses.rebuild(large, test[places]).reshape(-1, 28, 28)
    below[f"{name}: rebuilt"] = [f"{value:.1f}" for value in each[places]]
show(
    lambda path: plots.image_rows(shown, path, below=below),
    "missed",
    "Eight threes with low scores and their reconstructions, which are nearly the same; eight threes with high scores and theirs, which are smeared and have holes.",
    "Digits that the net with a code of 32 has never seen, each above what it makes of it. Those in the upper half it rebuilds well, so its score calls them usual.",
)
drawn, axes = figure(4.4, 3.6)
for (name, curve), line in zip(found.items(), ("-", "--"), strict=True):
    axes.plot(curve["false"], curve["true"], line, label=f"{name}: area {curve['auc']:.3f}")
axes.plot([0, 1], [0, 1], ":", color=plots.GREY, label="chance")
axes.set(xlabel="usual above the limit", ylabel="unusual above the limit", aspect="equal")
axes.legend(loc="lower right")
show(
    drawn,
    "roc",
    "Two ROC curves: that of the code of 8 lies above that of the code of 32, and both lie above the diagonal.",
    "The better net finds the 3s worse.",
)

# %% [markdown]
# The net with the larger code has the smaller loss and is the worse detector, and neither sees
# anything odd in a blank page. A reconstruction error measures how *complicated* an image is for
# the net, as much as how strange. So the size of the code has to be chosen for this job, and a
# loss on usual examples cannot choose it: it takes some examples that are known to be unusual.
#
# ## Few labels
#
# Images are plenty, labels are dear. Train the encoder on all images, without labels. Then label a
# few, and fit something simple to *codes*. Is the code worth more than the pixels? The simplest
# thing to fit is linear, a **[linear probe](glossary.md#linear-probe)**: with the labels as rows
# with a single 1, $Y$,
#
# $$
# \begin{aligned}
# & \underset{(D, C)}{W} = \arg\min_W \big|\underset{(N, D)}{Z} W - \underset{(N, C)}{Y}\big|^2 + \lambda |W|^2 , \\
# & 2 Z^\top (Z W - Y) + 2 \lambda W = 0 ,
# \qquad W = (Z^\top Z + \lambda)^{-1} Z^\top Y .
# \end{aligned}
# $$
#
# It says $\hat Y = H Y$ with $H = Z (Z^\top Z + \lambda)^{-1} Z^\top$, of shape $(N, N)$. With ten
# labels none can be spared to choose $\lambda$. So each is left out in turn, predicted from the
# others, and the $\lambda$ with the smallest error is taken. Must $N$ fits be made for that? No.
# Leave out example $n$, and call its prediction by the others $\tilde y_n$. Now put it back with
# the label $\tilde y_n$ instead of $y_n$. The fit does not change: the new term of the sum is 0
# there, and it is never negative. But that is a fit of all $N$, whose labels differ from $Y$ in
# row $n$ only, so
#
# $$
# \tilde y_n = \hat y_n + H_{nn} (\tilde y_n - y_n)
# \qquad\Longrightarrow\qquad
# y_n - \tilde y_n = \frac{y_n - \hat y_n}{1 - H_{nn}} .
# $$

# %%
rng = np.random.default_rng(0)
Z, Y, λ = rng.standard_normal((12, 4)), rng.standard_normal((12, 3)), 0.7


def ridge(Z, Y):
    return np.linalg.solve(Z.T @ Z + λ * np.eye(4), Z.T @ Y)


H = Z @ np.linalg.solve(Z.T @ Z + λ * np.eye(4), Z.T)
at_once = (Y - H @ Y) / (1 - np.diag(H))[:, None]
in_turn = [Y[n] - Z[n] @ ridge(np.delete(Z, n, 0), np.delete(Y, n, 0)) for n in range(12)]
assert np.allclose(at_once, in_turn)
source(linear_probe)

# %% [markdown]
# (The library also takes off the mean of the labels, whose share in $H_{nn}$ is $1/N$.)
#
# The other simple thing is to take the class of the nearest labelled code. Both are tried on the
# codes of an autoencoder, of a VAE and of PCA, 16 numbers each, and on the 784 pixels; five times
# with other labels. The encoders have seen all images and no label.

# %%
ae = fit(autoencoder(16), x)
vae = fit(variational(np.random.default_rng(0), ROWS, [784, 128, 16], binarise=True), x)
pca = sae.PCA(16).fit(x)
codes = {
    "autoencoder": (uses.encode(ae, x), uses.encode(ae, test)),
    "VAE": (uses.encode(vae, x), uses.encode(vae, test)),
    "PCA": (pca.encode(x), pca.encode(test)),
    "pixels": (x, test),
}
numbers, draws = quick((10, 20, 50, 100, 1000), (10, 100)), quick(5, 2)
accuracy = {}
for way, probe in PROBES.items():
    for name, (z, z_test) in codes.items():
        for n in numbers:
            places = [few(labels, n, np.random.default_rng(seed)) for seed in range(draws)]
            right = [probe(z[p], labels[p], z_test, test_labels) for p in places]
            accuracy[way, name, n] = np.mean(right), np.std(right)
for way in PROBES:
    print(f"{way:<23}", "".join(f"{n:>14,}" for n in numbers))
    for name in codes:
        row = (accuracy[way, name, n] for n in numbers)
        print(f"  {name:<21}", "".join(f"{m:8.3f} ± {s:.3f}" for m, s in row))

# %% tags=["hide-input"]
drawn, panels = figure(9, 3.4, columns=2, sharey=True)
for axes, way in zip(panels, PROBES, strict=True):
    for name, line in zip(codes, ("o-", "s--", "^-.", "D:"), strict=True):
        means, spreads = zip(*(accuracy[way, name, n] for n in numbers), strict=True)
        axes.errorbar(
            numbers, means, spreads, fmt=line, markersize=4, capsize=2, label=name
        )
    axes.set(title=way, xscale="log", xlabel="labelled images")
    axes.set_xticks(numbers, [f"{n:,}" for n in numbers])
    axes.minorticks_off()
panels[0].set_ylabel("test accuracy")
panels[0].legend()
show(
    drawn,
    "labels",
    "Two panels, linear and neighbours: accuracy rises with the number of labels from about 0.45 at ten. In the linear panel the autoencoder leads up to 100 labels and the pixels at 1,000; in the other all four nearly coincide.",
    "Accuracy on test images by the number of labels; bars are the standard deviation over five draws of the labels.",
)

# %%
if settled:
    few_labels = {name: accuracy["linear", name, 20][0] for name in codes}
    many_labels = {name: accuracy["linear", name, 1000][0] for name in codes}
    assert max(few_labels, key=few_labels.get) == "autoencoder"
    assert few_labels["autoencoder"] > few_labels["pixels"] + 0.05
    assert max(many_labels, key=many_labels.get) == "pixels"
    close = [accuracy["neighbours", name, 100][0] for name in codes]
    assert max(close) - min(close) < 0.05

# %% [markdown]
# With few labels a linear probe reads the autoencoder's 16 numbers better than the 784 pixels.
# With 1,000 labels it is the other way round: now there is enough to learn from, and the pixels
# hold what the code has thrown away. Nearest neighbours gain little from any code here, because
# images that are near each other as pixels are mostly of one class already. So "a code helps with
# few labels" is true of some readers, on some data, up to some number of labels. How it is on
# MNIST and with fine-tuning tells `scratchae use probe RUN`, which makes this table for any run.
#
# ### A classifier
#
# The ridge probe fits zeros and ones, though what is asked for is a class. A **classifier** answers with the probability of each of
# the $C$ classes. Its last layer makes a logit for each class, and the [softmax](glossary.md#softmax) of [chapter
# 07](07_cross_entropy.py) makes them probabilities. Let $Y$ hold a single 1 in each row, at the label. The loss is minus the logarithm of the probability
# that the label is given, averaged over the examples:
#
# $$
# \begin{aligned}
# & \underset{(N, C)}{a} = \underset{(N, K)}{z} W + b, \qquad
# p_{nj} = \frac{e^{a_{nj}}}{\sum_k e^{a_{nk}}}, \qquad
# L = -\frac1N \sum_{n,j} Y_{nj} \log p_{nj} .
# \end{aligned}
# $$
#
# **Backward.** $\log p_{nj} = a_{nj} - \log \sum_k e^{a_{nk}}$, and the derivative of the last term by $a_{ni}$ is $p_{ni}$. So
#
# $$
# \frac{\partial L}{\partial a_{ni}}
# = -\frac1N \sum_j Y_{nj} \big([i = j] - p_{ni}\big)
# = \frac{p_{ni} - Y_{ni}}{N} ,
# $$
#
# because each row of $Y$ adds up to 1. What is left is an ordinary backward pass: $dW = z^\top da$, $db = \sum_n da_n$, and $dz = da\,W^\top$
# goes on into the encoder, if that is to learn too (*fine-tuning*). In the code $Y$ is called `target`, and $da$ is the second thing that the loss returns:

# %%
source(sae.SoftmaxCrossEntropy.__call__, sae.Classifier.objective, sae.Classifier.backward)
draw = np.random.default_rng(0)
z, few_labels = draw.standard_normal((9, 4)), np.arange(9) % 3
tiny = sae.Classifier(sae.Sequential(sae.Dense(4, 3, rng=draw)), 3)
report = sae.check_gradients(tiny, sae.with_labels(z, few_labels, 3))
print(f"largest relative error of a gradient {report.worst:.0e}")
assert report.passed
dense = tiny.net.layers[0]
tiny.training_step(rows := sae.with_labels(z, few_labels, 3))
da = (tiny.probabilities(z) - rows[:, 4:]) / 9
assert np.allclose(dense.dW, z.T @ da) and np.allclose(dense.db, da.sum(axis=0))

# %% [markdown]
# Is it a better probe? With 100 labels and the autoencoder's codes, five draws of the labels again:


# %%
def classifier_probe(z, labels, z_test, test_labels):
    """The share of test examples that one layer with a softmax tells rightly."""
    mean, deviation = z.mean(axis=0), z.std(axis=0) + 1e-6
    z, z_test = ((each - mean) / deviation for each in (z, z_test))
    model = sae.Classifier(sae.Dense(z.shape[1], 10, rng=np.random.default_rng(0)), 10)
    steps = {"epochs": quick(200, 50), "batch_size": len(z), "progress": False}
    sae.fit(model, sae.with_labels(z, labels, 10), optimizer=sae.Adam(0.02), **steps)
    return (model.predict(z_test) == test_labels).mean()


z, z_test = codes["autoencoder"]
places = [few(labels, 100, np.random.default_rng(seed)) for seed in range(draws)]
by_softmax = [classifier_probe(z[p], labels[p], z_test, test_labels) for p in places]
by_ridge = accuracy["linear", "autoencoder", 100]
print(f"100 labels: softmax {np.mean(by_softmax):.3f} ± {np.std(by_softmax):.3f}")
print(f"            ridge   {by_ridge[0]:.3f} ± {by_ridge[1]:.3f}")
assert abs(np.mean(by_softmax) - by_ridge[0]) < 0.1

# %% [markdown]
# ## What a bit is
#
# A code of 16 numbers in float32 has 512 bits. Is that what it takes to store an image? That
# depends on how rare the code is, as follows.
#
# Let symbols $k$ have probabilities $p_k$, and write each as a word of $l_k$ bits. Words are to be
# read one after the other without commas, so no word may begin another. Flip a coin for ever: the
# flips begin with word $k$ with probability $2^{-l_k}$, and they begin with at most one of the
# words. So (**[Kraft's inequality](glossary.md#krafts-inequality)**)
#
# $$
# \sum_k 2^{-l_k} \le 1 .
# $$
#
# This is a budget: a short word takes up much of it. How is it spent best? The logarithm is concave, so the mean of a
# logarithm is at most the logarithm of the mean:
#
# $$
# \sum_k p_k \log_2 \frac{1}{p_k} - \sum_k p_k\, l_k = \sum_k p_k \log_2 \frac{2^{-l_k}}{p_k}
#     \le \log_2 \sum_k 2^{-l_k} \le 0 .
# $$
#
# The mean length is at least the **[entropy](glossary.md#entropy)** $\sum_k p_k \log_2 (1 / p_k)$,
# and it is reached by $l_k = -\log_2 p_k$ ([Shannon
# 1948](bibliography.md#shannon-1948)): a symbol of probability $p$ is worth $-\log_2 p$ bits. If
# the lengths were made for another distribution $q$, the loss is
# $\sum_k p_k \log_2 (p_k / q_k)$, the [KL divergence](glossary.md#kl-divergence) in bits.
#
# ### Fractions of a bit
#
# $-\log_2 p$ is seldom whole, and a word has at least one bit, however probable its symbol is. So
# words waste up to a bit for each symbol, and an image has 16 of them. The way out is to give up words. Put the whole message into *one* whole number $s$ ([Duda
# 2009](bibliography.md#duda-2009)). Let the probabilities be $f_k / 2^M$ with whole
# $f_k$, and let $c_k$ be the sum of those before $f_k$. Then
#
# $$
# \text{push: } s' = \lfloor s / f_k \rfloor\, 2^M + c_k + (s \bmod f_k), \qquad
# \text{pop: } s = f_k \lfloor s' / 2^M \rfloor + (s' \bmod 2^M) - c_k .
# $$
#
# The remainder $s' \bmod 2^M$ lies between $c_k$ and $c_k + f_k$, so it tells $k$, and nothing is
# lost. A push makes $s' \approx s \cdot 2^M / f_k = s / p_k$: the number grows by a factor of
# $1/p_k$, and its length by $-\log_2 p_k$ bits, fractions included. What is pushed last is popped
# first.

# %%
M = 16


def table(p):
    """Whole frequencies of sum 2^M for probabilities p, at least 1 each, and where each begins."""
    f = np.maximum(np.rint(p * 2**M).astype(int), 1)
    f[f.argmax()] += 2**M - f.sum()
    return f.tolist(), [0, *np.cumsum(f).tolist()]


def push(s, k, table):
    f, start = table
    return (s // f[k] << M) + start[k] + s % f[k]


def pop(s, table):
    f, start = table
    r = s % 2**M
    k = bisect.bisect_right(start, r) - 1
    return (s >> M) * f[k] + r - start[k], k


p = np.array([0.9, 0.06, 0.03, 0.01])
message = rng.choice(4, 5000, p=p).tolist()
s, whole = 1 << M, table(p)
for k in message:
    s = push(s, k, whole)
length = s.bit_length() - M
back = []
for _ in message:
    s, k = pop(s, whole)
    back.append(k)
assert back[::-1] == message and s == 1 << M
counted = -np.log2(p)[message].sum()
words = np.array(
    [1, 2, 3, 3]
)  # 0, 10, 110, 111: the best that there are, and all of the budget
assert (2.0**-words).sum() == 1
print(
    f"{len(message):,} symbols: {length:,} bits, Σ -log₂ p = {counted:,.0f}, words of whole bits {words[message].sum():,}"
)
assert abs(length - counted) < 0.01 * counted and words[message].sum() > 1.5 * counted

# %% [markdown]
# ## Compression for real
#
# A number of the code is no symbol yet: there are too many. So it is rounded to a multiple of a
# step $\Delta$, and the whole number $k = \mathrm{round}(z / \Delta)$ is the symbol. Its
# probability is that of all $z$ which round to it, estimated from the training images. Rounding
# is where the loss comes in. How large is it?
#
# Rounding moves $z$ by $\delta$, evenly spread over $[-\Delta/2, \Delta/2]$, whose mean square is
# $\Delta^2 / 12$. The decoder turns that into a change of the image: with $J$ the $(K, D)$ matrix
# of the slopes $\partial \hat x_d / \partial z_k$, and the [expectation](mathematics.md#expectation-variance-covariance) over codes,
#
# $$
# \hat x(z + \delta) \approx \hat x(z) + \delta J, \qquad
# |\delta J|^2 = \delta\, J J^\top \delta^\top, \qquad
# \underset{(K, K)}{A} = \mathbb E[J J^\top] .
# $$
#
# The same $\delta$ costs much in one direction of the code and little in another, which is a waste
# of bits. So round $t = z\,T$ instead, with $A = L L^\top$ and $T = L R$, $R$ any rotation. Then
# $\delta = \varepsilon\, T^{-1}$ for a rounding error $\varepsilon$ of $t$, and
#
# $$
# \delta\, A\, \delta^\top = \varepsilon\, R^{-1} L^{-1} (L L^\top) L^{-\top} R\, \varepsilon^\top = |\varepsilon|^2 ,
# $$
#
# whose mean is $K \Delta^2 / 12$: the added error is known before any image is coded. ($R$ turns
# to the directions in which $t$ varies most, so that its numbers depend on each other less: each
# is coded as if it knew nothing of the others.)

# %%
source(metric, Codec.probabilities, Codec.symbols)
images = test[:1000]


def measured(codec, step):
    """Bits for each image, which -log₂ p promises, and the squared error."""
    k = codec.symbols(codec.turned(images), step)  # (N, K)
    bits = 0
    for column, (low, p) in zip(k.T, codec.probabilities(step), strict=True):
        bits -= np.log2(p[column - low]).sum()
    error = ((codec.examples(k, step) - images) ** 2).sum(axis=1).mean()
    return bits / len(images), error


coders = {"autoencoder, 16": ae, "PCA, 16": pca, "PCA, 40": sae.PCA(40).fit(x)}
codecs = {name: Codec.fit(coder, x) for name, coder in coders.items()}
steps = (0.1, 0.2, 0.4, 0.8, 1.6, 2.4)
curves = {name: [measured(codec, step) for step in steps] for name, codec in codecs.items()}
without = ((uses.rebuild(ae, images) - images) ** 2).sum(axis=1).mean()
print("step    bits for an image    error, of it by rounding, K Δ² / 12")
for step, (bits, error) in zip(steps, curves["autoencoder, 16"], strict=True):
    print(
        f"{step:4}  {bits:14.1f} {error:15.2f} {error - without:16.3f} {16 * step**2 / 12:11.3f}"
    )
    assert (
        abs(error - without - 16 * step**2 / 12) < 0.25 * 16 * step**2 / 12 or not settled
    )
(fine, _), (coarse, _) = curves["autoencoder, 16"][1:3]
assert abs(fine - coarse - 16) < 1
assert 60 < coarse < 80 or not settled

# %% [markdown]
# Half the step costs one bit more for each of the 16 numbers: twice as many symbols are as
# probable as one was. It does not cost 512 bits, but about 70, to store an image nearly as well as
# the code can.

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.6)
for (name, points), line in zip(curves.items(), ("o-", "s--", "^:"), strict=True):
    bits, errors = zip(*points, strict=True)
    axes.plot(bits, errors, line, markersize=4, label=name)
axes.set(xlabel="bits for an image", ylabel="squared error", yscale="log")
axes.set_yticks((5, 10, 20, 40), ("5", "10", "20", "40"))
axes.minorticks_off()
axes.legend()
show(
    drawn,
    "rate",
    "Error against bits for three codecs. That of the autoencoder lies lowest throughout; PCA with 16 numbers stays above 18, and PCA with 40 numbers comes down to 9 with 200 bits.",
    "Rate against error. All three have the same quantiser and coder. Further down and to the left is better.",
)

# %%
if settled:
    for bits, error in curves["PCA, 40"]:
        at = np.interp(bits, *zip(*curves["autoencoder, 16"][::-1], strict=True))
        assert error > at

# %% [markdown]
# These lengths were promised by $-\log_2 p$. Is it so? Push all symbols, and count. Two things
# must come back: the symbols, exactly; and so the same images that the rounded codes give. It is
# still **lossy**: not the images that went in.

# %%
codec, step = codecs["autoencoder, 16"], 0.4
k = codec.symbols(codec.turned(images), step)
found = codec.probabilities(step)
tables = [(low, table(p)) for low, p in found]
s = 1 << M
for row in k.tolist():
    for value, (low, each) in zip(row, tables, strict=True):
        s = push(s, value - low, each)
length = s.bit_length() - M
back = np.empty_like(k)
for i in range(len(k))[::-1]:
    for j in range(16)[::-1]:
        s, symbol = pop(s, tables[j][1])
        back[i, j] = symbol + tables[j][0]
promised = curves["autoencoder, 16"][2][0]
print(
    f"one whole number of {length / len(k):.2f} bits for each image; promised {promised:.2f}"
)
assert (back == k).all() and abs(length / len(k) - promised) < 0.01 * promised
assert np.array_equal(codec.examples(back, step), codec.examples(k, step))

# %% [markdown]
# The library pushes with the package constriction, whose number is cut into words of 32 bits so
# that a push takes as long for the last symbol as for the first. `scratchae use compress RUN`
# writes a file with it, with a header and a checksum, and draws the curve beside JPEG, WebP and
# PNG.

# %%
source(Codec.coded)
if find_spec("constriction"):
    bits = codec.compress(images, step)
    print(f"constriction: {8 * len(bits) / len(images):.2f} bits for each image")
    assert abs(8 * len(bits) / len(images) - promised) < 0.01 * promised
    difference = codec.decompress(bits, len(images), step) - codec.examples(k, step)
    assert np.abs(difference).max() < 1e-5
else:
    print("constriction is not installed: pip install 'scratchae[codec]'")

# %% [markdown]
# ## Without any loss: bits back
#
# Can an autoencoder compress so that the image comes back *exactly*? Images of black and white
# pixels, and a VAE: it gives $p(z)$, $p(x \mid z)$ and $q(z \mid x)$. A first try: choose a good
# $z$, send it with $-\log_2 p(z)$ bits, and then the image with $-\log_2 p(x \mid z)$ bits. Since
# the image is coded, not replaced by $\hat x$, it comes back exactly, however bad the decoder is:
# a bad one only makes it long. But $z$ has to be fine enough, so it costs much, although many
# other $z$ would have done as well. That freedom is worth bits, and they can be had back.
#
# The trick of **[bits-back coding](glossary.md#bits-back-coding)** is that *popping draws*. If $s$
# is a number whose low bits are random, then popping with the table of $q$ yields the symbol $k$
# with probability $q_k$, and makes $s$ *shorter* by $-\log_2 q_k$. So the sender starts with a
# number $s$ that is there already, such as the images before, and
#
# 1. pops $z$ with $q(z \mid x)$: this **draws** $z$, and the number shrinks by $-\log_2 q(z \mid x)$;
# 2. pushes $x$ with $p(x \mid z)$: it grows by $-\log_2 p(x \mid z)$;
# 3. pushes $z$ with $p(z)$: it grows by $-\log_2 p(z)$.
#
# The receiver does the reverse: pops $z$, pops $x$, and, knowing $x$ and therefore
# $q(z \mid x)$, *pushes* $z$ with it, which puts the number back as it was before the first step.
# Nothing was lost by the pop. Altogether an image makes the number longer by
#
# $$
# \mathbb E_{z \sim q} \big[ \log_2 q(z \mid x) - \log_2 p(x \mid z) - \log_2 p(z) \big] = -\mathrm{ELBO}
# $$
#
# in bits, since $z$ is a draw from $q$: the loss of a VAE *is* the length of a message ([Hinton and
# van Camp 1993](bibliography.md#hinton-1993), [Townsend et al.
# 2019](bibliography.md#townsend-2019)). And by chapter 11, −ELBO is $-\log_2 p(x)$ plus
# $\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))$: a wrong $q$ costs the bits that it does not get
# back.
#
# One thing has to be seen to. The low bits hold the $z$ that was pushed last, so they are not
# random: with $q = p(z)$ a pop would yield the same $z$ again and again. So the last $M$ bits are
# mixed with random ones that both sides know (`^`, exclusive or), which costs nothing and is undone
# by doing it again.
#
# First where all is known: four values of $z$, eight of $x$, and a $q$ that may be right or wrong.

# %%
prior = np.array([0.4, 0.3, 0.2, 0.1])
given = rng.dirichlet(np.full(8, 0.4), size=4)  # p(x | z), (4, 8)
given = (given + 0.01) / (given + 0.01).sum(axis=1, keepdims=True)
evidence = prior @ given  # p(x), (8,)
exact = (prior[:, None] * given / evidence).T  # p(z | x), (8, 4)
symbols = rng.choice(8, 4000, p=evidence).tolist()
begin = int.from_bytes(rng.bytes(20), "big") + (1 << 160)  # to draw the first z from
T_prior, T_given = table(prior), [table(row) for row in given]
noise = rng.integers(2**M, size=4000).tolist()  # known to both sides
entropy = -(evidence * np.log2(evidence)).sum()
for name, q in (("q = p(z|x)", exact), ("q = p(z)", np.tile(prior, (8, 1)))):
    T_q = [table(row) for row in q]
    s = begin
    for symbol, word in zip(symbols, noise, strict=True):
        s, z = pop(s ^ word, T_q[symbol])
        s = push(s, symbol, T_given[z])
        s = push(s, z, T_prior)
    length = (s.bit_length() - begin.bit_length()) / len(symbols)
    back = []
    for word in noise[::-1]:
        s, z = pop(s, T_prior)
        s, symbol = pop(s, T_given[z])
        s = push(s, z, T_q[symbol]) ^ word
        back.append(symbol)
    assert back[::-1] == symbols and s == begin
    terms = np.log2(q) - np.log2(given.T) - np.log2(prior)  # (8, 4)
    bound = (q * terms).sum(axis=1)[symbols].mean()
    gap = (q * np.log2(q / exact)).sum(axis=1)[symbols].mean()
    variance = (q * terms**2).sum(axis=1) - (q * terms).sum(axis=1) ** 2  # over draws of z
    error = math.sqrt(variance[symbols].mean().clip(0) / len(symbols))
    print(
        f"{name:<11} {length:.3f} bits; -ELBO {bound:.3f} ± {error:.3f}, of it KL {gap:.3f}"
    )
    assert abs(length - bound) < 4 * error + 0.01
print(f"the entropy of x is {entropy:.4f} bits")

# %% [markdown]
# Now the VAE of this chapter, and images of black and white pixels, drawn with the grey value as
# the probability of ink. Its $z$ is no symbol. So it is taken from a grid of step $\Delta$, with
# $q(z \mid x)\,\Delta$ and $p(z)\,\Delta$ as probabilities. In the sum of the three lengths
# $\Delta$ *cancels*: with bits back a fine grid costs nothing. Without it each halving costs a
# bit for each number of $z$, and the best grid is coarse.

# %%
ink = (rng.random((200, 784)) < test[:200]).astype(np.float32)
bound = uses.score(vae, ink, "elbo").values.mean() / math.log(2)


def sent(step):
    """Bits for an image if z is the mean of q, rounded to a grid, and is sent as it is."""
    z = np.rint(uses.encode(vae, ink) / step) * step
    edges = np.abs(z)[..., None] + np.array([-0.5, 0.5]) * step  # p(z) is symmetric
    below = np.vectorize(math.erfc)(edges / math.sqrt(2)) / 2
    p = np.clip(vae.decode(z.astype(np.float32)), 1e-6, 1 - 1e-6)
    likelihood = np.where(ink == 1, p, 1 - p)
    cost = -np.log2(below[..., 0] - below[..., 1]).sum(axis=1) - np.log2(likelihood).sum(
        axis=1
    )
    return float(cost.mean())


grids = {step: sent(step) for step in (1 / 16, 1 / 4, 1 / 2, 1.0, 2.0)}
for step, bits in grids.items():
    print(f"z sent, step {step:<6g} {bits:7.1f} bits for an image")
packed = 8 * len(zlib.compress(np.packbits(ink.astype(bool)).tobytes(), 9)) / len(ink)
print(f"-ELBO               {bound:7.1f} bits for an image")
print(f"zlib                {packed:7.1f} bits for an image")
assert bound < min(grids.values())
if settled:
    assert min(grids, key=grids.get) == 1 and min(grids.values()) < 1.1 * bound < packed
empty = uses.score(vae, blank, "elbo").values[0] / math.log(2)
print(f"an empty image      {empty:7.1f} bits")
assert empty < bound / 2 or not settled

# %%
source(bits_back)
if find_spec("constriction"):
    bits, length = bits_back(vae, ink)
    again = bits_forth(vae, bits, len(ink), (784,))
    print(
        f"bits back           {length:7.1f} bits for an image, {length / bound - 1:+.1%} of -ELBO"
    )
    assert np.array_equal(again, ink) and abs(length / bound - 1) < 0.02
else:
    print("constriction is not installed: pip install 'scratchae[codec]'")

# %% [markdown]
# All 200 images come back, pixel for pixel. Even so, bits back gains only a few percent over the best
# grid: a step of 1 is about as wide as $q$, so little freedom is left to pay for. And −ELBO as a
# *score* of what is unusual, `uses.score(model, x, "elbo")`, is now a length. It has the blind spot
# of the reconstruction error: an empty image is quickly told. Two things are not counted. The receiver needs the
# model, whose weights are much larger than 200 images. And the number that the first image draws
# from had to be there; with many images that is little.
#
# ## Between codes, and along one
#
# Halfway between two images of different digits lies, in pixels, a double exposure. Halfway
# between their *codes* lies what the decoder makes of a code that no image has. Is that an image?
# One measure of it is the squared distance to the nearest training image.

# %%
pairs = rng.integers(len(test), size=(300, 2))
pairs = pairs[test_labels[pairs[:, 0]] != test_labels[pairs[:, 1]]]
first, last = test[pairs[:, 0]], test[pairs[:, 1]]


def nearest(made):
    """The squared distance from each image to the nearest training image, averaged."""
    far = (made**2).sum(axis=1)[:, None] - 2 * made @ x.T + (x**2).sum(axis=1)
    return float(np.maximum(far, 0).min(axis=1).mean())


middles = {
    "mean of the pixels": (first + last) / 2,
    "autoencoder": uses.interpolate(ae, first, last, 3)[:, 1],
    "VAE": uses.interpolate(vae, first, last, 3)[:, 1],
    "ends, rebuilt by the VAE": uses.rebuild(vae, first),
}
away = {name: nearest(made) for name, made in middles.items()}
print("mean squared distance to the nearest training image:")
for name, distance in away.items():
    print(f"  {name:<25} {distance:5.1f}")
if settled:
    assert away["mean of the pixels"] > away["autoencoder"] > away["VAE"]
    assert away["VAE"] > 1.2 * away["ends, rebuilt by the VAE"]

# %% tags=["hide-input"]
rows = {}
for name, model in (("autoencoder", ae), ("VAE", vae)):
    for i, made in enumerate(uses.interpolate(model, first[:2], last[:2], 9)):
        rows[f"{name}{' ' * i}"] = made.reshape(-1, 28, 28)
share = np.linspace(0, 1, 9)[:, None]
rows["pixels"] = ((1 - share) * first[0] + share * last[0]).reshape(-1, 28, 28)
show(
    lambda path: plots.image_rows(rows, path),
    "between",
    "Five rows of nine images that change from one digit to another: two of the autoencoder, two of the VAE, and one in which one digit fades while the other appears.",
    "From one test image to another in even steps of the code; last, in even steps of the pixels.",
)

# %% [markdown]
# Halfway in a code is nearer to real images than halfway in the pixels, and halfway in the VAE's is
# nearest: its $q$ is a cloud, and clouds that touch leave fewer holes between them (chapter 11). But
# that is still farther from real images than the ends are. Between a 0 and a 2 there is no digit, in
# any code.
#
# What does one number of the code stand for? Move it alone, from its 1st to its 99th percentile,
# and look. `traverse` puts those first that change the image most, since some change nothing.

# %%
source(uses.traverse)
made, units, values = uses.traverse(vae, test, test[:1], steps=9, units=16)
change = ((made[:, -1] - made[:, 0]) ** 2).sum(axis=1)
kl = vae.unit_kl(test)[units]
print("number of the code:", *(f"{unit + 1:6d}" for unit in units[:8]))
print("change, end to end:", *(f"{value:6.1f}" for value in change[:8]))
print("KL in nats:        ", *(f"{value:6.2f}" for value in kl[:8]))
assert (np.diff(change) <= 0).all()
show(
    lambda path: plots.image_rows(
        {
            f"z{unit + 1}": row.reshape(-1, 28, 28)
            for unit, row in zip(units[:5], made, strict=False)
        },
        path,
    ),
    "along",
    "Five rows of nine images, each row with one number of the code moved from end to end: a 1 grows thicker, falls into pieces, or turns into the beginning of another digit.",
    "One number of the code moved, all others kept.",
)

# %% [markdown]
# No number is "slant" or "width" alone: most change several things at once, and the end of a row
# need not be a digit. Nothing in the loss asks for such names. The
# [normal](mathematics.md#density-and-the-normal-distribution) prior $\mathcal N(0, I)$ is the
# same after any rotation of the code. (A $q$ with independent numbers is not, so it prefers some
# axes to others; but it is not told ours.)
#
# ## Choosing
#
# Code size, learning rate, epochs: what is best? Try some and compare, but on which images? Below,
# ten settings drawn at random, each trained on only 400 images. Which will have the smallest error
# on *these*?

# %%
source(trials_of)
space = {"code": {"low": 4, "high": 128}, "lr": {"low": 1e-3, "high": 2e-2}}
tried = trials_of(space, quick(10, 5), seed=1)
errors = {"training": [], "validation": [], "test": []}
for settings in tried:
    model = fit(autoencoder(settings["code"]), x[:400], quick(40, 15), settings["lr"])
    for name, images in (("training", x[:400]), ("validation", valid), ("test", test)):
        errors[name].append(((uses.rebuild(model, images) - images) ** 2).sum(axis=1))
means = {name: np.mean(each, axis=1) for name, each in errors.items()}
print("code      lr   training  validation   test")
for i in np.argsort(means["validation"]):
    print(
        f"{tried[i]['code']:4d}  {tried[i]['lr']:.4f} {means['training'][i]:9.2f} {means['validation'][i]:10.2f} {means['test'][i]:8.2f}"
    )
by_training, by_validation = (means[name].argmin() for name in ("training", "validation"))
chosen = means["test"][[by_training, by_validation]]
print(
    f"test error if chosen by training error {chosen[0]:.2f}, by validation {chosen[1]:.2f}"
)
if settled:
    gap = means["validation"] - means["training"]
    assert gap.min() > 0 and gap.max() > 2 * gap.min() and chosen[1] < chosen[0]

# %% [markdown]
# Every net does better on the images that it was fitted to, and some by far more than others: they
# have learned these images rather than what such images are like. So the training error is no
# judge between nets.
#
# Then why not choose on the test images, which no net was fitted to? Because **choosing is
# fitting**. Let $v_i$ be the validation error of setting $i$, the true error $e_i$ plus luck:
# $\mathbb E[v_i] = e_i$. The least of them is smaller than any one of them, so
#
# $$
# \mathbb E\big[\min_i v_i\big] \le \min_i \mathbb E[v_i] = \min_i e_i :
# $$
#
# the winner's own figure is better than what *any* setting truly reaches, the more so the fewer
# images and the more trials there are, since who wins is partly who had luck. As a choice it is
# fine. As a report it is a mistake. To measure it, the choice is given only ten of the validation
# images, 2,000 times over:

# %%
each = np.array(errors["validation"])  # (trials, images)
chosen = rng.integers(each.shape[1], size=(2000, 10))
v = each[:, chosen].mean(axis=2)  # (trials, 2000)
winner = v.argmin(axis=0)
reported, true = v.min(axis=0).mean(), means["validation"][winner].mean()
print(f"chosen on ten images: reported {reported:.2f}, and truly {true:.2f}")
print(f"the best setting of all has {means['validation'].min():.2f}")
assert reported < means["validation"].min() < true

# %% [markdown]
# Hence three sets of images, and a test set that is looked at once. `scratchae search deep --over
# code=8..128 --over lr=1e-4..1e-2 --trials 20` does this for any preset and any data of yours. It
# compares on validation images only, and can be stopped and continued.
#
# ## Exercises
#
# 1. **While reading** *Every line at once*: AUC from scores, by pairs, with equal scores counted
#    right, and in fewer than $PQ$ steps if you like. ★, 10 minutes.

# %%
exercise("17_auc")

# %% [markdown]
# 2. **Derive**: the number of bits that rounded numbers cost if they are normal. What is the
#    probability of a whole number $k$, and what does half the step cost? ★★, 20 minutes.

# %%
exercise("17_bits")

# %% [markdown]
# 3. **Explore**, ★★★, 40 minutes. Fool a detector. Train on all digits but one, as above. Find a
#    picture with 100 or more dark pixels that is no digit, and that has a score below the 0.9 quantile
#    of the usual test images. A start: take noise, and go down the gradient of the score in the
#    *pixels*. How does it look? Then try to mend the detector without losing AUC: a smaller code,
#    noise in training, −ELBO. The next cell shows that such pictures are there, without a gradient.

# %%
lines = np.zeros((24, 28, 28), np.float32)
for i in range(24):
    lines[i, 3:25, i : i + 5] = 1  # a thick upright bar of 110 pixels, at every place
bars = uses.score(large, lines.reshape(24, 784)).values
limit = np.quantile(uses.score(large, test[~unusual]).values, 0.9)
print(
    f"thick bars: the lowest score is {bars.min():.1f}; nine in ten usual images are below {limit:.1f}"
)
assert bars.min() < limit or not settled

# %% [markdown]
# Without code:
#
# 4. A detector has an AUC of 0.1. Is it useless?
# 5. A friend reports that his autoencoder compresses images of 784 bytes to 16 numbers, "a factor
#    of 49". Name three things that he has not counted.
#
# *Answers:* 4. No: minus its score has 0.9. 5. That 16 float32 numbers are 64 bytes; the error, as
# the images do not come back; the decoder, which must be stored as well. On the other hand, he
# could have had less than 64 bytes by rounding and coding.
#
# ## Further reading
#
# - [Townsend et al. 2019](bibliography.md#townsend-2019): bits-back coding with a VAE.
# - [MacKay 2003](bibliography.md#mackay-2003), chapters 5 and 6: symbol codes and arithmetic coding.
#
# ## What to read in the source next
#
# - `scratchae/uses/anomaly.py` and `probing.py`: the first half of this chapter.
# - `scratchae/uses/coding.py`: the second half, with files and checksums.
# - `scratchae/runs/searching.py`: how a search is stopped and continued.
