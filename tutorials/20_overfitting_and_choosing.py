# %% [markdown]
# # 20 · Overfitting and choosing
#
# *The loss falls and falls. When is a net good, and how do you choose without fooling yourself?*
#
# **Time** 60 minutes to read, 45 s to run on two cores.

# %% [markdown]
# ## The question
#
# A net is trained on some examples and used on others. A small loss on its training examples does not say
# that the net is good on others, since it may have learned these examples one by one, instead of what such
# examples are like. That is **[overfitting](glossary.md#overfitting)**. Everybody who trains a net asks the same five
# questions: how do I see overfitting, when do I stop, what helps against it, how do I search for good
# settings, and what may I report at the end? This chapter measures an answer to each.
#
# One rule holds throughout. *Training* images are for gradients. *Validation* images are for every choice.
# *Test* images are looked at once, at the end of this chapter, when nothing is left to choose.

# %%
import dataclasses
import math

import numpy as np

import scratchae as sae
from scratchae import plots, uses
from scratchae.data import named_examples, pixels
from scratchae.optimizers.descent import adam
from scratchae.runs.searching import trial, trials_of
from scratchae.training.keeping import Best
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

data = dataset()  # strokes, or what --data names
# what one sees is asserted where it was seen: on strokes, with the full training
settled = data_name() == "strokes" and quick(True, False)
x = pixels(data.train_images[:-2000])
valid = pixels(data.train_images[-2000:])[: quick(500, 200)]
test = pixels(data.test_images[:2000])


def network(code=8, hidden=64, seed=0, noise=0.0, dropout=0.0):
    """784-hidden-code-hidden-784, with noise on the input and dropout on hidden units."""
    draw = np.random.default_rng(seed)

    def half(inputs, outputs, *end):
        return (
            *(
                sae.Dense(inputs, hidden, init="he", rng=draw),
                sae.ReLU(),
                sae.Dropout(dropout),
            ),
            *(sae.Dense(hidden, outputs, rng=draw), *end),
        )

    encoder = sae.Sequential(sae.GaussianNoise(noise), *half(784, code))
    decoder = sae.Sequential(*half(code, 784, sae.Sigmoid()))
    return sae.Autoencoder(encoder, decoder, loss=sae.MSE())


def fit(model, images, epochs, decay=0.0, **options):
    """Adam with a constant learning rate, 50 images at a time."""
    how = sae.Adam(2e-3, weight_decay=decay)
    options |= {"epochs": epochs, "batch_size": 50, "optimizer": how, "progress": False}
    return sae.fit(model, images, **options)


def error(model, images):
    """The squared error of each image, (N,), without noise and without dropout."""
    return ((uses.rebuild(model, images) - images) ** 2).sum(axis=1)


# %% [markdown]
# ## How many images
#
# Train the same net, 784-64-16-64-784, for the same number of *steps* on more and more images.
#
# *Predict (★, 1 minute):* with more images, does the training error rise or fall? And the validation error?

# %%
sizes = quick((50, 100, 200, 400, 800, 1600, 3200), (50, 400, 3200))
steps = quick(1000, 200)
by_size = []
print("images   training   validation   error per image")
for count in sizes:
    model = network(code=16)
    fit(model, x[:count], steps * 50 // count)
    by_size.append((error(model, x[:count]).mean(), error(model, valid).mean()))
    print(f"{count:6,} {by_size[-1][0]:10.2f} {by_size[-1][1]:12.2f}")
training, validation = np.array(by_size).T
assert validation[-1] < validation[0] and training[-1] > training[0]
if settled:
    assert (np.diff(validation) < 0).all()
    assert (validation - training)[0] > 5 * (validation - training)[-1]

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
axes.plot(sizes, validation, "o-", color=plots.BLUE, label="validation")
axes.plot(sizes, training, "s--", color=plots.RED, label="training")
axes.set(xscale="log", xlabel="training images", ylabel="squared error per image")
axes.set_xticks(sizes, [f"{count:,}" for count in sizes])
axes.minorticks_off()
axes.set_ylim(0)
axes.legend()
show(
    drawn,
    "sizes",
    "Two curves against the number of training images: validation error falls from above 40 to about 11, training error starts near 6 and rises slowly to about 10.",
    "The gap between the curves is the overfitting. Look at how it closes: from above and from below.",
)

# %% [markdown]
# With few images the training error is small, because the net can learn them one by one, and the validation
# error is large. Each further image makes the task harder, so that the training error mostly rises. Each
# further image also tells more about what such images are like, so that the validation error falls. The two
# curves come closer to each other.
#
# This picture is the first thing to draw when a net is not good enough, because it says which of two
# remedies will help. A wide gap means that there are too few data for this net, and the rest of this chapter
# shows what helps. No gap means that more data will hardly help, and a larger net, longer training or a
# better learning rate may help.
#
# ## How large a code
#
# A code with few numbers is said to force a net to learn what matters, since it has no room to memorise.
# Here are 300 images, and codes from 1 number to 64.
#
# *Predict (★, 1 minute):* for which codes will the gap between training and validation be widest?

# %%
codes = quick((1, 2, 4, 8, 16, 32, 64), (1, 4, 32))
by_code = []
print("code   training   validation   gap")
for code in codes:
    model = network(code)
    fit(model, x[:300], quick(140, 30))
    by_code.append((error(model, x[:300]).mean(), error(model, valid).mean()))
    train_error, valid_error = by_code[-1]
    print(
        f"{code:4d} {train_error:10.2f} {valid_error:12.2f} {valid_error - train_error:6.2f}"
    )
training, validation = np.array(by_code).T
gap = dict(zip(codes, validation - training, strict=True))
if settled:
    assert gap[4] > 1.2 * gap[32] and validation[-1] == validation.min()

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
axes.plot(codes, validation, "o-", color=plots.BLUE, label="validation")
axes.plot(codes, training, "s--", color=plots.RED, label="training")
axes.set(xscale="log", xlabel="numbers in the code", ylabel="squared error per image")
axes.set_xticks(codes, [str(code) for code in codes])
axes.minorticks_off()
axes.set_ylim(0)
axes.legend()
show(
    drawn,
    "codes",
    "Two curves against the size of the code. Both start near 45 at one number. Training error falls fast to about 5, validation error follows slowly down to about 16.",
    "300 images. Look at the distance between the curves: it is largest at 4 and 8 numbers.",
)

# %% [markdown]
# The gap is wider for codes of 4 and 8 numbers than for 32 and 64, and the largest code has the smallest
# validation error. (With one number the net has not learned even the training images in this time.) So a
# narrow code is no protection against memorising. Why not? Count what a code of *one* number can do. Let
# $z_n = x_n w$ with any vector $w$ $(D, 1)$ that makes the $N$ codes different, and let the images be
# sorted by their code. A decoder with one layer of $N - 1$ ReLUs and with vectors $s_i$ of $D$ weights,
#
# $$
# \underset{(D)}{\hat x(z)} = x_1 + \sum_{i=1}^{N-1} s_i \, \max(z - z_i,\, 0) ,
# $$
#
# is a broken line through $D$-dimensional space, whose direction changes by $s_i$ at $z_i$. Between $z_i$
# and $z_{i+1}$ it has the direction $s_1 + \dots + s_i$, because the ReLUs after $i$ are 0 there. Let
#
# $$
# s_1 + \dots + s_i = \frac{x_{i+1} - x_i}{z_{i+1} - z_i} \qquad \text{for all } i .
# $$
#
# Then the line goes from $x_1$ to $x_2$, on to $x_3$, and so on: it passes through *every* training image
# exactly. The images are stored in the decoder's weights, and the one number of the code says only where to
# look.

# %%
few = x[:300].astype(np.float64)
w = np.random.default_rng(0).standard_normal(784)
z = np.sort(few @ w)
few = few[np.argsort(few @ w)]
directions = np.diff(few, axis=0) / np.diff(z)[:, None]  # (N - 1, D)
s = np.diff(directions, axis=0, prepend=0)


def memory(images):
    """What the broken line makes of images: an autoencoder with one number in its code."""
    z_new = images @ w
    return few[0] + np.maximum(z_new[:, None] - z[:-1], 0) @ s


missed = [((memory(images) - images) ** 2).sum(axis=1) for images in (few, valid)]
mean_image = ((few.mean(axis=0) - valid) ** 2).sum(axis=1).mean()
print(f"training error {missed[0].max():.0e} at most")
print(
    f"validation error: median {np.median(missed[1]):.0f}; the mean image {mean_image:.0f}"
)
assert missed[0].max() < 1e-9 and np.median(missed[1]) > 1.3 * mean_image

# %% tags=["hide-input"]
rows = {
    "training images": few[:8],
    "by the line": memory(few[:8]),
    "new images": valid[:8],
    "by the line ": memory(valid[:8]),
}
show(
    lambda path: plots.image_rows(
        {name: each.clip(0, 1).reshape(-1, 28, 28) for name, each in rows.items()}, path
    ),
    "memory",
    "Four rows of eight digits. The first two rows are the same. The third are other digits, and the fourth, what the line makes of them, has overlays of two digits that have nothing to do with them.",
    "One number in the code. Training images come back exactly, and of a new image the line makes a mixture of the two training images whose codes are next to its own.",
)

# %% [markdown]
# An autoencoder with one number in its code gives back 300 images without an error, and on a new image it
# is worse than a net that always answers with the mean image. So the width of the code does not limit what
# a net can memorise. The number of its parameters does: the line needs $N - 1$ ReLUs with $D$ weights each,
# which is room for all images. The width of the code limits something else, namely how well a net can
# describe a *new* image, and for that a wider code was better.
#
# ## Stopping early
#
# Watch the validation loss during training, and keep the parameters of the epoch in which this loss was
# least. That is **[early stopping](glossary.md#early-stopping)**. It costs a measurement after each epoch,
# and it saves the epochs that would have come later.
#
# *Predict (★, 1 minute):* a code of 8, 300 images, 180 epochs. In which epoch is the validation loss least?

# %%
long = quick(180, 50)
history = fit(network(), x[:300], long, validation=valid)
training, validation = (np.array(history[name]) for name in ("loss", "validation_loss"))
best = int(validation.argmin())
rises = np.mean(np.diff(validation[: best + 1]) > 0)
print(f"best epoch {best + 1} of {long}: validation loss {validation[best]:.2f}")
print(f"last epoch: {validation[-1]:.2f}, while the training loss is {training[-1]:.2f}")
print(
    f"on the way to the best epoch, {rises:.0%} of the epochs ended worse than the one before"
)
if settled:
    assert training[-1] < training[best]
    assert best < 0.6 * long and validation[-1] > 1.08 * validation[best] and rises > 0

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
epochs = np.arange(1, long + 1)
axes.plot(epochs, validation, "-", color=plots.BLUE, label="validation")
axes.plot(epochs, training, "--", color=plots.RED, label="training")
axes.plot(best + 1, validation[best], "o", color=plots.BLUE, label="best epoch")
axes.set(xlabel="epoch", ylabel="squared error per image", ylim=(0, 60))
axes.legend()
show(
    drawn,
    "epochs",
    "Training loss falls through all epochs. Validation loss falls at first, has its minimum, which is marked, and then rises with small ups and downs.",
    "Look at the validation loss after the mark: it rises while the training loss goes on falling.",
)

# %% [markdown]
# ### How patient to be
#
# The curve is not smooth: steps are noisy, so the validation loss rises now and then before its minimum.
# Whoever stops at the first rise stops too early. So one waits: stop when $p$ epochs in a row have not been
# better than the best so far, and go back to the best. This number $p$ is the **patience**. The recorded
# curve tells what each patience would have done:


# %%
def stopped(losses, patience):
    """The epochs that are trained, and the best of them, both counted from 1."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best == patience:
            break
    return epoch + 1, best + 1


source(Best)
print("patience   epochs trained   best epoch   its validation loss")
for patience in (1, 2, 5, 10, 20, 40):
    trained, kept = stopped(validation, patience)
    print(f"{patience:8d} {trained:16d} {kept:12d} {validation[kept - 1]:20.2f}")
wait = 10
again = network()
seen = fit(again, x[:300], long, validation=valid, patience=wait)
assert (len(seen), int(np.argmin(seen["validation_loss"])) + 1) == stopped(validation, wait)
assert np.isclose(
    error(again, valid).mean(), validation[stopped(validation, wait)[1] - 1], rtol=1e-4
)
if settled:
    assert stopped(validation, 1)[1] < best + 1
    assert validation[stopped(validation, wait)[1] - 1] < 1.01 * validation[best]

# %% [markdown]
# `fit(…, validation=valid, patience=10)` stops early, and the last lines check that it stops where the table
# says. A patience of 1 gives up at the first rise. A patience of ten epochs costs ten epochs, and its loss is
# less than 1 % above the best. [Prechelt 1998](bibliography.md#prechelt-1998) compares such rules on many
# problems and finds the same exchange: slower rules stop at slightly better places, and take much longer.
#
# ### "Until convergence"
#
# A recipe that says "train until convergence" does not say by which rule to stop. It could mean one of
# three:
#
# - *The training loss has stopped falling.* With a constant learning rate it never stops altogether,
#   because [a batch's gradient is noisy](04_optimizers.py). The cell below prints by how much this loss
#   fell in the last quarter of the run above, long after the best epoch. So this rule says when the optimizer is
#   done, and not when the net is good.
# - *The gradient is 0.* On a batch the gradient is never 0, for the same reason.
# - *The validation loss has not improved for $p$ epochs.* This is a rule that can be written down: what was
#   measured, on which images, how long one waited, and the largest number of epochs that was allowed.
#
# A learning rate that falls to 0 on a schedule, as in most of this book's presets, needs no such rule,
# because the schedule ends. There the number of epochs is a setting like others, and it is chosen on
# validation images. Do not combine such a schedule with a short patience, which may stop before the rate has
# fallen.

# %%
quarter = long // 4
fell = 1 - training[-10:].mean() / training[-quarter : -quarter + 10].mean()
print(f"over the last quarter the training loss fell by {fell:.1%}")
assert fell > 0

# %% [markdown]
# ## Weight decay
#
# The broken line that memorises has large weights $s_i$, because it turns small differences between codes
# into large differences between images. So make large weights costly, and shrink all parameters a little in
# each step, by a factor that a strength $\lambda$ and the learning rate $\eta$ determine:
#
# $$
# \theta \leftarrow (1 - \eta\lambda)\,\theta - \eta\, g .
# $$
#
# Here $g$ is the gradient of the loss. This is **[weight decay](glossary.md#weight-decay)**. For gradient
# descent it is the same as adding the penalty $\frac\lambda2 \|\theta\|^2$ to the loss, called L2: the penalty's gradient is $\lambda\theta$,
# and $\theta - \eta(g + \lambda\theta)$ is the line above.
#
# **What shrinks, and what does not.** Near a minimum $\theta^*$ take the loss to second order
# ([Taylor's theorem](mathematics.md#taylors-theorem)), in the directions in which its
# [Hessian](mathematics.md#gradient-jacobian-hessian) is diagonal, with curvatures $h_i$. Where decay and
# gradient balance,
#
# $$
# h_i (\theta_i - \theta_i^*) + \lambda\theta_i = 0
# \qquad\Rightarrow\qquad
# \theta_i = \frac{h_i}{h_i + \lambda}\; \theta_i^* .
# $$
#
# A direction in which the loss is steep, $h_i \gg \lambda$, keeps its value. One to which the data are
# nearly indifferent, $h_i \ll \lambda$, goes to 0. So decay gives up the values that so few data cannot
# determine reliably.
#
# **Stopping early does nearly the same.** Gradient descent from $\theta = 0$ multiplies the distance to
# $\theta_i^*$ by $1 - \eta h_i$ in each step ([chapter 04](04_optimizers.py)), so after $t$ steps
#
# $$
# \theta_i = \big(1 - (1 - \eta h_i)^t\big)\; \theta_i^* \approx \big(1 - e^{-u}\big)\,\theta_i^* , \qquad u = \eta t h_i .
# $$
#
# With $\lambda = 1 / (\eta t)$ decay's factor is $u / (u + 1)$. Both factors are $\approx u$ for small $u$, and
# $\approx 1$ for large $u$. So in both cases the flat directions stay near 0, and the steep ones reach
# their minimum. The number of steps acts like $1/(\eta\lambda)$
# ([Goodfellow et al. 2016](bibliography.md#goodfellow-2016), section 7.8).

# %%
u = np.geomspace(1e-3, 1e3, 601)
by_stopping, by_decay = -np.expm1(-u), u / (1 + u)
apart = np.abs(by_stopping - by_decay)
print(
    f"the two factors differ by at most {apart.max():.2f}, at u = {u[apart.argmax()]:.1f}"
)
assert apart.max() < 0.21 and (np.diff(by_stopping) >= 0).all()
η, h, t = 0.01, np.array([0.05, 1.0, 20.0]), 100
theta = np.zeros(3)
for _ in range(t):
    theta -= η * h * (theta - 1)
assert np.allclose(theta, 1 - (1 - η * h) ** t)

# %% [markdown]
# ### With Adam, L2 is not decay
#
# [Adam](04_optimizers.py) divides the gradient by the root of a running mean of its square. Put the
# penalty's gradient into it, $g + \lambda\theta$, and the penalty is divided as well:
#
# $$
# \theta \leftarrow \theta - \eta\, \frac{\hat m}{\sqrt{\hat v}}, \qquad
# \hat m \approx \overline{g} + \lambda\theta, \qquad \hat v \approx \overline{(g + \lambda\theta)^2}
# $$
#
# (a bar is a running mean). Two cases show what becomes of $\lambda$:
#
# - *A parameter with large gradients*, $\sqrt{\hat v} \approx |g| \gg \lambda|\theta|$. It shrinks by
#   $\eta\lambda\theta / \sqrt{\hat v}$, so the larger its gradients are, the less it shrinks. But
#   $\lambda\theta$ was meant to shrink all parameters by the same factor.
# - *A parameter without any gradient*, $g = 0$. Then
#   $\hat m / \sqrt{\hat v} \approx \lambda\theta / (\lambda|\theta|) = \pm 1$: it moves towards 0 by $\eta$ in
#   each step, **whatever $\lambda$ is**.
#
# The remedy is **decoupled** weight decay, AdamW
# ([Loshchilov and Hutter 2019](bibliography.md#loshchilov-2019)): shrink first, and give Adam $g$ alone. That
# is what `Adam(…, weight_decay=λ)` does in this library. The first of the `coefficients` is
# $1 - \eta\lambda$, named `keep`, and the line `θ *= keep` shrinks the parameters by it:

# %%
source(sae.Adam.coefficients, adam)

# %% [markdown]
# The second case is not rare. A pixel that is black in all training images has $x = 0$, so its row of the
# encoder's $dW = x^\top da$ is 0 in every step.
#
# *Predict (★, 1 minute):* how do such rows shrink in 300 steps of Adam with L2, with $\lambda = 0.01$ and with
# $\lambda = 1$?

# %%
images = x[:300]
dead = (images == 0).all(axis=0)
turns, η = quick(300, 60), 1e-3


def norms(λ, decoupled):
    """The size of the encoder's weights of black pixels, after each step."""
    model = network()
    optimizer = sae.Adam(η, weight_decay=λ if decoupled else 0.0)
    W, rows = model.encoder.layers[1].W, []
    draw = np.random.default_rng(0)
    for _ in range(turns):
        model.training_step(images[draw.integers(len(images), size=50)], draw)
        penalty = 0 if decoupled else np.float32(λ) * model.parameters
        optimizer.update(model.parameters, model.gradient + penalty)
        rows.append(np.abs(W[dead]).mean())
    return np.array(rows)


shrunk = {
    (λ, name): norms(λ, decoupled)
    for name, decoupled in (("L2 in Adam", False), ("decoupled", True))
    for λ in (0.01, 1.0)
}
print(f"{dead.sum()} of 784 pixels are black in all 300 images; the mean |W| of their rows")
for (λ, name), sizes_of in shrunk.items():
    print(
        f"  {name:<11} λ = {λ:<5g} after {turns} steps"
        f" {sizes_of[-1] / sizes_of[0]:7.2%} of the first"
    )
at = quick(30, 30)
assert dead.sum() > 20 or data_name() != "strokes"
if dead.any():
    assert np.allclose(
        shrunk[0.01, "L2 in Adam"][:at], shrunk[1.0, "L2 in Adam"][:at], rtol=0.03
    )
    for λ in (0.01, 1.0):
        expected = shrunk[λ, "decoupled"][0] * (1 - η * λ) ** np.arange(turns)
        assert np.allclose(shrunk[λ, "decoupled"], expected, rtol=1e-3)

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
looks = ("-", plots.RED), (":", "black"), ("-.", plots.BLUE), ("--", plots.BLUE)
for ((λ, name), sizes_of), (line, colour) in zip(shrunk.items(), looks, strict=True):
    axes.plot(
        np.arange(1, turns + 1), sizes_of, line, color=colour, label=f"{name}, λ = {λ:g}"
    )
axes.set(xlabel="step", ylabel="mean |W| of black pixels")
axes.legend()
show(
    drawn,
    "decay",
    "Mean absolute weight against the step. The two curves of L2 in Adam lie on each other and fall to 0 within 200 steps. Of the decoupled ones, one is level and one falls slowly.",
    "Look at the two curves of L2: a hundred times the λ, and the same fall. Decoupled, each falls by its own rate.",
)

# %% [markdown]
# ## Dropout
#
# **[Dropout](glossary.md#dropout)** sets each hidden unit to 0 with probability $p$, anew in each step, so
# that no unit can rely on a few others ([Srivastava et al. 2014](bibliography.md#srivastava-2014)). Let
# $m$ $(N, H)$ hold independent zeros and ones, which are 1 with probability $1 - p$. Then
#
# $$
# \underset{(N, H)}{y} = \frac{x \odot m}{1 - p} .
# $$
#
# **Why divide by $1 - p$?** In use nothing is dropped, and the next layer should see inputs of the size that
# it was trained with. The [expectation](mathematics.md#expectation-variance-covariance) of $m$ is $1 - p$,
# and of $m^2 = m$ as well, so
#
# $$
# \begin{aligned}
# \mathbb E[y] &= \frac{x\, \mathbb E[m]}{1 - p} = x , \\
# \operatorname{Var}[y] &= \frac{x^2 \big(\mathbb E[m^2] - \mathbb E[m]^2\big)}{(1 - p)^2}
# = \frac{x^2 (1 - p)\, p}{(1 - p)^2} = \frac{p}{1 - p}\, x^2 .
# \end{aligned}
# $$
#
# So with the factor $1/(1 - p)$ the next pre-activation $a = yW + b$ has the mean $xW + b$ in training,
# which is its value in use. Without the factor the mean in training would be $(1 - p)\,xW + b$. Only this
# first pre-activation is right on average: the layers after it are not linear, and the mean of such a
# function is not the function of the mean ([Jensen's inequality](mathematics.md#jensens-inequality)).
#
# **Backward.** $m$ is drawn before the step and held still, so $y$ is $x$ times a constant, element by
# element:
#
# $$
# y = x \odot \frac{m}{1 - p} \qquad\Rightarrow\qquad dx = dy \odot \frac{m}{1 - p} ,
# $$
#
# with *the same* $m$. A unit that was dropped had no influence, so it gets no gradient. The library keeps
# $m / (1 - p)$ as `mask`:

# %%
source(sae.Dropout.draw, sae.Dropout.forward, sae.Dropout.backward)
layer, p = sae.Dropout(0.3), 0.3
one = np.linspace(-2, 2, 5)
draw = np.random.default_rng(0)
many = np.array([layer.forward(one, draw) for _ in range(20_000)])
print("x             ", one)
print("mean of y     ", many.mean(axis=0).round(2))
print(
    "variance of y ",
    many.var(axis=0).round(2),
    " by the formula",
    (p / (1 - p) * one**2).round(2),
)
assert np.allclose(many.mean(axis=0), one, atol=0.05)
assert np.allclose(many.var(axis=0), p / (1 - p) * one**2, atol=0.1)
y, dy = layer.forward(one, draw), np.ones(5)
assert (
    np.array_equal(layer.backward(dy) == 0, layer.mask == 0) and layer.forward(one) is one
)
assert sae.check_gradients(layer, one[None]).passed

# %% [markdown]
# ## What to try first
#
# Now all remedies are compared on one problem: 300 images, a code of 8, 180 epochs. The error is that of
# validation images, without noise and dropout. "Shifted images" are nine copies of each image, moved by
# −1, 0 or 1 pixel down and to the right, and the net is trained on them for as many steps as the others. For
# decay, dropout and noise several strengths were tried before, and the one with the least validation error
# stands here.
#
# *Predict (★, 2 minutes):* read the names of the `recipes` in the cell, and write them down in the order of
# their errors, the best first.

# %%
pictures = x[:300].reshape(-1, 28, 28)
shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
shifted = np.concatenate([np.roll(pictures, by, (1, 2)) for by in shifts]).reshape(-1, 784)
recipes = {
    "nothing": (network(), x[:300], 0.0),
    "a smaller net, 784-16-8-…": (network(hidden=16), x[:300], 0.0),
    "weight decay, λ = 1": (network(), x[:300], 1.0),
    "dropout, p = 0.1": (network(dropout=0.1), x[:300], 0.0),
    "noise on the input, σ = 0.5": (network(noise=0.5), x[:300], 0.0),
    "four times the images": (network(), x[:1200], 0.0),
    "shifted images": (network(), shifted, 0.0),
    "code 32": (network(code=32), x[:300], 0.0),
}
if quick(False, True):
    recipes = {name: recipes[name] for name in ("nothing", "four times the images")}
found = {}
for name, (model, images, decay) in recipes.items():
    fit(model, images, max(long * 300 // len(images), 1), decay)
    found[name] = error(model, valid).mean()
found["stopping early, patience 20"] = validation[stopped(validation, 20)[1] - 1]
print("what                           validation error     change")
for name, value in sorted(found.items(), key=lambda item: item[1]):
    print(f"{name:<30} {value:16.2f} {value / found['nothing'] - 1:10.0%}")
assert found["four times the images"] < found["nothing"]
if settled:
    of_images = ("shifted images", "four times the images")
    noisy = ("noise on the input, σ = 0.5", "dropout, p = 0.1", "weight decay, λ = 1")
    stopping = found["stopping early, patience 20"]
    most, middle = max(found[name] for name in of_images), [found[name] for name in noisy]
    assert found["code 32"] < most < 0.9 * min(middle) and max(middle) < 1.15 * min(middle)
    assert max(middle) < stopping < found["a smaller net, 784-16-8-…"] < found["nothing"]

# %% [markdown]
# Read the table like this:
#
# - *More images* help more than anything else that leaves the net as it is. Images that one makes from
#   others help too, because a shifted stroke is a stroke. Such **[augmentation](glossary.md#augmentation)**
#   tells the net something that is true of the data and that the net could not know. So ask first what may
#   be changed in an example so that it stays an example.
# - *A larger code* helps even more here, because 8 numbers say little about a new image. If the size of the
#   code is given, this is no remedy.
# - *Noise, dropout and decay* come next, and are not far apart. None of them needs to know anything about
#   the data. Try the one that takes the least of your time, and then try several strengths of it.
# - *Stopping early* gains least of what helps, and it is free. It can be combined with all others.
# - *A smaller net* has hardly helped. It fits the training images worse, and the new ones no better.
#
# The order is that of this problem: few images, a small net. What carries over is the way to find the
# order, and that each line is a figure on validation images.
#
# ## Random against grid search
#
# Settings such as the learning rate cannot be learned by going down a gradient, so one tries some and
# compares. Which ones? With nine trials and two settings a *grid* takes three values of each and all nine
# pairs. A *random* search draws nine pairs.
#
# Suppose that only one of the settings matters, and that a share $f$ of its range is good. The grid has
# tried it at three values only, each of them three times. Random trials have nine different values of it.
# In general, with $n$ trials and $d$ settings the grid has $n^{1/d}$ values of each setting, which are
# $1 / n^{1/d}$ of the range apart. Shift the whole grid by a random amount, since nobody knows where the good
# part lies. Then the probabilities to hit the good part at least once are
#
# $$
# P_{\text{grid}} = \min\big(1,\; n^{1/d} f\big), \qquad P_{\text{random}} = 1 - (1 - f)^n .
# $$
#
# For the grid this is because a good part of the length $f$ holds one of its values for a share
# $f \big/ \frac{1}{n^{1/d}} = f\, n^{1/d}$ of all shifts. For random trials it is because each misses with
# probability $1 - f$, independently. The probability for random trials does not depend on $d$:
# settings that do not matter cost nothing ([Bergstra and Bengio 2012](bibliography.md#bergstra-2012)).

# %%
n, draw = 9, np.random.default_rng(0)
print("good part   grid, 1 setting   grid, 2   grid, 3   random")
for f in (0.02, 0.1, 0.3, 0.5):
    by_grid = [min(1, round(n ** (1 / d)) * f) for d in (1, 2, 3)]
    by_random = 1 - (1 - f) ** n
    print(
        f"{f:9.0%} {by_grid[0]:17.2f} {by_grid[1]:9.2f} {by_grid[2]:9.2f} {by_random:8.2f}"
    )
    start = draw.uniform(size=4000)  # of the good part, on a circle
    hit = {
        "grid, 2": (
            (np.arange(3) / 3 + draw.uniform(size=(4000, 1)) - start[:, None]) % 1 < f
        ),
        "random": ((draw.uniform(size=(4000, 9)) - start[:, None]) % 1 < f),
    }
    assert abs(hit["grid, 2"].any(axis=1).mean() - by_grid[1]) < 0.04
    assert abs(hit["random"].any(axis=1).mean() - by_random) < 0.04

# %% [markdown]
# Read the table both ways. With one setting the grid is better, because its values keep their distance and
# random ones do not. With two or more settings, random search is better as soon as the good part is small,
# and that is when searching is hard.
#
# Is it true that only one setting matters? The cell takes forty trials with the library's own `trial`, as
# `scratchae search` does, on the same 300 images. The learning rate is drawn from 0.0001 to 0.03 and the
# size of the code from 6 to 12, both evenly in the logarithm.

# %%
source(trials_of)
given = named_examples(data_name())
given = dataclasses.replace(
    given, train=x[:300], validation=valid, test=test[:1], kept={}, told=()
)
space = {
    "hidden": ["64"],
    "lr": {"low": 1e-4, "high": 3e-2},
    "code": {"low": 6, "high": 12},
}
tried = trials_of(space, quick(40, 6), seed=0)
figures = np.array(
    [
        trial("deep-linear-code", given, settings, quick(40, 10), 0, None)["figure"]
        for settings in tried
    ]
)
lr, code = (np.array([settings[name] for settings in tried]) for name in ("lr", "code"))
for i in figures.argsort()[:5]:
    print(f"lr {lr[i]:.4f}, code {code[i]:2d}: validation error {figures[i]:.2f}")
spread = {}
for name, values in (("lr", np.log(lr)), ("code", code)):
    order = np.argsort(values, kind="stable")
    # what is left of the variance between trials whose values are next to each other
    spread[name] = (np.diff(figures[order]) ** 2).mean() / 2 / figures.var()
    print(
        f"{name:>4}: neighbours differ by {spread[name]:.0%} of the variance of all trials"
    )
assert spread["lr"] < 0.3 < spread["code"] or not settled

# %% tags=["hide-input"]
drawn, panels = figure(7, 3.2, columns=2, sharey=True)
for axes, values, name in zip(
    panels, (lr, code), ("learning rate", "numbers in the code"), strict=True
):
    axes.plot(values, figures, "o", color=plots.BLUE, markersize=4)
    axes.set(xlabel=name)
panels[0].set(xscale="log", ylabel="validation error")
panels[1].set_xticks(range(6, 13))
show(
    drawn,
    "search",
    "The same trials in two panels. Against the learning rate their errors fall along a curve that is lowest near 0.01; against the size of the code they are a cloud without a shape.",
    "The same trials twice. Look at which of the two settings the error follows.",
)

# %% [markdown]
# Against the learning rate the trials lie along a curve, and against the code they are a cloud. So of these
# two settings mostly one matters, though nobody knew before which one. The trials also tell what a grid
# would have found: take the curve of the error against the learning rate, and search on this curve 4,000
# times.

# %%
order = np.argsort(lr)
draw = np.random.default_rng(0)


def best_found(places):
    """The least error of each search. places (S, n): of its rates in the range, 0 to 1."""
    logs = np.log(1e-4) + places * np.log(300)
    return np.interp(logs, np.log(lr[order]), figures[order]).min(axis=1)


by_grid = best_found((np.arange(3) + draw.uniform(size=(4000, 1))) / 3)
by_random = best_found(draw.uniform(size=(4000, 9)))
print(f"best of nine, on average: grid {by_grid.mean():.2f}, random {by_random.mean():.2f}")
assert by_random.mean() < by_grid.mean() or not settled

# %% [markdown]
# ## Many small validation sets
#
# With 60 images in all, how many of them should be for validation? If these are few, the measured error is
# mostly luck. If they are many, few are left to train on. **[Cross-validation](glossary.md#cross-validation)**
# ([Stone 1974](bibliography.md#stone-1974)) cuts the images into $k$ parts, *folds*, of equal size. Train
# $k$ times, each time without one fold, and measure on that fold. Then every image has been used for
# validation once, and never by a net that was trained on it. Average all $N$ errors.
#
# What does it cost, and what does it give?
#
# - *Time:* $k$ trainings for each setting, and one more, on all images, for the setting that won.
# - *Luck:* the error is averaged over $N$ images, and not over the $N / k$ of one fold. If the errors of all
#   images were independent, the [standard error](mathematics.md#standard-error-of-a-mean) of the average
#   would be $\sqrt k$ times smaller. The trainings share most of their images, so it is somewhat larger than
#   that.
# - *A bias:* each training had $N (1 - 1/k)$ images, and the net that is used in the end has $N$. So the
#   reported error is a little too large, and less so for large $k$. One split has the same bias.
#
# Here is a case in which a training costs next to nothing. [PCA denoises](09_denoising.py) an image by
# keeping only its coordinates in the first principal directions, and the number of directions must be chosen.
# There are 60 images, with noise of standard deviation 0.5. The number is chosen once with one split, 48 images for PCA and 12 for
# validation, and once with five folds. All of it is repeated 60 times with other images.
#
# *Predict (★, 1 minute):* does cross-validation choose better, report better, or both?

# %%
noise = 0.5
directions = np.arange(1, 40)
draw = np.random.default_rng(0)
valid_noisy = valid + noise * draw.standard_normal(valid.shape, np.float32)


def denoised(train, noisy, clean):
    """The error of each image for each number of directions, (N, K)."""
    mean = train.mean(axis=0)
    V = np.linalg.svd(train - mean, full_matrices=False)[2].T
    z, wanted = (noisy - mean) @ V, (clean - mean) @ V
    # |x - Σ zᵢ vᵢ|² = |x|² + Σ (zᵢ² - 2 zᵢ xᵢ), with x and z counted from the mean
    sums = np.cumsum(z**2 - 2 * z * wanted, axis=1)[:, directions - 1]
    return ((clean - mean) ** 2).sum(axis=1)[:, None] + sums


count, results = 60, []
for _ in range(quick(60, 8)):
    clean = x[draw.choice(len(x), count, replace=False)]
    noisy = clean + noise * draw.standard_normal(clean.shape, np.float32)
    truth = denoised(clean, valid_noisy, valid).mean(axis=0)  # trained on all 60
    folds = []
    for held in np.array_split(np.arange(count), 5):
        rest = np.setdiff1d(np.arange(count), held)
        folds.append(denoised(clean[rest], noisy[held], clean[held]))
    for estimate in (folds[0].mean(axis=0), np.concatenate(folds).mean(axis=0)):
        chosen = estimate.argmin()
        results.append((truth[chosen], truth.min(), estimate[chosen] - truth[chosen]))
results = np.array(results).reshape(-1, 2, 3)
print("              error of the choice   best possible   reported minus true")
for name, rows in zip(("one split", "five folds"), results.transpose(1, 0, 2), strict=True):
    reported = f"{rows[:, 2].mean():+.2f} ± {rows[:, 2].std():.2f}"
    print(f"{name:<13} {rows[:, 0].mean():20.2f} {rows[:, 1].mean():15.2f} {reported:>21}")
(one, least, _), (five, _, _) = results.mean(axis=0)
off_one, off_five = results[:, :, 2].std(axis=0)
if settled:
    assert off_five < 0.7 * off_one and one - least < 0.05 * least
    assert (results[:, :, 2].mean(axis=0) > 0).all()

# %% [markdown]
# Cross-validation reports better, and it hardly chooses better. The choice was good with a single split already, because
# all settings are measured on the *same* images: if these are difficult, they are difficult for every
# setting, and the order of the settings stays. The reported figure has no such help, and five folds make
# the spread of its error about half as large. Both report too large an error, because 48 images are fewer than 60.
#
# So cross-validation is for few examples and cheap trainings, and more for the report than for the choice.
# With thousands of validation images one split does, and where a training takes a day, five are too many.
#
# ## The winner's luck
#
# The best of several settings looks better on the images by which it was chosen than it is ([chapter
# 17](17_what_a_code_is_good_for.py) has an example). By how much, and how does this luck grow with the number
# of trials?
#
# Let $n$ trials be equally good in truth. Their validation errors differ by luck, $v_i = e - s\,\xi_i$ with
# independent [normal](mathematics.md#density-and-the-normal-distribution) $\xi_i \sim \mathcal N(0, 1)$.
# The winner has the largest $\xi$, so its figure is too good by $s\,M_n$ on average, with
# $M_n = \mathbb E[\max_i \xi_i]$. Let $\Phi(t)$ be the probability that one $\xi_i$ is at most $t$, and
# $\varphi = \Phi'$ its density. The maximum is at most $t$ if all $\xi_i$ are, which has the probability
# $\Phi(t)^n$. The density of the maximum is the derivative of this, so
#
# $$
# M_n = \int t \; n\, \varphi(t)\, \Phi(t)^{n-1}\, dt .
# $$
#
# How fast does $M_n$ grow? For any $r > 0$, by [Jensen's inequality](mathematics.md#jensens-inequality),
# because the largest of positive numbers is at most their sum, and because
# $\mathbb E[e^{r\xi}] = \int \varphi(t)\, e^{rt}\, dt = e^{r^2/2} \int \varphi(t - r)\, dt = e^{r^2/2}$,
#
# $$
# \begin{aligned}
# e^{r M_n} &\le \mathbb E\big[e^{r \max_i \xi_i}\big] \le \sum_i \mathbb E\big[e^{r \xi_i}\big] = n\, e^{r^2 / 2} \\
# \Rightarrow\quad M_n &\le \frac{\log n}{r} + \frac r2 = \sqrt{2 \log n} \qquad \text{for } r = \sqrt{2 \log n} .
# \end{aligned}
# $$
#
# This bound grows slowly, and it grows without end. The next cell computes $M_n$ itself for some $n$. The luck
# $s$ falls with the root of the number of validation images. So the optimism $s\,M_n$ is large for few
# images, and it is not 0 for any number of them.

# %%
t = np.linspace(-8, 8, 4001)
density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
below = np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in t])
numbers = (1, 2, 5, 10, 20, 100, 1000)


def largest_of(n):
    """M_n, by a sum over small steps."""
    return float((t * n * density * below ** (n - 1)).sum() * (t[1] - t[0]))


M = {n: largest_of(n) for n in numbers}
print("trials     ", *(f"{n:7,}" for n in numbers))
print("M_n        ", *(f"{M[n]:7.3f}" for n in numbers))
print("√(2 log n) ", *(f"{math.sqrt(2 * math.log(n)):7.3f}" for n in numbers))
largest = np.random.default_rng(0).standard_normal((20_000, 20)).max(axis=1)
assert abs(largest.mean() - M[20]) < 0.02 and abs(M[2] - 1 / math.sqrt(math.pi)) < 1e-6
assert all(M[n] <= math.sqrt(2 * math.log(n)) + 1e-9 for n in numbers)

# %% [markdown]
# The same with nets: one trains several times with the same settings and other seeds, and keeps the best.
# Such nets are not quite equal in truth. Let their true errors $e_i$ have the variance $\tau^2$, so that
# $v_i$ has the variance $\tau^2 + s^2$. Then of a deviation of $v_i$ from the mean only the share
# $s^2 / (\tau^2 + s^2)$ is luck (exercise 5). The winner's deviation is $-\sqrt{\tau^2 + s^2}\;M_n$ on
# average, so
#
# $$
# \text{reported} - \text{true} \approx - \frac{s^2}{\sqrt{\tau^2 + s^2}}\; M_n .
# $$
#
# Here $s$ is the standard error of the *differences* between nets on the same images, because luck that all
# nets share does not decide who wins.

# %%
seeds = quick(12, 6)
held = pixels(data.train_images[-2000:])
each = []
for seed in range(seeds):
    model = network(seed=seed)
    fit(model, x[:300], quick(50, 10))
    each.append(error(model, held))
each = np.array(each)  # (seeds, 2000 images)
true = each.mean(axis=1)
τ2 = true.var(ddof=1)
own = each - each.mean(axis=0) - true[:, None] + true.mean()  # of one net and one image
s2_of_one = own.var() * seeds / (seeds - 1)
draw = np.random.default_rng(0)
print("trials   images   reported    true   too good by   by the formula")
for n in (2, seeds // 2, seeds):
    for m in (20, 100):
        nets = np.array([draw.choice(seeds, n, replace=False) for _ in range(3000)])
        looked = draw.integers(len(held), size=(3000, m))
        v = np.array(
            [each[a][:, b].mean(axis=1) for a, b in zip(nets, looked, strict=True)]
        )
        winner = nets[np.arange(3000), v.argmin(axis=1)]
        too_good = (true[winner] - v.min(axis=1)).mean()
        s2 = s2_of_one / m
        formula = s2 / math.sqrt(τ2 + s2) * largest_of(n)
        print(
            f"{n:6d} {m:8d} {v.min(axis=1).mean():10.2f} {true[winner].mean():7.2f}"
            f" {too_good:13.2f} {formula:16.2f}"
        )
        assert abs(too_good - formula) < 0.35 * formula + 0.2

# %% [markdown]
# The formula tells how much of a winner's figure is luck. Report the winner's figure on images that had no
# part in the choice, and the luck is gone, since those images do not know who won.
#
# ## The test images, once
#
# All choices of this chapter are made. Of the recipes with 300 images and a code of 8, in the table of *What
# to try first*, we choose the one with the least validation error.
#
# *Predict (★, 1 minute):* the winner had the least error on 500 validation images. Will its test error be
# larger?

# %%
allowed = {
    name: found[name]
    for name in recipes
    if name not in ("four times the images", "code 32")
}
choice = min(allowed, key=allowed.get)
judged = error(recipes[choice][0], test)
standard = judged.std() * math.sqrt(1 / len(test) + 1 / len(valid))
print(f"chosen: {choice}")
print(
    f"validation error {found[choice]:.2f}, test error {judged.mean():.2f},"
    f" luck of the images ± {standard:.2f}"
)
assert abs(judged.mean() - found[choice]) < 4 * standard

# %% [markdown]
# The validation error and the test error agree to within the luck of the images. The recipes differ so much
# that hardly any luck was needed to win. Where trials are many and alike, as in the section before, luck
# decides more. Before the test images are looked at nobody knows which of the two cases it is, and that is
# why there is a test set.
#
# ## What to change for MNIST
#
# `scratchae tutorial 20 --data mnist` runs this chapter on MNIST. For a search with any preset and any
# data, `scratchae search deep --over code=8..64 --over lr=1e-4..1e-2 --trials 20 --data mnist`.
#
# ## Exercises
#
# 1. **While reading.** The validation losses of seven epochs are 9, 7, 8, 6, 6.5, 7, 5. With a patience of
#    1, 2 and 3, after which epoch does training stop, and which epoch is kept? After *How patient to be*. ★,
#    5 minutes.
# 2. Write early stopping for a loop of your own, which keeps the parameters of the best epoch. After *Stopping early*.
#    ★★, 20 minutes.

# %%
exercise("20_early_stopping")

# %% [markdown]
# 3. Write one step of Adam with L2, and one step of AdamW. After *Weight decay*. ★★, 20 minutes.

# %%
exercise("20_weight_decay")

# %% [markdown]
# 4. Write cross-validation for anything that can be fitted. After *Many small validation sets*. ★★, 20 minutes.

# %%
exercise("20_folds")

# %% [markdown]
# 5. **Derive.** A net's true error is normal with variance $\tau^2$ around $\mu$, and its validation error
#    $v$ is the true error minus $s\,\xi$. What is the
#    [conditional](mathematics.md#conditional-probability-and-bayes-rule) mean of the luck,
#    $\mathbb E[s\,\xi \mid v]$? And how large is it for the winner of $n$ nets? After *The winner's luck*. ★★, 20
#    minutes.
# 6. **Derive.** Show that $M_2 = 1 / \sqrt\pi$, without an integral of $\Phi$. (The larger of two numbers
#    is half of their sum plus half of their distance.) After *The winner's luck*. ★★, 15 minutes.
# 7. **Derive.** How many random trials does it take to hit a good part of 5 % of the range with a probability
#    of 95 %? After *Random against grid search*. ★, 10 minutes.
# 8. **Explore.** Combine the recipes of the table: shifts, noise, dropout and decay in pairs. Do the gains
#    add up? Which pair has the least validation error, and what is its test error? Decide beforehand how
#    many pairs you will try. After *What to try first*. ★★★, 40 minutes.
#
# <details><summary>Answers</summary>
#
# 1\. Patience 1 stops after the third epoch and keeps the second, with a loss of 7. Patience 2 stops after
# the sixth, since the fifth and sixth are no better than the fourth, and keeps the fourth, 6. Patience 3
# sees the seventh, which is better, and keeps it, 5.
#
# 5\. $v = \mu + \tau\zeta - s\xi$ with normal $\zeta$, so $v$ has the variance $\tau^2 + s^2$, and its
# covariance with $s\xi$ is $-s^2$. For normal numbers the conditional mean is linear:
# $\mathbb E[s\xi \mid v] = -\frac{s^2}{\tau^2 + s^2} (v - \mu)$. The winner's $v$ is
# $\mu - \sqrt{\tau^2 + s^2}\, M_n$ on average, so its luck is $\frac{s^2}{\sqrt{\tau^2 + s^2}}\, M_n$.
#
# 6\. $\max(\xi_1, \xi_2) = \frac12 (\xi_1 + \xi_2) + \frac12 |\xi_1 - \xi_2|$. The first term has the mean 0.
# $\xi_1 - \xi_2$ is normal with variance 2, and the mean of $|\xi|$ is $\sqrt{2/\pi}$, so
# $M_2 = \frac12 \sqrt2 \sqrt{2/\pi} = 1/\sqrt\pi$.
#
# 7\. $1 - 0.95^n \ge 0.95$, so $n \ge \log 0.05 / \log 0.95 = 58.4$: 59 trials, whatever the number of
# settings.
#
# 8\. There is no one answer. Report the pairs that did not help as well.
#
# </details>

# %% tags=["hide-cell"]
losses = (9, 7, 8, 6, 6.5, 7, 5)
assert [stopped(losses, p) for p in (1, 2, 3)] == [(3, 2), (6, 4), (7, 7)]
assert [1 - 0.95**n > 0.95 for n in (58, 59)] == [False, True]
draw, τ, s = np.random.default_rng(0), 0.7, 1.3
luck = s * draw.standard_normal((100_000, 10))
v = τ * draw.standard_normal(luck.shape) - luck
of_winner = np.take_along_axis(luck, v.argmin(axis=1)[:, None], axis=1).mean()
assert np.isclose(of_winner, s**2 / math.hypot(τ, s) * largest_of(10), rtol=0.02)

# %% [markdown]
# ## Further reading
#
# - [Goodfellow et al. 2016](bibliography.md#goodfellow-2016), chapter 7: regularisation; chapter 11: how to
#   go about it in practice.
# - [Prechelt 1998](bibliography.md#prechelt-1998): rules for stopping, compared.
# - [Bergstra and Bengio 2012](bibliography.md#bergstra-2012): random search.
#
# ## What to read in the source next
#
# - `scratchae/training/keeping.py`: what early stopping keeps, also across a restart.
# - `scratchae/optimizers/descent.py`: SGD and Adam, with decay.
# - `scratchae/runs/searching.py`: a search that can be stopped and continued.
