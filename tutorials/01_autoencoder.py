# %% [markdown]
# # 01 · What an autoencoder is
#
# *What can a network learn if nobody tells it any answers? To rebuild its input from fewer numbers.*
#
# **Time** 30 minutes to read, 25 s to run on two cores.

# %% [markdown]
# ## The question
#
# The neuron of [chapter 00](00_one_neuron.py) learned from examples with answers: this drawing is a one, that one
# is a zero. Somebody had to write every answer down. Drawings without answers are much easier to come by.
#
# **What can be learned from the drawings alone?**
#
# Here is a task that needs no answers. Look at an image of 784 pixels. Describe it with 256 numbers. Then, from
# these numbers alone, draw it again. Whoever does this well must have noticed something about the images: that
# strokes are connected, that borders are empty, that pixels side by side are mostly alike. Nobody has to say what is right,
# because the image itself is the answer.
#
# A network that does this is an [autoencoder](glossary.md#autoencoder). The part that describes is the
# [encoder](glossary.md#encoder), the description is the [code](glossary.md#code), and the part that draws is the
# [decoder](glossary.md#decoder). The network recognises nothing: it never hears which digit an image shows.

# %%
import numpy as np
from matplotlib.patheffects import withStroke

import scratchae as sae
from scratchae import plots
from scratchae.presets import find_preset
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)

# %% [markdown]
# ## The images as a matrix
#
# The drawings are the data set `strokes`: digits drawn by a program, so that nothing has to be downloaded. A drawing has 28
# × 28 pixels, each a whole number from 0 (empty) to 255 (full ink). Two changes prepare it for a network. The rows of
# pixels are put end to end, so that an image is one row of $D = 784$ numbers, its *features*. And each number is divided by
# 255, so that it lies between 0 and 1, because the output of a sigmoid lies there too.
#
# The images are divided into three sets, and you should keep these strictly apart. The network learns from the *training*
# images. While it learns, it is measured on *validation* images, so that you can choose, for instance, how long to train.
# The *test* images are used once, at the end. If an error is to tell how well the network does on new images, it must be
# measured on images by which nothing was chosen.

# %%
data = dataset()


def as_rows(images):
    """Images (N, 28, 28) of whole numbers as rows (N, 784) of numbers from 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


x_all, x_test = as_rows(data.train_images), as_rows(data.test_images)
x_train, x_validation = x_all[:-500], x_all[-500:]
for name, rows in (("train", x_train), ("validation", x_validation), ("test", x_test)):
    print(f"{name:<11} {rows.shape!s:<13} from {rows.min():.0f} to {rows.max():.0f}")
assert x_train.shape[1] == 28 * 28 == 784

# %% [markdown]
# ## A picture of it
#
# The smallest autoencoder of images has two layers: 784 numbers to 256, and 256 back to 784.

# %% tags=["hide-input"]
drawn, axes = figure(7, 3.2)
axes.set(xlim=(-1.4, 9.4), ylim=(-0.9, 5.3))
axes.axis("off")
heights = {0.0: 4.0, 4.0: 4.0 * 256 / 784, 8.0: 4.0}
for (place, height), name in zip(
    heights.items(),
    ("input x\n784 numbers", "code z\n256 numbers", "reconstruction x̂\n784 numbers"),
    strict=True,
):
    axes.bar(place, height, 0.5, 2 - height / 2, color="#E6E6E6", edgecolor=plots.GREY)
    axes.text(place, -0.12, name, ha="center", va="top")
for place, name, colour in (
    (0.3, "encoder\nσ(x W₁ + b₁)", plots.BLUE),
    (4.3, "decoder\nσ(z W₂ + b₂)", plots.RED),
):
    left, right = (heights[place - 0.3] / 2, heights[place + 3.7] / 2)
    sides = [
        [place, place + 3.4, place + 3.4, place],
        [2 - left, 2 - right, 2 + right, 2 + left],
    ]
    axes.fill(*sides, color=colour, alpha=0.12)
    axes.text(place + 1.7, 2, name, ha="center", va="center", color=colour)
look = {
    "arrowstyle": "<->",
    "color": plots.GREY,
    "linestyle": "--",
    "connectionstyle": "arc3,rad=-0.14",
}
axes.annotate("", (8, 4.1), (0, 4.1), arrowprops=look)
axes.text(4, 5.0, "loss: how far apart are these two?", ha="center", color=plots.GREY)
show(
    drawn,
    "autoencoder",
    "A tall bar of 784 numbers on the left narrows through the encoder to a short bar of "
    "256 numbers in the middle and "
    "widens through the decoder to 784 numbers on the right; the loss compares the left "
    "and the right bar.",
    "From the image to its code, and back to an image. The taller a bar, the more numbers it "
    "holds: look at the short one in the middle. The loss compares the two ends.",
)

# %% [markdown]
# The narrow place in the middle is the [bottleneck](glossary.md#bottleneck). Without it the task would be trivial, because
# the network could copy every pixel. [Chapter 06](06_pca.py) looks at what happens then.
#
# ## Forward
#
# A *layer* of $H$ neurons computes $H$ sums of the same inputs, each with weights of its own. The weights of neuron $h$ are
# column $h$ of a matrix $W$. $N$ images, a [batch](glossary.md#batch), go through together, one in each row. The encoder is
# such a layer, followed by a [sigmoid](glossary.md#sigmoid), with $D = 784$ inputs and $H = 256$ outputs:
#
# $$
# \underset{(N, H)}{a_1} = \underset{(N, D)}{x}\;\underset{(D, H)}{W_1} + \underset{(H)}{b_1}
# \qquad\quad
# \underset{(N, H)}{z} = \sigma(a_1)
# $$
#
# The decoder is another layer, from 256 numbers to 784:
#
# $$
# \underset{(N, D)}{a_2} = \underset{(N, H)}{z}\;\underset{(H, D)}{W_2} + \underset{(D)}{b_2}
# \qquad\quad
# \underset{(N, D)}{\hat x} = \sigma(a_2)
# $$
#
# $\sigma$ is applied to each number by itself, and $b_1$ and $b_2$ are added to every row. $\hat x$, read "x hat", is the
# [reconstruction](glossary.md#reconstruction). The target of the loss is $x$, the input itself, so nobody had to
# write down any answers:
#
# $$
# L = \frac{1}{N} \sum_{n=1}^{N} \sum_{d=1}^{D} (\hat x_{nd} - x_{nd})^2
# $$
#
# Here are the five lines in plain NumPy, for a batch of 100 images, with random weights to begin with. The weights are
# small: they are drawn with a standard deviation of $\sqrt{2 / (D + H)}$, for which [chapter 05](05_going_deep.py) gives the
# reason. The biases are 0.


# %%
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


N, D, H = 100, 784, 256
x = x_train[:N]
deviation = np.sqrt(2 / (D + H))
W1, b1 = deviation * rng.standard_normal((D, H)), np.zeros(H)
W2, b2 = deviation * rng.standard_normal((H, D)), np.zeros(D)

a1 = x @ W1 + b1  # (N, H)
z = sigmoid(a1)  # (N, H)
a2 = z @ W2 + b2  # (N, D)
x_hat = sigmoid(a2)  # (N, D)
L = ((x_hat - x) ** 2).sum() / N

print(f"x {x.shape}  z {z.shape}  x̂ {x_hat.shape}  L = {L:.1f} squared error per image")

# %% [markdown]
# Is that a large loss? Compare it with the losses of two answers that ignore the image: 0.5 for every pixel, and the mean
# of all training images for every image. No answer that ignores the image is better than the mean image (exercise 6), so a
# network that is better has learned something about single images.
#
# *Predict (★, 1 minute):* which of the three losses is the largest?


# %%
def error_per_image(x_hat, x):
    """Squared error, summed over the pixels, averaged over the images."""
    return float(((x_hat - x) ** 2).sum(axis=1).mean())


grey = error_per_image(np.full_like(x_test, 0.5), x_test)
mean_image = error_per_image(x_train.mean(axis=0), x_test)
print(f"random weights      {L:6.1f}  (the batch above; the others: test images)")
print(f"0.5 to every pixel  {grey:6.1f}")
print(f"the mean image      {mean_image:6.1f}")
assert mean_image < grey
assert np.isclose(L, error_per_image(x_hat, x))

# %% [markdown]
# ## How many knobs?
#
# You may hear that an autoencoder "has no parameters", or that it needs none. What is meant is that it needs no *labels*,
# the answers that somebody writes down. But it has many [parameters](glossary.md#parameter), the knobs that training turns:
# every entry of $W_1, b_1, W_2, b_2$. Their number is
#
# $$
# P = \underbrace{D H}_{W_1} + \underbrace{H}_{b_1} + \underbrace{H D}_{W_2} + \underbrace{D}_{b_2} = 2 D H + H + D
# $$

# %%
P = 2 * D * H + H + D
print(f"P = 2·{D}·{H} + {H} + {D} = {P:,}")
assert P == W1.size + b1.size + W2.size + b2.size == 402_448

# %% [markdown]
# ## Backward, in one paragraph
#
# Training needs the derivative of $L$ by each of these knobs. [Backpropagation](glossary.md#backpropagation)
# finds them all in one pass from right to left: from the loss to $\hat x$, through the decoder to $z$, and through the
# encoder to $W_1$. Each derivative has the shape of what it belongs to:
#
# $$
# \underset{(N, D)}{d\hat x} \;\to\; \underset{(N, D)}{da_2} \;\to\;
# \underset{(H, D)}{dW_2},\; \underset{(D)}{db_2},\; \underset{(N, H)}{dz} \;\to\;
# \underset{(N, H)}{da_1} \;\to\; \underset{(D, H)}{dW_1},\; \underset{(H)}{db_1}
# $$
#
# where $dz$ is short for $\partial L / \partial z$, as in chapter 00. [Chapter 02](02_backpropagation.py) derives
# every one of these arrows. Until then the library computes them.
#
# The derivative by $x$ is not among them. $x$ enters the loss twice, as input and as target, so $\partial L / \partial x$
# exists and has two terms. We never compute it, because the images are given and cannot be changed.
#
# ## The library's code
#
# The library's model takes an encoder, a decoder and a loss. `objective` is the forward pass above, and `backward` is the
# chain. (The lines about a penalty and about tied weights belong to later chapters; here there is neither.)

# %%
source(sae.Autoencoder.objective, sae.Autoencoder.backward)
source(sae.MSE.__call__)

# %% [markdown]
# With the weights from above, the model computes the same loss as the lines in NumPy:

# %%
encoder = sae.Sequential(sae.Dense(D, H, rng=rng), sae.Sigmoid())
decoder = sae.Sequential(sae.Dense(H, D, rng=rng), sae.Sigmoid())
model = sae.Autoencoder(encoder, decoder, loss=sae.MSE())
for layer, W, b in ((encoder.layers[0], W1, b1), (decoder.layers[0], W2, b2)):
    layer.W[:], layer.b[:] = W, b

print(model)
print(
    f"{model.parameter_count():,} parameters, loss {model.objective(x)['loss']:.4f}, by hand {L:.4f}"
)
assert model.parameter_count() == P
assert np.isclose(model.objective(x)["loss"], L, rtol=1e-4)

# %% [markdown]
# Are the model's gradients right, that is, are they the derivatives of its loss? The check moves every parameter a little
# up and down, and compares the change of the loss with the derivative ([chapter 03](03_gradient_check.py) explains how).
# For 402,448 parameters that would take 804,896 forward passes, so we check a small autoencoder with the same kinds of
# layers.

# %%
small = sae.Autoencoder(
    sae.Sequential(sae.Dense(12, 5, rng=rng), sae.Sigmoid()),
    sae.Sequential(sae.Dense(5, 12, rng=rng), sae.Sigmoid()),
    loss=sae.MSE(),
)
report = sae.check_gradients(small, rng.random((4, 12)))
print(report)
assert report.passed

# %% [markdown]
# ## One training step
#
# Take a batch. `training_step` computes its loss, and leaves the gradient, which is all derivatives as one long vector, in
# `model.gradient`. The *optimizer*, the rule for turning the knobs, moves the parameters, another long vector, against the
# gradient. `Adam` is gradient descent that chooses the length of the step for each parameter by itself; [chapter
# 04](04_optimizers.py) builds it. Its learning rate here is 0.01.

# %%
optimizer = sae.Adam(0.01)
before = model.training_step(x)["loss"]
optimizer.update(model.parameters, model.gradient)
after = model.objective(x)["loss"]
print(f"the loss of this batch was {before:.1f} and is {after:.1f} after one step")
assert after < before

# %% [markdown]
# Going through all training images once, batch by batch, is an [epoch](glossary.md#epoch). Steps and epochs are often
# confused. With `strokes` and batches of 100, an epoch has 295 steps. Somebody who trains for 10,000 steps and calls them
# "10,000 epochs" has trained for 34 epochs.

# %%
steps = -(-len(x_train) // 100)
print(f"{len(x_train):,} images in batches of 100: {steps} steps an epoch")
print(f"10,000 steps are {10_000 / steps:.1f} epochs")
if data_name() == "strokes":
    assert steps == 295 and round(10_000 / steps) == 34

# %% [markdown]
# ## The experiment: `simple`
#
# `fit` repeats that step, and goes through the images in a new order in each epoch. This autoencoder is the library's
# preset `simple`; `scratchae train simple` trains it from the command line.
#
# *Predict (★, 1 minute):* the loss of random weights was near 190. Where will it be after ten epochs?

# %%
preset = find_preset("simple")
model = preset.build(np.random.default_rng(0))
history = sae.fit(
    model,
    x_train[: quick(None, 6000)],
    validation=x_validation,
    epochs=quick(10, 3),
    batch_size=100,
    optimizer=sae.Adam(0.01),
    progress=False,
)
for epoch in sorted({1, 2, len(history)}):
    training, validation = (
        history[name][epoch - 1] for name in ("loss", "validation_loss")
    )
    print(
        f"epoch {epoch:>2}: training {training:6.2f}, validation {validation:6.2f} squared error per image"
    )

simple = error_per_image(model.reconstruct(x_test), x_test)
pca = error_per_image(
    sae.PCA(256).fit(x_train[: quick(None, 6000)]).reconstruct(x_test), x_test
)
print(
    f"\ntest images: the mean image {mean_image:.2f}, simple {simple:.2f}, PCA-256 {pca:.2f}"
)

# %% tags=["hide-input"]
show(
    lambda path: plots.loss_curve(history, path, "squared error per image"),
    "loss",
    "Training and validation loss fall steeply in the first epochs and then slowly; both "
    "lie close together.",
    "The loss of every epoch. Look at how close the two curves lie: the network never learned "
    "from the validation images, and their loss is hardly larger.",
)
shown = [int(np.flatnonzero(data.test_labels == digit)[0]) for digit in range(10)]
pictures = {
    "original": x_test[shown],
    "mean image": np.tile(x_train.mean(axis=0), (10, 1)),
    "simple": model.reconstruct(x_test[shown]),
}
show(
    lambda path: plots.image_rows(
        {k: v.reshape(-1, 28, 28) for k, v in pictures.items()}, path
    ),
    "reconstructions",
    "Ten digits in the first row; the blurred mean image, always the same, in the second;"
    " and in the third the ten digits "
    "rebuilt by the autoencoder, hard to tell from the originals.",
    "Ten test images, and what is left of them after 256 numbers. Compare the third row with "
    "the first.",
)

# %%
best = int(np.argmin(history["validation_loss"])) + 1
print(f"by the validation images, epoch {best} of {len(history)} is the best")
assert simple < quick(2, 20)
assert abs(history["loss"][-1] - history["validation_loss"][-1]) < quick(1, 3)

# %% [markdown]
# The network has never seen these images, and its reconstructions can hardly be told from them. The validation images say
# how long to train. As long as the validation loss falls, more epochs help. If it rose while the training loss fell, the
# network would be learning its training images by heart, and you would keep the parameters from before the rise.
#
# Now compare it with an older method. [PCA](glossary.md#pca), principal component analysis, writes each image as the mean
# image plus a weighted sum of 256 fixed images, the best 256 that there are; [chapter 06](06_pca.py) says how they are
# found. PCA needs no gradient descent: its 256 images are computed from the training images in one go. With 256 numbers PCA
# is *better* than our network. So 256 numbers are enough even for a *linear* method, one that only forms weighted sums, and
# ten epochs are too few for the network to do as well. An autoencoder is worth its cost only where the code is short, and
# that is the next experiment. Whenever somebody shows you an autoencoder's error, ask for the error of PCA with a code of
# the same size.

# %%
assert pca < simple

# %% [markdown]
# ## What the number means
#
# The loss is squared error, *summed* over the 784 pixels of an image, *averaged* over the images. Other programs average
# over the pixels too, and print a number that is 784 times smaller. The two numbers say the same on different scales, and
# the scale is the most common reason why the losses of two people cannot be compared. The root of the mean over pixels is
# the easiest to picture, because it says by how much a pixel is typically off.

# %%
per_pixel = simple / 784
print(f"summed over pixels, per image    {simple:.4f}")
print(f"averaged over pixels             {per_pixel:.6f}")
print(
    f"typical error of a pixel         {per_pixel**0.5:.3f}, or {255 * per_pixel**0.5:.0f} of 255 grey levels"
)
assert np.isclose(per_pixel, ((model.reconstruct(x_test) - x_test) ** 2).mean(), rtol=1e-4)

# %% [markdown]
# A loss that is 784 times smaller has a gradient that is 784 times smaller, so a learning rate that is right for the sum is
# far too small for the mean: [chapter 02](02_backpropagation.py) trains with both.
#
# ## A shorter code
#
# How many numbers does a drawing need? Here are four autoencoders, with codes of 2, 8, 32 and 128 numbers, each trained on
# 10,000 images. They differ from `simple` in three things: there is no sigmoid after the encoder, so that the numbers of the
# code may be of any size, as those of PCA may; there are fewer images; and the learning rate is 0.003, not 0.01.
#
# *Predict (★, 2 minutes):* for which of the four sizes is the autoencoder better than PCA?


# %%
def with_code(size):
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(sae.Dense(784, size, rng=rng))
    decoder = sae.Sequential(sae.Dense(size, 784, rng=rng), sae.Sigmoid())
    return sae.Autoencoder(encoder, decoder, loss=sae.MSE())


some = x_train[: quick(10_000, 4_000)]
sizes = (2, 8, 32, 128)
trained, linear = {}, {}
print("code   autoencoder    PCA    (squared error per test image)")
for size in sizes:
    trained[size] = with_code(size)
    recipe = {"epochs": quick(10, 4), "batch_size": 100, "optimizer": sae.Adam(3e-3)}
    sae.fit(trained[size], some, progress=False, **recipe)
    linear[size] = sae.PCA(size).fit(some)
    errors = [
        error_per_image(coder[size].reconstruct(x_test), x_test)
        for coder in (trained, linear)
    ]
    print(f"{size:>4}   {errors[0]:>11.2f}  {errors[1]:>5.2f}")

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
for name, coder, look in (("autoencoder", trained, "o-"), ("PCA", linear, "s--")):
    errors = [error_per_image(coder[size].reconstruct(x_test), x_test) for size in sizes]
    axes.plot(
        sizes,
        errors,
        look,
        color=plots.BLUE if name == "autoencoder" else plots.RED,
        label=name,
    )
axes.axhline(mean_image, color=plots.GREY, linestyle=":", label="the mean image")
axes.set_xscale("log", base=2)
axes.set_xticks(sizes, [str(size) for size in sizes])
axes.set(
    xlabel="numbers in the code", ylabel="squared error per test image", ylim=(0, None)
)
axes.legend()
show(
    drawn,
    "sizes",
    "The error falls as the code grows, for the autoencoder and for PCA; with 32 numbers "
    "the autoencoder's is about half of PCA's.",
    "The error by the size of the code. Look at where the solid line lies below the dashed one.",
)
pictures = {"original": x_test[shown]}
pictures |= {
    f"{size} numbers": trained[size].reconstruct(x_test[shown]) for size in reversed(sizes)
}
pictures["PCA, 8 numbers"] = np.clip(linear[8].reconstruct(x_test[shown]), 0, 1)
show(
    lambda path: plots.image_rows(
        {k: v.reshape(-1, 28, 28) for k, v in pictures.items()}, path
    ),
    "codes",
    "Rows of ten digits rebuilt from 128, 32, 8 and 2 numbers: with 128 they are sharp, "
    "with 32 a little soft, with 8 blurred, with 2 "
    "hardly recognisable.",
    "The same ten images after codes of 128, 32, 8 and 2 numbers, and after PCA with 8. Look at "
    "how the drawings blur from row to row, and compare the two rows for 8 numbers.",
)

# %%
if data_name() == "strokes":
    reached = {
        size: error_per_image(trained[size].reconstruct(x_test), x_test) for size in sizes
    }
    straight = {
        size: error_per_image(linear[size].reconstruct(x_test), x_test) for size in sizes
    }
    assert reached[2] > reached[8] > reached[32] > reached[128]
    assert quick(reached[32] < 0.7 * straight[32], True)
    assert quick(reached[2] > straight[2], True)

# %% [markdown]
# With 32 numbers the network's error is little more than half of PCA's (with MNIST, two thirds). The network's encoder is a
# matrix product, as PCA's is. In addition the network has the sigmoid at the end of the decoder. The sigmoid answers "full
# ink" for any large positive sum and "empty" for any large negative sum, while PCA's sums themselves have to hit 1 and 0
# exactly. With two numbers the network loses, and the reason is only that ten epochs are few. Here is the same network with
# more time, and with a learning rate that falls:

# %%
longer = with_code(2)
epochs = quick(60, 4)
recipe = {"epochs": epochs, "batch_size": 100, "progress": False}
rate = sae.Cosine(0.01, epochs * len(some) // 100)  # chapter 04
sae.fit(longer, some, optimizer=sae.Adam(rate), **recipe)
errors = [
    error_per_image(coder.reconstruct(x_test), x_test) for coder in (longer, linear[2])
]
print(f"two numbers, {epochs} epochs: {errors[0]:.2f}; PCA: {errors[1]:.2f}")
assert quick(errors[0] < errors[1], True)

# %% [markdown]
# Before you say what a network cannot do, let it train to the end.
#
# A code of two numbers is a point in the plane. So you can look at how the network describes the test images. The network
# was never told which digit an image shows; the colours and the numerals are ours.
#
# *Predict (★, 1 minute):* which digits will lie next to each other?

# %% tags=["hide-input"]
drawn, axes = figure(6, 5)
plane = longer.encode(x_test[:1500])
for digit in range(10):
    mine = plane[data.test_labels[:1500] == digit]
    axes.scatter(*mine.T, s=9, color=f"C{digit}", alpha=0.6, linewidths=0)
    axes.text(
        *np.median(mine, axis=0),
        str(digit),
        fontsize=15,
        weight="bold",
        ha="center",
        va="center",
        color=f"C{digit}",
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )
axes.set(xlabel="$z_1$", ylabel="$z_2$")
show(
    drawn,
    "plane",
    "Points in the plane, one for each test image. Images of the same digit lie together in patches or arms, which partly overlap; "
    "a numeral stands at the middle of each digit's points.",
    "The codes of 1,500 test images, two numbers each. Each numeral stands at the median of its digit's points. Look at which digits have a region of "
    "their own, and which share one.",
)

# %%
centres = np.array([plane[data.test_labels[:1500] == d].mean(axis=0) for d in range(10)])
nearest = ((plane[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
share = float((nearest == data.test_labels[:1500]).mean())
print(
    f"{share:.0%} of the codes are nearest to the mean code of their own digit; by chance 10%"
)
assert share > 0.2

# %% [markdown]
# Images of one digit lie together far more than by chance, although nobody asked for it. The decoder is continuous, so it
# makes similar drawings of codes that lie together. So images that are alike can be rebuilt well if their codes lie
# together, and training finds such codes.
#
# ## Three things that an autoencoder is not
#
# **It is no lossless compressor,** as zip is. The reconstruction is close to the input, and not equal to it. And few
# numbers are not few bits. Count: an image is 784 bytes, and each number of the code is kept in 32 bits (the format is
# called float32).

# %%
image_bits, code_bits = 784 * 8, 256 * 32
print(
    f"image: {image_bits:,} bits; code of 256 floats: {code_bits:,} bits; code of 32: {32 * 32:,} bits"
)
exact = float(
    (np.round(255 * model.reconstruct(x_test)) == np.round(255 * x_test)).all(axis=1).mean()
)
print(f"test images that `simple` gives back exactly: {exact:.1%}")
assert code_bits > image_bits
assert exact < 0.01

# %% [markdown]
# The code of `simple` takes *more* room than the image.
#
# **It is no tool for every image.** It knows one kind, the kind that it learned from. Suppose that you give it digits
# upside down, or the same pixels in a random order.
#
# *Predict (★, 1 minute):* which have the larger error, the digits upside down or the shuffled ones, and how many times the
# error of the digits is it?

# %%
strange = {
    "digits": x_test,
    "upside down": x_test.reshape(-1, 28, 28)[:, ::-1].reshape(-1, 784),
    "shuffled": x_test[:, np.random.default_rng(0).permutation(784)],
}
cost = {
    name: error_per_image(trained[32].reconstruct(images), images)
    for name, images in strange.items()
}
for name, error in cost.items():
    print(f"{name:<12} squared error per image {error:6.1f}")
assert cost["digits"] < cost["upside down"] < cost["shuffled"]
assert cost["upside down"] > quick(1.5, 1.05) * cost["digits"]

# %% tags=["hide-input"]
pictures = {}
for name in ("upside down", "shuffled"):
    pictures[name] = strange[name][shown]
    pictures[f"{name}, rebuilt"] = trained[32].reconstruct(strange[name][shown])
show(
    lambda path: plots.image_rows(
        {k: v.reshape(-1, 28, 28) for k, v in pictures.items()}, path
    ),
    "strange",
    "Digits upside down come back distorted; images of shuffled pixels come back as pale "
    "blobs on grey noise.",
    "What the network with a code of 32 numbers makes of images unlike those that it learned "
    "from. Compare each row with the rebuilt row below it.",
)

# %% [markdown]
# This can be useful. An image that is rebuilt badly is unlike those that the network learned from, so an autoencoder can
# raise an alarm. How good such an alarm is, and when it fails, is measured in [chapter 17](17_what_a_code_is_good_for.py).

# %% [markdown]
# **It is no source of new images.** The decoder takes any 32 numbers. So invent some: draw each number at random,
# with the mean and the standard deviation that it has in the codes of real drawings.
#
# *Predict (★, 1 minute):* will they look like digits?

# %%
codes = trained[32].encode(x_validation)
invented = codes.mean(axis=0) + codes.std(axis=0) * rng.standard_normal((10, 32))
drawings = trained[32].decode(invented.astype(np.float32))
show(
    lambda path: plots.image_rows({"invented codes": drawings.reshape(-1, 28, 28)}, path),
    "invented",
    "Ten images decoded from random codes: tangles of strokes and smudges; two or three resemble a digit.",
    "What the decoder makes of ten invented codes. Is there one that you would take for a digit?",
)

# %% [markdown]
# They show strokes, but hardly a digit. Each number alone has the mean and the spread that it has in real codes, but the
# ten combinations of 32 numbers are unlike real ones: real codes fill only a part of the space of all codes, and the loss
# does not say what the decoder should make of the rest. [Chapter 11](11_variational.py) changes the model so that inventing
# works.
#
# ## Where it comes from
#
# Networks with a narrow middle that learn to rebuild their input are as old as backpropagation: [Rumelhart, Hinton and
# Williams 1986](bibliography.md#rumelhart-1986b) train one on the *encoding problem* of [Ackley, Hinton and Sejnowski
# 1985](bibliography.md#ackley-1985): $N$ inputs, $\log_2 N$ numbers in the middle, $N$ outputs, and the target is the
# input. [Bourlard and Kamp 1988](bibliography.md#bourlard-1988) and [Baldi and Hornik 1989](bibliography.md#baldi-1989)
# showed what such networks learn if they are linear: PCA. [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b)
# made deep ones trainable.
#
# ## What to change for MNIST
#
# `scratchae tutorial 1 --data mnist` runs this chapter on 60,000 handwritten digits. It takes a little less than
# twice as long. The preset alone: `scratchae train simple --data mnist`, 10 s.
#
# ## Exercises
#
# ### Derive
#
# 1. Count the parameters of any dense autoencoder, from its sizes. After *How many knobs?* ★, 10 minutes.

# %%
exercise("01_parameters")

# %% [markdown]
# On paper:
#
# 2. ★ How many parameters has 784-32-784? What share of them is in the biases? After *How many knobs?* 5 minutes.
# 3. ★★ Would the network learn if you divided the pixels by 1 instead of 255? What is the least error that an output
#    between 0 and 1 can have then? After *Forward*. 10 minutes.
# 4. ★ Somebody reports "MSE 0.0027" for 784 pixels, averaged over pixels. What is that in squared error per image? Is
#    it better than `simple` here? After *What the number means*. 3 minutes.
# 5. ★ A code of 784 numbers could copy every pixel. Why does that make the task useless? After *A picture of it*. 3 minutes.
# 6. ★★ Show that among all answers that ignore the image, the mean image has the least squared error. After *Forward*. 10
#    minutes.
# 7. ★★ You choose the size of the code by the error on the test images, and report this error. Is it too small or too large
#    for new images, and what should you have done? After *The images as a matrix*. 5 minutes.
#
# ### Explore
#
# 8. ★★ Draw the plane of two numbers again with three other seeds. Which digits share a region each time? What stays the
#    same and what does not? 15 minutes.
# 9. ★★ Take the codes of a 3 and of an 8 from `trained[32]`, and decode ten points on the line between them. Do all of them
#    look like drawings? 15 minutes.
# 10. ★★★ Train on all digits but one. How much larger is the error on the digit that was left out? For which digit is the
#     alarm worst, and why? 40 minutes.

# %% tags=["hide-cell"]
weights, biases = 2 * 784 * 32, 32 + 784
print(
    f"2. {weights + biases:,} parameters, {biases / (weights + biases):.1%} of them biases"
)
raw = 255 * x_test
least = error_per_image(np.clip(raw, 0, 1), raw)
print(f"3. at least {least:,.0f} squared error per image, whatever the weights")
print(f"4. {0.0027 * 784:.2f} squared error per image; simple has {simple:.2f}")
moved = [error_per_image(x_train.mean(axis=0) + step, x_train) for step in (-0.01, 0, 0.01)]
print(
    "6. the mean image, a little lighter, itself, a little darker:",
    *(f"{m:.3f}" for m in moved),
)
assert weights + biases == 50_992
assert least > 1e5
assert moved[1] < min(moved[0], moved[2])

# %% [markdown]
# <details><summary>Answers</summary>
#
# 2\. $2 \cdot 784 \cdot 32 + 32 + 784 = 50{,}992$, of which 816 are biases, 1.6 %.
#
# 3\. Its output lies between 0 and 1, and the targets go up to 255. The best output is then 1 wherever there is ink, and
# the error that is left is printed above. The network may learn where there is ink, but not how much.
#
# 4\. $0.0027 \cdot 784 = 2.12$ per image. `simple` is better.
#
# 5\. The code then need not contain anything but the pixels, and nothing has been learned about them. A code that is
# not shorter than the input is [overcomplete](glossary.md#overcomplete), and needs another reason not to copy:
# noise ([chapter 09](09_denoising.py)) or a penalty ([chapter 10](10_sparse_contractive.py)).
#
# 6\. Let $c_d$ be the answer for pixel $d$. The loss is a sum over pixels, so each $c_d$ can be chosen by itself. The
# derivative of $\frac1N \sum_n (c_d - x_{nd})^2$ by $c_d$ is $\frac2N \sum_n (c_d - x_{nd}) = 2\,(c_d - \bar x_d)$. It is 0
# at the mean $\bar x_d$ only, negative below it and positive above it.
#
# 7\. It is too small, because the least of several errors on the same images is partly luck with these images. Choose by
# validation images, and compute one error on the test images for the size that you chose.
#
# </details>
#
# ## Further reading
#
# - [Goodfellow et al. 2016](bibliography.md#goodfellow-2016), chapter 14: autoencoders of all kinds.
# - [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b): four pages that made deep ones known.
#
# ## What to read in the source next
#
# - `scratchae/models/autoencoder.py`: the whole model.
# - `scratchae/presets/dense.py`: `simple` and its larger relatives.
# - `scratchae/training/fit.py`: what `fit` does beside the step.
