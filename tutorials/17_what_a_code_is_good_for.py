# %% [markdown]
# # 17 · What a code is good for
#
# *The autoencoder is trained. What can you do with it, and how do you know that it works?*
#
# **Time** 70 minutes to read (short path 45), 30 s to run on two cores.
#
# **Short path** 45 minutes: leave out the three sections on compression, from *What a bit is* to *Without
# any loss: bits back*. Nothing after them needs them, except exercises 3 and 5.

# %% [markdown]
# ## The question
#
# Nobody needs a copy of an image that is there already. An autoencoder is trained for what comes
# with the copy: an error that tells usual examples from unusual ones, a code from which classes
# can be read with few labels, a short description that can be stored, and a space in which one can
# walk from image to image. This chapter takes these uses in turn. For each use we derive a number
# that says how well it works, and compare the code with something simpler. Each use also fails
# somewhere, and the chapter shows where.

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
    """784-128-code-128-784, without an activation at the code."""
    draw = np.random.default_rng(seed)
    sizes = [784, 128, code]
    return mirrored(sizes, sae.ReLU, draw, code=None, end=sae.Sigmoid(), loss=sae.MSE())


# %% [markdown]
# `x` is for training. `valid` is for every choice: a limit, a size, a learning rate. `test` decides nothing:
# it only measures how well each use works. The last section says why there must be three.
#
# ## What is unusual?
#
# Train a net on usual examples only. It learns to rebuild these, and nothing in its training asks it
# to rebuild anything else. So we expect its error to be larger on an example that is unlike them. The
# **score** of an example is therefore its squared error,
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
# and so on. The new one exceeds the $k$-th largest of the $n$ if it is among the $k$ largest of all $n + 1$.
# So it does this with probability $k / (n + 1)$, whatever the distribution is: with $k = (n + 1) / 20$ in one
# case of 20. This needs only that all were drawn in the same way. Scores of
# training images are not drawn like those of new images, because the net was fitted to the training
# images: their errors are smaller. A limit that is taken from them is too low, and gives more alarms
# than was agreed. The net was not fitted to the validation images, so a limit from these keeps the
# promise.
#
# *Predict, before you read the output:* the second half of the cell trains a net on only 300 images
# and asks for 5 % of false alarms, first with a limit from these 300 images, then with one from the
# validation images. How many false alarms does each limit give? (The ± in the output is a
# [standard error](mathematics.md#standard-error-of-a-mean).)

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
# A higher limit gives fewer false alarms, but it misses more unusual examples. The **[ROC
# curve](glossary.md#roc-curve)** shows all limits at once. Each limit is a point of the curve: its distance to
# the right is the share of the usual examples that raise an alarm, and its height is the share of the unusual
# examples that do. The area under the curve, AUC, is one number for the score itself, whatever the limit. What does
# this number mean?
#
# Let $P$ examples be unusual and $Q$ usual. Lower the limit from $\infty$, past one example after
# the other. When it passes an unusual example, one more of the $P$ raises an alarm, so the curve goes
# up by $1/P$. When it passes a usual one, the curve goes to the right by $1/Q$. Below this step to the
# right lies a strip of width $1/Q$. Its height is the share of the unusual examples that the limit has
# passed before, and these are the ones with a larger score. The area is the sum of the strips:
#
# $$
# \mathrm{AUC} = \sum_{q=1}^{Q} \frac1Q \cdot \frac{\#\{p : s_p > s_q\}}{P}
#     = \frac{\#\{(p, q) : s_p > s_q\}}{P Q} .
# $$
#
# So the area is the share of pairs, one unusual and one usual, that the score puts in the right
# order: the probability that it does so for a pair drawn at random ([Hanley and McNeil
# 1982](bibliography.md#hanley-1982)). Where scores are equal the curve goes up and right at once,
# along a diagonal, which halves the strip: an equal pair counts ½. A score that is independent of
# the class has an AUC of ½ on average, because both orders of a pair are equally likely.

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
# The area does not depend on how *many* examples are unusual. But whoever has to look at the alarms
# wants to know how many of them are true, and that does depend on it. Let a share $\pi$ of all
# examples be unusual, and let a limit find a share $t$ of these and raise a false alarm for a share
# $f$ of the rest. Then $\pi t$ of all examples raise a true alarm and $(1 - \pi) f$ a false one. The
# share of the alarms that are true, the precision, is
#
# $$
# \frac{\pi t}{\pi t + (1 - \pi) f} .
# $$
#
# *Predict:* one example in ten is unusual, or one in a thousand. Which share of the alarms is true,
# with the limit above?

# %%
t = (scores[unusual] > limit).mean()
for share in (0.1, 0.001):
    precision = share * t / (share * t + (1 - share) * alarms)
    print(f"{share:.1%} unusual: {precision:.1%} of the alarms are true")
assert precision < 0.05

# %% [markdown]
# ### Where it fails
#
# The score is of use only if the net *cannot* rebuild what it has not seen, and nothing in the loss
# says that it cannot. The loss asks it to rebuild the usual digits well. What the net learns for that
# may serve for a 3 too, because a 3 consists of the same strokes. And the larger the code, the more
# kinds of images the net can rebuild.
#
# *Predict:* a net with 32 numbers in its code rebuilds everything better than one with 8. Does it find
# the 3s better or worse? And what score does it give to an empty image, which is no digit at all?

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
    "3s, of which the net with a code of 32 has never seen one, each above its reconstruction and its score. The net rebuilds those in the upper half well, so their scores call them usual.",
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
    "Each point is a limit; higher is better. The net with the larger code (dashed) rebuilds digits better, but it finds the 3s worse.",
)

# %% [markdown]
# The net with the larger code has the smaller loss on usual digits and is the worse detector, and
# both nets give an empty image a lower score than most digits. The reason is that a reconstruction
# error measures two things at once: how strange an image is, and how *complicated* it is for the net.
# So the size of the code has to be chosen for this job. The loss on usual examples cannot choose the size,
# because this loss prefers the larger code. To choose, one needs some examples that are known to be unusual.
#
# ## Few labels
#
# Images are cheap and labels are expensive, because a person has to give each label. So train the
# encoder on all images, without labels. Then label a few images, and fit something simple to their
# *codes*. Is the code worth more than the pixels? The simplest thing to fit is linear, a **[linear
# probe](glossary.md#linear-probe)**. Row $n$ of $Z$ is the code of labelled example $n$, and row $n$
# of $Y$ holds a 1 at its class and 0 elsewhere. With few labels many $W$ fit, and a term with $\lambda > 0$
# prefers a small one (*ridge regression*):
#
# $$
# \begin{aligned}
# & \underset{(D, C)}{W} = \arg\min_W \big|\underset{(N, D)}{Z} W - \underset{(N, C)}{Y}\big|^2 + \lambda |W|^2 , \\
# & 2 Z^\top (Z W - Y) + 2 \lambda W = 0 ,
# \qquad W = (Z^\top Z + \lambda)^{-1} Z^\top Y .
# \end{aligned}
# $$
#
# The second line sets the derivative by $W$ to 0; the $\lambda$ in the brackets stands for $\lambda$ times
# the unit matrix. The predictions for the labelled examples are then $\hat Y = Z W = H Y$ with
# $H = Z (Z^\top Z + \lambda)^{-1} Z^\top$, of shape $(N, N)$.
#
# How is $\lambda$ chosen? With ten labels none can be set aside for validation. So each example is
# left out in turn and predicted from the others, and the $\lambda$ with the smallest error is taken.
# This seems to need $N$ fits for each $\lambda$, but one is enough. Leave out example $n$, and call
# what the others predict for it $\tilde y_n$. Now put the example back, with the label $\tilde y_n$
# in place of $y_n$. The fit to the others is still the best one: it makes the new term 0, no fit makes
# this term smaller, and all other terms are as before. So the fit of all $N$ examples, whose labels
# differ from $Y$ in row $n$ only, predicts $\tilde y_n$ for example $n$. Row $n$ of $\hat Y = H Y$
# changes by $H_{nn}$ times the change of the label, hence
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
# (The library also subtracts the mean of the labels before it fits, which adds $1/N$ to $H_{nn}$.)
#
# Another simple probe takes the class of the nearest labelled code, or with 1,000 labels the class that most
# of the five nearest have. Both probes are tried on the codes of an autoencoder, of a VAE and of PCA, 16
# numbers each, and on the 784 pixels, five times, each time with other labelled images. The encoders have seen all images and no label.
#
# *Predict:* which of the four does a linear probe read best with 20 labels, and which with 1,000?

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
    "Accuracy on test images by the number of labels; bars are the standard deviation over five draws of the labels. Look at who leads on the left: a code with few labels, the pixels with many.",
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
# With 1,000 labels it is the other way round, because now there are enough labels to fit the 784
# weights of a class, and the pixels still hold what the code has left out. With nearest neighbours
# the four differ by less than five points at 100 labels, so there a code gains little. So the
# sentence "a code helps with few labels" is true for some probes, on some data, up to some number of
# labels. `scratchae use probe RUN` makes this table for any run of yours, on MNIST too, and adds
# an encoder that is trained further with the labels (*fine-tuning*).
#
# ### A classifier
#
# The ridge probe fits zeros and ones, though what is asked for is a class. A **classifier** answers with
# the probability of each of the $C$ classes. Its last layer makes a logit for each class, and the
# [softmax](glossary.md#softmax) of [chapter 07](07_cross_entropy.py) turns the logits into probabilities.
# Let $Y$ hold a single 1 in each row, at the label. The loss is minus the logarithm of the probability that
# the classifier gives to the label, averaged over the examples:
#
# $$
# \begin{aligned}
# & \underset{(N, C)}{a} = \underset{(N, K)}{z} W + b, \qquad
# p_{nj} = \frac{e^{a_{nj}}}{\sum_k e^{a_{nk}}}, \qquad
# L = -\frac1N \sum_{n,j} Y_{nj} \log p_{nj} .
# \end{aligned}
# $$
#
# **Backward.** $\log p_{nj} = a_{nj} - \log \sum_k e^{a_{nk}}$. The derivative of $\log \sum_k e^{a_{nk}}$
# by $a_{ni}$ is $p_{ni}$, and that of $a_{nj}$ is $[i = j]$, which is 1 if $i = j$ and 0 otherwise. So
#
# $$
# \frac{\partial L}{\partial a_{ni}}
# = -\frac1N \sum_j Y_{nj} \big([i = j] - p_{ni}\big)
# = \frac{p_{ni} - Y_{ni}}{N} ,
# $$
#
# because each row of $Y$ adds up to 1. What is left is an ordinary backward pass: $dW = z^\top da$,
# $db = \sum_n da_n$, and $dz = da\,W^\top$ goes on into the encoder, if that is to learn too
# (*fine-tuning*). In the code $Y$ is called `target`, and $da$ is the second thing that the loss returns:

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
# Is this classifier a better probe than ridge? The next cell tries it on the autoencoder's codes with 100
# labels, again with five draws of the labels.


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
# The two accuracies differ by less than 0.1, as the assert says: the softmax makes no great difference here.
#
# ## What a bit is
#
# A code of 16 numbers in float32 has 512 bits. Does it take 512 bits to store an image? No: the
# number of bits that an image needs depends on how probable its code is, as this section derives.
#
# Let symbols $k$ have probabilities $p_k$, and write each as a word of $l_k$ bits. Words are to be
# read one after the other without commas, so no word may be the beginning of another. Now flip a coin
# for ever and read the flips as bits. They begin with word $k$ with probability $2^{-l_k}$. They
# cannot begin with two of the words, since one of the two would begin the other. Probabilities of
# events that exclude each other add up to at most 1 (**[Kraft's
# inequality](glossary.md#krafts-inequality)**):
#
# $$
# \sum_k 2^{-l_k} \le 1 .
# $$
#
# This is a budget of 1, of which a word of $l$ bits uses $2^{-l}$: a short word uses much of it. How
# is the budget spent best? The logarithm is concave, so the mean of a logarithm is at most the
# logarithm of the mean ([Jensen's inequality](mathematics.md#jensens-inequality)):
#
# $$
# \sum_k p_k \log_2 \frac{1}{p_k} - \sum_k p_k\, l_k = \sum_k p_k \log_2 \frac{2^{-l_k}}{p_k}
#     \le \log_2 \sum_k 2^{-l_k} \le 0 .
# $$
#
# So the mean length $\sum_k p_k l_k$ is at least the **[entropy](glossary.md#entropy)**
# $\sum_k p_k \log_2 (1 / p_k)$. With $l_k = -\log_2 p_k$ the two are equal ([Shannon
# 1948](bibliography.md#shannon-1948)): a symbol of probability $p$ is worth $-\log_2 p$ bits. If the
# lengths are $-\log_2 q_k$, made for another distribution $q$, the mean length is larger than the
# entropy by $\sum_k p_k \log_2 (1 / q_k) - \sum_k p_k \log_2 (1 / p_k) = \sum_k p_k \log_2 (p_k / q_k)$,
# the [KL divergence](glossary.md#kl-divergence) in bits.
#
# ### Fractions of a bit
#
# $-\log_2 p$ is seldom whole, and a word has at least one bit, however probable its symbol is. So words
# waste up to a bit for each symbol, and an image has 16 symbols. The way out is to use no words at all, and
# to put the whole message into *one* whole number $s$ ([Duda 2009](bibliography.md#duda-2009)). Let the
# probabilities be $f_k / 2^M$ with whole $f_k$ of sum $2^M$, and let $c_k$ be the sum of the $f$ before
# $f_k$. To *push* a symbol is to put it into $s$, and to *pop* it is to take it out again:
#
# $$
# \text{push: } s' = \lfloor s / f_k \rfloor\, 2^M + c_k + (s \bmod f_k), \qquad
# \text{pop: } s = f_k \lfloor s' / 2^M \rfloor + (s' \bmod 2^M) - c_k .
# $$
#
# After a push the remainder $s' \bmod 2^M$ is $c_k + (s \bmod f_k)$. It is at least $c_k$ and less than
# $c_k + f_k$, which is where the range of the next symbol begins. So the remainder tells $k$. Then
# $\lfloor s' / 2^M \rfloor$ is $\lfloor s / f_k \rfloor$, and with $s \bmod f_k$ it gives back $s$: nothing
# is lost. A push makes $s' \approx s \cdot 2^M / f_k = s / p_k$. So the number grows by a factor of
# $1/p_k$, and its length by $-\log_2 p_k$ bits, fractions included. The symbol that is pushed last is
# popped first.
#
# *Predict:* 5,000 symbols, of which nine in ten are the same, take at least 5,000 bits as words. How
# many bits, about, has the one whole number?

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
# A number of the code is not a symbol yet, because it has too many possible values. So it is rounded to a
# multiple of a step $\Delta$, and the whole number $k = \mathrm{round}(z / \Delta)$ is the symbol. Its
# probability is that of all $z$ which are rounded to it, estimated from the training images. Pushing and
# popping lose nothing, so of all that this *codec* (coder and decoder) does to the code, only rounding
# changes the reconstruction. By how much does rounding raise the error?
#
# Rounding moves each number of $z$ by a $\delta$ that is nearly evenly spread over
# $[-\Delta/2, \Delta/2]$. The mean of $\delta^2$ is then $\Delta^2 / 12$. The decoder turns the vector
# $\delta$ into a change of the image. Let $z$ have $K$ numbers and the image $D$ pixels, let $J$ be the
# $(K, D)$ matrix of the slopes $\partial \hat x_d / \partial z_k$, and let $\mathbb E$ be the
# [expectation](mathematics.md#expectation-variance-covariance) over codes:
#
# $$
# \hat x(z + \delta) \approx \hat x(z) + \delta J, \qquad
# |\delta J|^2 = \delta\, J J^\top \delta^\top, \qquad
# \underset{(K, K)}{A} = \mathbb E[J J^\top] .
# $$
#
# The error of an image becomes $|\hat x - x + \delta J|^2$. Its mixed term has the mean 0, because
# $\delta$ is as often positive as negative, whatever the image is. So rounding adds the mean of
# $\delta A \delta^\top$.
#
# A $\delta$ of the same length costs much in one direction of the code and little in another. This
# wastes bits, because in the cheap directions the steps are finer than they need to be. So round
# $t = z\,T$ instead of $z$, with $A = L L^\top$ and $T = L R$, where $R$ is any rotation. A rounding error
# $\varepsilon$ of $t$ is an error $\delta = \varepsilon\, T^{-1}$ of $z$, and
#
# $$
# \delta\, A\, \delta^\top = \varepsilon\, R^{-1} L^{-1} (L L^\top) L^{-\top} R\, \varepsilon^\top = |\varepsilon|^2 ,
# $$
#
# whose mean is $K \Delta^2 / 12$: the added error is known before any image is coded. (The library chooses
# the $R$ with which the numbers of $t$ are uncorrelated, as in PCA. This costs fewer bits, because each
# number is coded as if it were independent of the others.)
#
# *Predict:* how many bits more does an image of 16 numbers cost if the step is halved?

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
# Half the step costs one bit more for each of the 16 numbers, because each interval is cut into two parts,
# each with about half of its probability. And 512 bits are not needed: with about 70 bits (step 0.4) an image
# comes back nearly as well as from the code that was not rounded.

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
    "Squared error against bits. All three codes are rounded and coded in the same way. Farther down and to the left is better.",
)

# %%
if settled:
    for bits, error in curves["PCA, 40"]:
        at = np.interp(bits, *zip(*curves["autoencoder, 16"][::-1], strict=True))
        assert error > at

# %% [markdown]
# So far these lengths are only what $-\log_2 p$ promises. The next cell pushes all symbols into one
# number, and counts its bits. The symbols must come back exactly, and with them the images that the
# decoder makes of rounded codes. The codec is still **lossy**, because these are not the images that
# went in.

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
# The library pushes with the package constriction. It cuts the one number into words of 32 bits, so that the
# last push takes no longer than the first. `scratchae use compress RUN`
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
# Can an autoencoder compress so that the image comes back *exactly*? A VAE can do this with images of black
# and white pixels, because it gives $p(z)$, $p(x \mid z)$ and $q(z \mid x)$. A first try: choose a good
# $z$, send it with $-\log_2 p(z)$ bits, and then the image with $-\log_2 p(x \mid z)$ bits. Since
# the image itself is coded, and not replaced by $\hat x$, it comes back exactly, however bad the
# decoder is. A bad decoder only makes the message longer. But to name one $z$ of a fine grid costs many
# bits, although its neighbours would have served as well. Which of them is sent is a free choice. A
# free choice can carry a message of its own, and in this way its bits can be had back.
#
# The trick of **[bits-back coding](glossary.md#bits-back-coding)** is that *popping draws*. If $s$
# is a number whose low bits are random, then popping with the table of $q$ yields the symbol $k$
# with probability $q_k$, and makes $s$ *shorter* by $-\log_2 q_k$ bits. So the sender starts with a
# number $s$ that is there already, such as the one that holds the images before, and
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
# in bits, since $z$ is a draw from $q$: the loss of a VAE *is* the length of a message ([Hinton and van
# Camp 1993](bibliography.md#hinton-1993), [Townsend et al. 2019](bibliography.md#townsend-2019)). And by
# chapter 11, −ELBO is $-\log_2 p(x)$ plus $\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))$: a $q$ other than
# $p(z \mid x)$ costs this KL in addition, because too few bits come back.
#
# One condition is left: the low bits must be random, and they are not, because they hold the $z$ that
# was pushed last. With $q = p(z)$ a pop would yield the same $z$ again and again. So the last $M$ bits
# are mixed with random ones that both sides know (`^`, exclusive or). This costs nothing, and it is
# undone by doing it again.
#
# First an example in which every probability is known: four values of $z$, eight of $x$, and a $q$ that
# is right or wrong. *Predict:* with the right $q$, how does the length compare with the entropy of $x$?

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
# With the right $q$ the message is as long as the entropy of these symbols, but for the luck of the 4,000
# draws. With the wrong $q$ it is longer by about the KL.
#
# Now take the VAE of this chapter, and images of black and white pixels, drawn with the grey value as the
# probability of ink. The VAE's $z$ is no symbol, so it is taken from a grid of step $\Delta$, with
# $q(z \mid x)\,\Delta$ and $p(z)\,\Delta$ as probabilities. In the sum of the three lengths $\Delta$
# *cancels*, so with bits back a fine grid costs nothing. Without bits back, each halving of the step costs
# a bit for each number of $z$. *Predict:* which step of the grid is best without bits back, and how much
# longer is the message then than with bits back?

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
# All 200 images come back, pixel for pixel. But bits back gains less than a tenth over the best grid,
# because on a grid as coarse as this one there is little choice of $z$ whose bits could be had back. The
# −ELBO can also be the *score* of what is unusual, `uses.score(model, x, "elbo")`, and now we know that
# this score is a length. It has the same weakness as the reconstruction error: an empty image takes less
# than half the bits of a digit.
#
# Two things are not counted. The receiver needs the model, whose weights take many more bits than 200
# images. And the number from which the first image draws had to be there; among many images its bits
# do not matter.
#
# ## Between codes, and along one
#
# The mean of two images of different digits shows both digits at once. The mean of their *codes* is
# a code that perhaps no image has, and the decoder makes an image of it too. Is that an image of a
# digit? One measure is the squared distance to the nearest training image.
#
# *Predict:* which middle is nearest to a training image, that of the pixels, of the autoencoder's codes
# or of the VAE's? Is the best of them as near as a test image that was only rebuilt?

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
    "From one test image to another in even steps of the code; last row, in even steps of the pixels. Look at the middle of each row: is it one digit, or two at once?",
)

# %% [markdown]
# The middle of two codes is nearer to real images than the middle of the pixels, and the middle of the
# VAE's codes is nearest. A VAE gives each image a cloud $q$ instead of a point, and clouds that touch
# leave fewer holes between them ([chapter 11](11_variational.py)). But even this middle is farther from
# real images than the rebuilt ends are. No code can mend that, since between a 0 and a 2 there is no
# digit.
#
# What does one number of the code stand for? Move it alone, from its 1st to its 99th percentile,
# and look at the images. `traverse` begins with the numbers that change the image most, because some
# change nothing. *Predict:* will there be one number for the slant and one for the width?

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
    "In each row one number of the code is moved, and all others are kept. Look for a row in which only one property of the digit changes.",
)

# %% [markdown]
# No number stands for the slant or the width alone: most numbers change several things at once, and the
# image at the end of a row need not be a digit. This is no surprise, because nothing in the loss asks
# that a number stand for something we have a word for. The
# [normal](mathematics.md#density-and-the-normal-distribution) prior $\mathcal N(0, I)$ is the
# same after any rotation of the code, so it prefers no axes. (A $q$ with independent numbers does
# prefer some axes, but it does not know for which properties we have words.)
#
# ## Choosing
#
# Which code size, learning rate and number of epochs are best? One tries some settings and compares
# the errors, but on which images? The next cell draws ten settings at random and trains each of them
# on only 400 images.
#
# *Predict:* which code size will have the smallest error on these 400 images? Will the same setting be
# best on new images?

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
# Every net has a smaller error on the images that it was fitted to than on others. The gap is more than twice
# as large for some nets as for others: the nets with a large gap have learned the 400 images rather than
# what such images have in common. So the training error cannot judge between nets.
#
# Then why not choose by the test images, to which no net was fitted? Because **choosing is
# fitting**. Let $e_i$ be the true error of setting $i$, the mean over all images there could be. The
# validation error $v_i$ is the mean over a few images that were drawn, so it is $e_i$ plus luck, and the
# mean of the luck is 0: $\mathbb E[v_i] = e_i$. The least of the $v_i$ is at most as large as any of
# them, so
#
# $$
# \mathbb E\big[\min_i v_i\big] \le \min_i \mathbb E[v_i] = \min_i e_i :
# $$
#
# on average the winner's own validation error is smaller than the true error of the *best* setting, because
# the winner is partly the one that had luck. It is right to choose by the validation error. It is a mistake
# to report the winner's validation error as its true error. How large is the mistake? The next cell lets
# only ten validation images choose, 2,000 times over, and compares what is reported with what is true.

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
# The reported error is smaller than the error of the best setting there is, and the true error of the
# winners is larger. That is why there are three sets of images, and why the test set is looked at
# once. `scratchae search deep --over code=8..128 --over lr=1e-4..1e-2 --trials 20` does such a search
# for any preset and any data of yours. It compares on validation images only, and can be stopped and
# continued.
#
# ## Exercises
#
# 1. **While reading.** A detector has an AUC of 0.1. Is it useless? After *Every line at once*. ★, 2 minutes.
# 2. **While reading.** Compute the AUC from scores, by pairs, where a pair of equal scores counts ½, and in
#    fewer than $PQ$ steps if you like. After *Every line at once*. ★, 10 minutes.

# %%
exercise("17_auc")

# %% [markdown]
# 3. **Derive** the number of bits that rounded numbers cost if they are normal. What is the probability of
#    a whole number $k$, and what does half the step cost? After *Compression for real*. ★★, 20 minutes.

# %%
exercise("17_bits")

# %% [markdown]
# 4. **Derive.** One example in 1,000 is unusual, and a limit finds three of ten of these. How rare must
#    false alarms be so that half of the alarms are true? After *Every line at once*. ★, 5 minutes.
# 5. **While reading.** A friend reports that his autoencoder compresses images of 784 bytes to 16 numbers,
#    "a factor of 49". Name two costs that he has counted too low, and one that he could make lower. After
#    *Compression for real*. ★, 5 minutes.
# 6. **Explore.** Fool a detector. Train on all digits but one, as above. Find a picture with 100 or more
#    dark pixels that is no digit, and that has a score below the 0.9 quantile of the usual test images. A
#    start: take noise, and go down the gradient of the score in the *pixels*. How does the picture look?
#    Then try to mend the detector without losing AUC: a smaller code, noise in training, −ELBO. The folded
#    cell finds such pictures without a gradient. After *Where it fails*. ★★★, 40 minutes.

# %% tags=["hide-cell"]
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
# <details><summary>Answers</summary>
#
# 1\. No: take minus its score, which puts the pairs in the opposite order. It has an AUC of 0.9.
#
# 4\. Half of the alarms are true if $\pi t = (1 - \pi) f$. With $\pi = 0.001$ and $t = 0.3$ this is
# $f = 0.0003 / 0.999 \approx 0.0003$: about three false alarms among 10,000 usual examples.
#
# 5\. 16 numbers in float32 are 64 bytes, so the factor is 12. The receiver needs the decoder, which has to
# be stored as well. (And the images do not come back exactly.) On the other hand, rounding and coding would
# bring the 64 bytes down, here to about 9.
#
# </details>

# %% tags=["hide-cell"]
f = 0.001 * 0.3 / 0.999
assert np.isclose(0.001 * 0.3 / (0.001 * 0.3 + 0.999 * f), 0.5) and round(f, 4) == 0.0003
assert round(784 / 64) == 12 and (round(promised / 8) in (8, 9) or not settled)

# %% [markdown]
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
