# %% [markdown]
# # 08 · Convolution as a matrix product, and its adjoint
#
# *How can one small kernel, used at every place, be learned, and what runs backward through it?*
#
# **Time** 65 minutes to read (short path 45), 15 s to run on two cores.
#
# **A short path** of 45 minutes leaves out the sections that are marked *beyond the short path*; nothing in the others needs them.
# They are *How much does one number see?*, *How large should the weights be?*, *It does not undo the convolution*, *Sizes on the way
# back*, *Phases*, and *Checkerboards*.

# %% [markdown]
# ## The question
#
# A dense layer does not know that two pixels are neighbours: if the pixels of all images are
# shuffled in the same way, it learns as well as before. And what it has learned at one place it
# has to learn again at every other. It may know how to draw a stroke in the upper left, and yet
# know nothing of the same stroke in the lower right.
#
# A **[convolution](glossary.md#convolution)** looks at an image through a small window, and uses
# the same few weights, the **[kernel](glossary.md#kernel)**, wherever the window stands. This
# chapter answers three questions about it. How does it become one matrix product? What is its
# backward pass? And which layer makes an image larger again, as the decoder of an autoencoder
# must?
#
# All three have one answer: a convolution is a matrix, and its backward pass, like that of every
# linear layer, is the transpose of that matrix.
#
# (Some letters have their own meaning in this chapter. $H$ is the height of an image, $C$ and $D$
# are numbers of channels, $K$ is the size of a kernel, $s$ the stride and $p$ the padding. $W$ is
# always the kernel; only in the shape $(N, H, W, C)$ it is the width.)

# %%
import time

import matplotlib.patches as drawing
import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.layers.patches import (
    Columns,
    col2im,
    im2col,
    matmul_by_phases,
    matmul_col2im,
    phases,
)
from scratchae.presets import PRESETS
from scratchae.presets.convolutional import conv
from scratchae.presets.dense import stack
from scratchae.presets.preset import warm_cosine
from scratchae.tutorial import (
    data_name,
    dataset,
    exercise,
    figure,
    quick,
    show,
    source,
    study_page,
)

data = dataset()  # strokes, or what --data names
rng = np.random.default_rng(0)
# (N, H, W, C): images, height, width, channels
train = pixels(data.train_images).reshape(-1, 28, 28, 1)
test = pixels(data.test_images).reshape(-1, 28, 28, 1)[:2000]
print("training images", train.shape, " test images", test.shape)

# %% [markdown]
# ## A picture of it
#
# The kernel below has 3 × 3 weights: +1 on the left, 0 in the middle, −1 on the right. At each place
# it adds up the ink to the left of the place and subtracts the ink to the right. Go through a row from
# left to right: the kernel's answer is positive where ink ends, and negative where ink begins. One kernel
# of 9 weights and one [bias](glossary.md#bias) finds the vertical edges of the whole image.

# %%
edge = sae.Conv2d(1, 1, kernel_size=3, padding=1)
edge.W[:, :, 0, 0] = [[1, 0, -1], [1, 0, -1], [1, 0, -1]]

digit = test[:1]  # (1, 28, 28, 1)
moved = np.zeros_like(digit)
moved[:, 3:, 2:] = digit[:, :-3, :-2]  # 3 pixels down, 2 to the right
response, response_moved = edge.forward(digit), edge.forward(moved)

drawn, axes = figure(7, 2.5, columns=4)
limit = float(np.abs(response).max())
panels = (
    (digit, "image"),
    (response, "its edges"),
    (moved, "image, moved"),
    (response_moved, "its edges"),
)
for ax, (picture, name) in zip(axes, panels, strict=True):
    ink = picture is digit or picture is moved
    look = (
        {"cmap": "gray_r", "vmin": 0, "vmax": 1}
        if ink
        else {"cmap": "gray", "vmin": -limit, "vmax": limit}
    )
    ax.imshow(picture[0, :, :, 0], **look)
    ax.set(xticks=[0, 10, 20], yticks=[0, 10, 20], xlabel="column")
    ax.set_title(name)
    ax.grid(visible=False)
axes[0].set_ylabel("row")
show(
    drawn,
    "edges",
    "A digit and the response of the kernel, twice: as it is, and moved by three rows "
    "and two columns. "
    "The response has moved by the same amount and is otherwise unchanged.",
    "A kernel that answers to vertical edges (white: positive, black: negative). Move "
    "the image, and the answer moves with it.",
)

# %% [markdown]
# If $T$ moves an image, then $\mathrm{conv}(Tx) = T\,\mathrm{conv}(x)$: the layer is **equivariant** to
# shifts. This holds if the window moves by one pixel at a time, and wherever the border does not interfere. A
# dense layer whose input and output have the same sizes would have to learn this from examples, with a
# weight for each pair of an input and an output pixel.

# %%
inside, from_inside = slice(6, 26), (slice(3, 23), slice(4, 24))
assert np.allclose(response_moved[0, inside, inside, 0], response[0][from_inside][:, :, 0])
dense_count, conv_count = 784 * 784 + 784, edge.W.size + edge.b.size
print(
    f"28 × 28 to 28 × 28: dense {dense_count:,} parameters, a 3 × 3 convolution {conv_count}"
)
assert (dense_count, conv_count) == (615_440, 10)

# %% [markdown]
# ## Forward: the definition
#
# Images are $(N, H, W, C)$: number of images, height, width, **[channels](glossary.md#channel)**
# (1 for grey; after a layer, one channel for each of its kernels). A layer from $C$ to $D$
# channels has $W$ of shape $(K_H, K_W, C, D)$ and $b$ of shape $(D)$. The
# **[stride](glossary.md#stride)** $s$ is how far the window moves from one place to the next.
# **[Padding](glossary.md#padding)** $p$ puts $p$ rows and columns of zeros around the image
# first. Then
#
# $$
# y[n, o, q, d] = b[d] + \sum_{i=0}^{K_H-1} \sum_{j=0}^{K_W-1} \sum_{c=0}^{C-1} W[i, j, c, d]\;
# x[n,\; o s + i - p,\; q s + j - p,\; c],
# $$
#
# where $n$ is the image, $o$ and $q$ are the row and column of the place, $d$ is the channel of $y$, and $x$
# counts as 0 outside of the image. Written in code as it stands, this formula is seven loops: four for the indices
# of $y$, and three for the sums. NumPy does four of them for us, those over $n$, $i$, $j$ and $c$:

# %%


def convolve(x, W, b, s=1, p=0):
    """The definition, place by place: x (N, H, W, C), W (KH, KW, C, D) -> y (N, OH, OW, D)."""
    KH, KW, _, D = W.shape
    padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    OH, OW = (padded.shape[1] - KH) // s + 1, (padded.shape[2] - KW) // s + 1
    y = np.empty((len(x), OH, OW, D))
    for o in range(OH):
        for q in range(OW):
            window = padded[:, o * s : o * s + KH, q * s : q * s + KW, :]  # (N, KH, KW, C)
            for d in range(D):
                y[:, o, q, d] = (window * W[..., d]).sum(axis=(1, 2, 3)) + b[d]
    return y


x = rng.standard_normal((2, 7, 6, 3))
for s, p in ((1, 0), (1, 1), (2, 1), (3, 2)):
    layer = sae.Conv2d(3, 4, kernel_size=3, stride=s, padding=p, rng=rng).to(
        dtype=np.float64
    )
    layer.b[...] = rng.standard_normal(4)
    y = layer.forward(x)
    assert np.allclose(y, convolve(x, layer.W, layer.b, s, p))
    print(
        f"stride {s}, padding {p}: {x.shape} -> {y.shape}, the loops and the library agree"
    )

# %% [markdown]
# A word about the name. In mathematics a convolution turns the kernel round by 180 degrees; without
# that turn the same sum is a *correlation*. The field, and this library, call the correlation a
# convolution. Nothing is lost by that: the kernel is learned, so the layer learns the turned kernel.

# %%
line, kernel = np.arange(6.0) ** 2, np.array([1.0, 2.0, 4.0])
assert np.allclose(
    np.correlate(line, kernel, "valid"), np.convolve(line, kernel[::-1], "valid")
)

# %% [markdown]
# ## The same as a matrix product: im2col
#
# Take an image of 4 × 4 pixels and number them 0 to 15. A kernel of 3 × 3 fits in 4 places. For each
# place write the 9 pixels that the kernel sees there in a row. The 4 rows are a matrix with 9 columns.
# Write the kernel as a column of 9 weights. Then the matrix times the column is the 4 numbers of $y$.
#
# This step from image to matrix is called **[im2col](glossary.md#im2col)**. The next cell does it with the
# numbers of the pixels in place of their values:

# %%
numbered = np.arange(16.0).reshape(1, 4, 4, 1)
columns = im2col(numbered, kernel=(3, 3))
print(columns.astype(int))


def cells(ax, values, texts=None, mark=None, title=""):
    """Draw a matrix as numbered cells; `mark` says which of them are framed in grey."""
    rows, across = values.shape
    for r in range(rows):
        for c in range(across):
            marked = mark is not None and mark[r, c]
            face = "#CFCFCF" if marked else "white"
            ax.add_patch(
                drawing.Rectangle(
                    (c, r), 1, 1, facecolor=face, edgecolor="black", linewidth=0.8
                )
            )
            text = f"{values[r, c]:g}" if texts is None else texts[r][c]
            weight = "bold" if marked else "normal"
            ax.text(
                c + 0.5,
                r + 0.5,
                text,
                ha="center",
                va="center",
                fontsize=9,
                fontweight=weight,
            )
    ax.set(
        xlim=(-0.1, across + 0.1),
        ylim=(rows + 0.1, -0.1),
        aspect="equal",
        xticks=[],
        yticks=[],
    )
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)
    ax.set_title(title, fontsize=10)


drawn, axes = figure(7, 3.6, columns=4, width_ratios=[4, 9, 1.6, 1.6])
second = np.zeros((4, 4), bool)
second[0:3, 1:4] = True
row_of_second = np.zeros((4, 9), bool)
row_of_second[1] = True
cells(axes[0], numbered[0, :, :, 0], mark=second, title="image, pixels numbered")
cells(axes[1], columns, mark=row_of_second, title="im2col: a row for each place")
cells(
    axes[2],
    np.zeros((9, 1)),
    [[f"w{i}{j}"] for i in range(3) for j in range(3)],
    title="kernel",
)
place = np.array([[False], [True], [False], [False]])
cells(
    axes[3], np.zeros((4, 1)), [["y00"], ["y01"], ["y10"], ["y11"]], mark=place, title="y"
)
show(
    drawn,
    "im2col",
    "A four by four image with pixels numbered 0 to 15. The window at row 0, column 1 "
    "covers pixels 1 2 3, 5 6 7 and 9 10 11; "
    "they are the second row of a matrix of four rows and nine columns, which times "
    "the kernel, a column of nine weights, gives y.",
    "im2col with the numbers of the pixels. Grey: the window at row 0, column 1; its "
    "row of the matrix; its result.",
)
assert columns[1].astype(int).tolist() == [1, 2, 3, 5, 6, 7, 9, 10, 11]

# %% [markdown]
# In general `columns` has a row for each pair of an image and a place, and a column for each offset $(i, j)$
# in the window and each channel $c$:
#
# $$
# \underset{(N \cdot O_H \cdot O_W,\; K_H K_W C)}{\mathrm{columns}} = \mathrm{im2col}(x), \qquad
# \underset{(N \cdot O_H \cdot O_W,\; D)}{y} = \mathrm{columns}\;
# \underset{(K_H K_W C,\; D)}{W} + \underset{(D)}{b},
# $$
#
# where $W$ is the kernel of before with its first three axes made into one. This reshaping costs nothing,
# because the numbers lie in that order in memory already. So a convolution is a dense layer that is
# applied to every window. `columns` is about $K_H K_W / s^2$ times as large as the image, and to copy so
# many numbers takes time. But processors do nothing as well as matrix products, so the product is worth the
# copies.
#
# This is the library's own code, with the functions that it calls. Of many large images the matrix would not stay in the
# processor's cache until the product reads it. So the class `Columns` makes the rows of some images at a time, for each of the two
# products that a convolution needs: this one, $\mathrm{columns}\; W$, and the one of its backward pass. (If compiled kernels are
# switched on, as [chapter 13](13_cpu_gpu.py) does, a kernel computes the same products.)

# %%
source(im2col, Columns, sae.Conv2d.forward)

# %%
layer = sae.Conv2d(3, 4, kernel_size=3, stride=2, padding=1, rng=rng).to(dtype=np.float64)
columns = im2col(x, (3, 3), (2, 2), (1, 1))
y = (columns @ layer.W.reshape(-1, 4) + layer.b).reshape(2, 4, 3, 4)
assert np.allclose(y, layer.forward(x))
print("columns", columns.shape, " W", layer.W.reshape(-1, 4).shape, " y", y.shape)

# %% [markdown]
# ### How large is the output?
#
# The window begins at $0, s, 2s, \dots$ of the padded image, for as long as its last row fits:
# $o s + K \le H + 2p$. So
#
# $$
# O = \left\lfloor \frac{H + 2p - K}{s} \right\rfloor + 1 .
# $$
#
# Three rules of thumb follow. With $s = 1$ and $p = (K - 1)/2$ the size stays as it is (elsewhere this
# is called *same* padding, and $p = 0$ is called *valid*). With $s = 2$, $K = 3$, $p = 1$ the size is
# halved, and rounded up. And because $\lfloor\;\rfloor$ rounds down, several sizes become one: images of 27
# and of 28 pixels both become 14. We shall need that on the way back.
#
# **Predict** before you look at the picture: an image has 5 × 5 pixels, the kernel has 3 × 3. How large is
# the output for $s = 1$, $p = 0$, and how large for $s = 2$, $p = 1$?

# %% tags=["hide-input"]


def window_at(ax, size, K, s, p, place):
    """An image with its padding, the window at a place, and the output with the number it makes."""
    out, gap = (size + 2 * p - K) // s + 1, 1.2
    for r in range(-p, size + p):
        for c in range(-p, size + p):
            within = 0 <= r < size and 0 <= c < size
            seen = all(
                place[k] * s <= at + p < place[k] * s + K for k, at in enumerate((r, c))
            )
            ax.add_patch(
                drawing.Rectangle(
                    (c, r), 1, 1,
                    facecolor="#9ECAE9" if seen else "white",
                    edgecolor="black" if within else "#999999",
                    linestyle="-" if within else ":",
                    linewidth=1.0 if within else 0.8,
                    zorder=2 if within else 1,
                )
            )  # fmt: skip
    left, top = size + p + gap, (size - out) / 2
    ax.annotate(
        "",
        (left - 0.2, size / 2),
        (left - gap + 0.2, size / 2),
        arrowprops={"arrowstyle": "->"},
    )
    for r in range(out):
        for c in range(out):
            made = (r, c) == place
            ax.add_patch(
                drawing.Rectangle(
                    (left + c, top + r),
                    1,
                    1,
                    facecolor="#0072B2" if made else "white",
                    edgecolor="black",
                )
            )
    ax.set(
        xlim=(-p - 0.2, left + out + 0.2), ylim=(size + p + 0.2, -p - 0.2), aspect="equal"
    )
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)


drawn, grid = figure(7, 3.9, 2, 3)
for line, (s, p) in zip(grid, ((1, 0), (2, 1)), strict=True):
    for ax, place in zip(line, ((0, 0), (0, 1), (2, 2)), strict=True):
        window_at(ax, 5, 3, s, p, place)
        ax.set_title(f"stride {s}, padding {p}: y[{place[0]}, {place[1]}]", fontsize=9)
show(
    drawn,
    "frames",
    "Six frames, each with an image of five by five pixels, a window of three by three in it, and an output of three by three. "
    "At stride 1 without padding the window moves by one pixel and stays within the image. At stride 2 with padding 1 it begins one "
    "row and one column outside of the image, and moves by two pixels.",
    "Which window makes which number. Dotted: the zeros of the padding. Compare the second frame of each row with the first: "
    "it shows the stride.",
)
assert [(5 + 2 * p - 3) // s + 1 for s, p in ((1, 0), (2, 1))] == [3, 3]

# %%
# %%
for H in range(1, 30):
    for K, s, p in ((3, 1, 1), (3, 2, 1), (4, 2, 1), (7, 1, 0), (5, 3, 2)):
        if H + 2 * p < K:
            continue
        # counted
        fits = sum(1 for start in range(0, H + 2 * p, s) if start + K <= H + 2 * p)
        made = sae.Conv2d(1, 1, K, stride=s, padding=p).forward(
            np.zeros((1, H, H, 1), np.float32)
        )
        assert made.shape[1] == fits == (H + 2 * p - K) // s + 1
sizes = [(H + 2 - 3) // 2 + 1 for H in (26, 27, 28, 29)]
print("kernel 3, stride 2, padding 1: 26, 27, 28, 29 pixels become", sizes)
assert sizes == [13, 14, 14, 15]

# %% [markdown]
# ### How much does one number see? The receptive field
#
# *Beyond the short path.* A number of $y$ depends on the $K$ × $K$ pixels of its window. Put a second convolution behind the
# first: a number of its output depends on a window of the first one's outputs, and each of these
# depends on a window of the image. The part of the image that a number depends on is its
# **[receptive field](glossary.md#receptive-field)**. How wide is it?
#
# Let $r_l$ be the width of the receptive field of one number in the output of layer $l$, and $j_l$ the
# distance in the image between two neighbours in this output; at the beginning $r_0 = j_0 = 1$. A stride $s_l$
# makes neighbours $s_l$ times as far apart. A window of $K_l$ numbers reaches $K_l - 1$ steps of the
# length $j_{l-1}$ further than its first number does. So
#
# $$
# j_l = s_l\, j_{l-1}, \qquad r_l = r_{l-1} + (K_l - 1)\, j_{l-1} .
# $$
#
# The preset `conv` below has three layers with the kernels 3, 3, 7 and the strides 2, 2, 1. By the
# formula its fields are 3, 7 and 31 pixels wide, so each number of its code sees all 28 × 28 pixels.
# The backward pass shows the field without any formula: send a gradient of 1 into one number, and see
# which pixels get a gradient.

# %%
field, apart, seen, widths = 1, 1, [], []
chain = [
    sae.Conv2d(1, 1, 3, stride=2, padding=1),
    sae.Conv2d(1, 1, 3, stride=2, padding=1),
    sae.Conv2d(1, 1, 7),
]
for depth, layer in enumerate(chain, start=1):
    field, apart = field + (layer.K[0] - 1) * apart, apart * layer.S[0]
    widths.append(field)
    layer.W[...] = 1  # so that nothing cancels
    y = np.zeros((1, 28, 28, 1), np.float32)
    for each in chain[:depth]:
        y = each.forward(y)
    dy = np.zeros_like(y)
    dy[0, y.shape[1] // 2, y.shape[2] // 2] = 1  # one number in the middle
    for each in reversed(chain[:depth]):
        dy = each.backward(dy)
    seen.append(dy[0, :, :, 0])
    rows = int((seen[-1].max(axis=1) > 0).sum())
    print(
        f"after layer {depth}: formula {field} pixels wide; {rows} rows of the image have a gradient"
    )
    assert rows == min(field, 28)
assert widths == [3, 7, 31]

# %% tags=["hide-input"]
drawn, axes = figure(7, 2.6, columns=3)
for ax, gradient, width in zip(axes, seen, widths, strict=True):
    ax.imshow(gradient, cmap="gray_r", interpolation="nearest")
    ax.set(xticks=[0, 10, 20], yticks=[0, 10, 20], xlabel="column")
    ax.set_title(f"field: {width} pixels", fontsize=10)
    ax.grid(visible=False)
axes[0].set_ylabel("row")
show(
    drawn,
    "receptive_field",
    "Three images of the gradient of one number in the middle of the first, second and third layer. The first is a square of "
    "3 by 3 pixels, the second one of 7 by 7, the third covers the whole image, in a pattern of crossing bars.",
    "What one number depends on, after one, two and three layers. Darker: the pixel reaches the number by more paths.",
)

# %% [markdown]
# ## Backward, with shapes
#
# The forward pass has two steps, `columns = im2col(x)` and `y = columns W + b`, so the backward pass has
# two steps in reverse order. The second step is a dense layer, whose backward pass
# [chapter 02](02_backpropagation.py) has derived. With $M = N \cdot O_H \cdot O_W$ rows and $dy = \partial L / \partial y$ laid out
# as $(M, D)$:
#
# $$
# \underset{(K_H K_W C,\, D)}{dW} = \underset{(K_H K_W C,\, M)}{\mathrm{columns}^\top}\; \underset{(M, D)}{dy}, \qquad
# \underset{(D)}{db} = \sum_{m=1}^{M} dy_m, \qquad
# \underset{(M,\, K_H K_W C)}{d\mathrm{columns}} = \underset{(M, D)}{dy}\; \underset{(D,\, K_H K_W C)}{W^\top} .
# $$
#
# Note the sum over rows: $M$ counts images *and places*. The same kernel was used at every place, so
# its gradient is the sum over all places.
#
# The first step, im2col, has no parameters. It copies: entry $(m, k)$ of `columns` is one number
# of $x$, or a 0 of the padding. Number the pixels of $x$ by $u$. Then im2col is multiplication by
# a matrix $P$ of zeros and ones,
#
# $$
# \mathrm{columns}_{mk} = \sum_u P_{(mk),\,u}\; x_u, \qquad
# P_{(mk),\,u} = 1 \text{ if pixel } u \text{ is what entry } (m, k) \text{ copies, else } 0 .
# $$
#
# The chain rule sums over all entries that depend on $x_u$:
#
# $$
# \frac{\partial L}{\partial x_u}
# = \sum_{m,k} \frac{\partial L}{\partial\, \mathrm{columns}_{mk}}\, \frac{\partial\, \mathrm{columns}_{mk}}{\partial x_u}
# = \sum_{m,k} P_{(mk),\,u}\; d\mathrm{columns}_{mk},
# $$
#
# that is,
#
# $$
# dx = P^\top d\mathrm{columns} .
# $$
#
# In words: the gradient of every copy is **added** at the place that the copy was taken from. The
# function **col2im** does that.
#
# **While reading** (★, 2 minutes). An image has 28 × 28 pixels, the kernel 3 × 3 weights, the stride is 1, and there is no padding. How
# many gradients add up at a pixel in the middle, and how many at a corner?
#
# <details><summary>Answer</summary>
#
# Nine in the middle, because the pixel lies in nine windows. One at a corner.
#
# </details>
#
# Here is $P$ for the image of 4 × 4 pixels; black is 1.

# %%
# (36, 16)
P = np.stack(
    [im2col(unit.reshape(1, 4, 4, 1), (3, 3)).ravel() for unit in np.eye(16)], axis=1
)
# each entry copies one pixel
assert set(np.unique(P)) == {0.0, 1.0} and (P.sum(axis=1) == 1).all()
dcolumns = rng.standard_normal((4, 9))
assert np.allclose(P @ numbered.ravel(), im2col(numbered, (3, 3)).ravel())
assert np.allclose(P.T @ dcolumns.ravel(), col2im(dcolumns, (4, 4), (3, 3)).ravel())
uses = col2im(np.ones((4, 9)), (4, 4), (3, 3))[0, :, :, 0]
print("in how many windows each pixel lies, col2im of ones:")
print(uses.astype(int))
assert uses.sum() == 36 and uses[0, 0] == 1 and uses[1, 1] == 4
large = col2im(np.ones((26 * 26, 9)), (28, 28), (3, 3))[0, :, :, 0]
assert large[14, 14] == 9 and large[0, 0] == 1

drawn, (left, right) = figure(7, 3.9, columns=2, width_ratios=[1, 1])
left.imshow(P, cmap="gray_r", aspect="auto", interpolation="nearest")
left.set(
    xlabel="pixel u",
    ylabel="entry (m, k) of columns, 9 m + k",
    xticks=[0, 5, 10, 15],
    yticks=range(0, 36, 9),
)
left.set_title("P: black is 1")
left.grid(visible=False)
cells(right, uses, mark=uses == 4, title="column sums of P: uses of each pixel")
show(
    drawn,
    "adjoint",
    "Left: the matrix P of 36 rows and 16 columns with a single one in each row. "
    "Right: how often each pixel of the image is "
    "copied: once at the corners, twice along the edges, four times in the middle.",
    "im2col as a matrix, for an image of 4 × 4 and a kernel of 3 × 3. A pixel in the "
    "middle is copied four times, so four gradients add up there.",
)

# %% [markdown]
# ## The code
#
# Two lines compute the gradients of the parameters, and one line computes $dx$. Of the rows of `columns`, again only those of some
# images exist at a time: `products(dy=…, dW=…)` adds up $\mathrm{columns}^\top dy$ block by block.
# `matmul_col2im(dy, W, …)` is $\mathrm{col2im}(dy\, W^\top)$. Why that is one function and not two
# calls is the subject of the section *Phases*.

# %%
source(sae.Conv2d.backward, sae.Conv2d.backward_parameters, col2im)

# %% [markdown]
# ### How large should the weights be?
#
# *Beyond the short path.* [Chapter 05](05_going_deep.py) draws weights with a
# [variance](mathematics.md#expectation-variance-covariance) that depends on two numbers: how many
# inputs each output sums up, the *fan-in*, and in how many outputs each input is used, the *fan-out*.
# For a dense layer these are the numbers of its inputs and of its outputs. What are they for a convolution?
#
# Each output sums up a window, so the fan-in is $K_H K_W C$. And each pixel lies, along each axis, in
# $K / s$ windows on average, because windows of $K$ pixels begin at every $s$-th pixel. Each of these
# windows makes $D$ outputs, so
#
# $$
# \text{fan-in} = K_H K_W\, C, \qquad \text{fan-out} = \frac{K_H K_W}{s^2}\, D .
# $$
#
# In the code $K_H K_W$ is named `area` and $K_H K_W / s^2$ is named `reach`. The transposed convolution,
# which comes later in this chapter, has these two factors the other way round: each of its output pixels is
# a sum over $K_H K_W / s^2$ input pixels on average, and each input pixel goes into $K_H K_W$ output pixels.
# If the weights have the right size, the mean square of a signal is about the same before the layer and
# behind the ReLU that follows the layer. The cell after the library's code measures this.

# %%
source(sae.Conv2d.__init__)

# %%
signal = rng.standard_normal((4, 33, 33, 16)).astype(np.float32)
for s in (1, 2):
    for kind in (sae.Conv2d, sae.ConvTranspose2d):
        made = kind(16, 48, 3, stride=s, init="he", rng=rng)
        y = np.maximum(made.forward(signal), 0)[:, 3:-3, 3:-3]  # without the border
        print(
            f"{kind.__name__:<15} stride {s}: mean square of the signal {(signal**2).mean():.2f} -> {(y**2).mean():.2f}"
        )
        assert 0.6 < (y**2).mean() < 1.6

# %% [markdown]
# ## Checking it
#
# Compare each gradient with central differences, as in [chapter 03](03_gradient_check.py). The layer
# has stride 2, padding 1 and two channels, and the image has 6 rows. So $H + 2p - K = 5$ is not a multiple of
# the stride, and no window reaches the last row of the padding.

# %%
small = rng.standard_normal((2, 6, 5, 2))
report = sae.check_gradients(
    sae.Conv2d(2, 3, kernel_size=3, stride=2, padding=1, rng=rng), small
)
print(report)
assert report.passed

# %% [markdown]
# **Break it.** Let col2im *write* a number where it should *add* it: `=` in place of `+=`.
# **Predict** before you run the next cell: which of the three gradients will be wrong? And for which
# stride would nobody notice?

# %%


def col2im_that_overwrites(columns, size, kernel, stride, padding):
    """WRONG: of several gradients for one pixel, only the last stays."""
    (KH, KW), (SH, SW), (PH, PW) = kernel, stride, padding
    OH, OW = (size[0] + 2 * PH - KH) // SH + 1, (size[1] + 2 * PW - KW) // SW + 1
    windows = columns.reshape(-1, OH, OW, KH, KW, columns.shape[1] // (KH * KW))
    x = np.zeros((len(windows), size[0] + 2 * PH, size[1] + 2 * PW, windows.shape[-1]))
    for o in range(OH):
        for q in range(OW):
            x[:, o * SH : o * SH + KH, q * SW : q * SW + KW] = windows[:, o, q]
    return x[:, PH : PH + size[0], PW : PW + size[1]]


class Overwriting(sae.Conv2d):
    def backward(self, dy):
        self.backward_parameters(dy)
        dcolumns = (
            dy.reshape(-1, self.out_channels) @ self.W.reshape(-1, self.out_channels).T
        )
        return col2im_that_overwrites(dcolumns, self.x_size, self.K, self.S, self.P)


for stride in (2, 3):
    report = sae.check_gradients(
        Overwriting(2, 3, kernel_size=3, stride=stride, rng=rng), small
    )
    wrong = [check.name for check in report.checks if not check.passed]
    print(f"stride {stride}: wrong gradients: {', '.join(wrong) or 'none'}")
    assert wrong == (["x"] if stride == 2 else [])

# %% [markdown]
# Only $dx$ is wrong, because $dW$ and $db$ never pass through col2im. And with a stride of 3 the windows
# of 3 × 3 lie side by side, so each pixel is copied at most once, and there is nothing to add. This teaches
# two lessons. Check a layer at more than one setting. And check $dx$ too, because a network of one layer
# never uses $dx$, and so its training would not show the mistake.

# %% [markdown]
# ## The adjoint, as a layer: transposed convolution
#
# Leave $b$ out, and let $u$ and $v$ now be images. A convolution is then a linear map from the pixels of a
# large image $u$ to those of a small image $v$: there is a matrix $A$, made of the kernel's numbers and zeros, with $v = A u$. Its
# backward pass is $du = A^\top dv$, which leads from the small size to the large one. A decoder needs a
# layer that leads this way *forward*. The
# **[transposed convolution](glossary.md#transposed-convolution)** is that layer:
#
# $$
# \underset{(H W C)}{u} = \underset{(H W C,\; O_H O_W D)}{A^\top}\; \underset{(O_H O_W D)}{v}
# = \mathrm{col2im}(v\, W^\top) .
# $$
#
# (The second form is the backward pass of the section before, $\mathrm{col2im}(dy\, W^\top)$, with $v$ in place of $dy$ and with a row for
# each pixel.) Each pixel of $v$ *paints* the kernel into $u$, multiplied by the pixel's own value, and where the painted kernels overlap
# they add up. The backward pass of this layer is $dv = (A^\top)^\top du = A\, du$: the ordinary convolution. So the two layers have four
# passes, but only two functions: what is forward for the one is backward for the other.
#
# The transpose of a matrix is also called its **[adjoint](glossary.md#adjoint)**, and it has a
# property that we can test without ever writing the matrix down. With
# $\langle a, b\rangle = \sum_i a_i b_i$,
#
# $$
# \langle A u, v\rangle = \sum_{i} \Big(\sum_j A_{ij} u_j\Big) v_i = \sum_j u_j \Big(\sum_i A_{ij} v_i\Big)
# = \langle u, A^\top v\rangle \qquad\text{for all } u, v .
# $$
#
# **The gradients of its parameters.** From here on the transposed convolution has the letters of every layer:
# $x$ is its input, the small image with a row for each pixel, and $y$ is its output. $W$ is again reshaped to
# a matrix, $(K_H K_W C, D)$. (As in the convolution, $C$ is the number of channels of the large image.) Its forward
# pass has two lines,
#
# $$
# \underset{(M,\; K_H K_W C)}{\mathrm{columns}} = \underset{(M, D)}{x}\; \underset{(D,\; K_H K_W C)}{W^\top}, \qquad
# y = \mathrm{col2im}(\mathrm{columns}) + b .
# $$
#
# Go back from the last line to the first. The bias is added to every pixel of every image, so $db$ is the sum
# of $dy$ over images and pixels. `col2im` is multiplication by $P^\top$, so its backward pass is
# multiplication by $P$, which is `im2col`. And in the first line $\mathrm{columns}_{mk} = \sum_d x_{md} W_{kd}$
# each $W_{kd}$ is used in every row $m$, each $x_{md}$ in every column $k$:
#
# $$
# \begin{aligned}
# d\mathrm{columns} &= \mathrm{im2col}(dy), \\
# dW_{kd} &= \sum_m d\mathrm{columns}_{mk}\, x_{md}, &
# \underset{(K_H K_W C,\, D)}{dW} &= d\mathrm{columns}^\top\, x, \\
# dx_{md} &= \sum_k d\mathrm{columns}_{mk}\, W_{kd}, &
# \underset{(M, D)}{dx} &= d\mathrm{columns}\; W .
# \end{aligned}
# $$
#
# There is a second way to see $dW$. The numbers $\langle A u, v\rangle$ and $\langle u, A^\top v\rangle$ are the same,
# so their derivatives by $W$ are the same, whether a convolution computes the number or a transposed one.

# %%
source(sae.ConvTranspose2d.forward, sae.ConvTranspose2d.backward)

# %%
for size, K, s, p, extra in (
    ((7, 6), 3, 1, 1, 0),
    ((7, 7), 3, 2, 1, 0),
    ((8, 8), 3, 2, 1, 1),
    ((10, 7), 4, 3, 0, 0),
):
    down = sae.Conv2d(2, 3, K, stride=s, padding=p, rng=rng).to(dtype=np.float64)
    up = sae.ConvTranspose2d(
        3, 2, K, stride=s, padding=p, output_padding=extra, rng=rng
    ).to(dtype=np.float64)
    up.W[...] = down.W  # (KH, KW, 2, 3) in both: channels of the larger image first
    x = rng.standard_normal((1, *size, 2))
    y = rng.standard_normal(down.forward(x).shape)
    left, right = np.vdot(down.forward(x), y), np.vdot(x, up.forward(y))
    print(
        f"{size} kernel {K} stride {s} padding {p}:  <Conv x, y> = {left:+.6f}   <x, ConvT y> = {right:+.6f}"
    )
    assert np.isclose(left, right)
    # the forward of one is the backward of the other
    assert np.allclose(up.forward(y), down.backward(y))
    dx = up.backward(x)
    assert np.allclose(up.dW, down.dW)  # one number, one derivative
    assert np.allclose(dx, down.forward(x))  # and the other way round (b is 0)

# %% [markdown]
# One random pair of images tests all entries of $A$ at once. Each layer has to run only once, whereas a
# gradient check runs a layer twice *for each number*. If $A^\top$ were wrong in one entry, the two sides would agree only
# by a coincidence of probability zero. For a single channel and a small image we can afford to make the
# matrices themselves:

# %%
down = sae.Conv2d(1, 1, 3, stride=2, padding=1, rng=rng).to(dtype=np.float64)
up = sae.ConvTranspose2d(1, 1, 3, stride=2, padding=1, rng=rng).to(dtype=np.float64)
up.W[...] = down.W
# (9, 25)
A = np.stack(
    [down.forward(unit.reshape(1, 5, 5, 1)).ravel() for unit in np.eye(25)], axis=1
)
# (25, 9)
B = np.stack([up.forward(unit.reshape(1, 3, 3, 1)).ravel() for unit in np.eye(9)], axis=1)
assert np.allclose(B, A.T)


def signed(ax, matrix, limit):
    """Draw numbers by their size, darker is larger, with a bar across those that are negative."""
    shown = ax.imshow(
        np.abs(matrix), cmap="gray_r", vmin=0, vmax=limit, interpolation="nearest"
    )
    for r, c in np.argwhere(matrix < 0):
        ax.plot([c - 0.25, c + 0.25], [r, r], color="white", linewidth=3)
        ax.plot([c - 0.25, c + 0.25], [r, r], color="black", linewidth=1)
    ax.grid(visible=False)
    return shown


drawn, axes = figure(7, 3.2, columns=2, width_ratios=[25, 9])
for ax, matrix, name in ((axes[0], A, "Conv2d: A"), (axes[1], B, "ConvTranspose2d: Aᵀ")):
    shown = signed(ax, matrix, float(np.abs(A).max()))
    ax.set(xlabel="pixel of the input", ylabel="pixel of the output")
    ax.set_title(name)
drawn.colorbar(shown, ax=axes, shrink=0.8, label="size of the weight")
show(
    drawn,
    "matrices",
    "The matrix of a strided convolution, nine rows and 25 columns, mostly zeros with "
    "the same nine weights in each row, and "
    "beside it the matrix of the transposed convolution, the same turned on its side.",
    "Left: the same nine weights in every row (fewer at the border), and zeros elsewhere; a bar "
    "marks a negative weight. Right: the transposed convolution has the same matrix, turned on its side.",
)

# %% [markdown]
# ### It does not undo the convolution
#
# *Beyond the short path.* The layer is also called "deconvolution", which suggests that it undoes a convolution.
# **Wrong:** $\mathrm{ConvT}(\mathrm{Conv}(x)) = x$.
# **Right:** the two layers together compute $A^\top A\, x$, and $A^\top$ is the inverse of $A$ only if $A$ is
# [orthogonal](mathematics.md#orthonormal-directions-projection-rank). The $A$ above cannot even be inverted: it takes 25 numbers to 9, so
# at most 9 of 25 directions survive (the **rank** of $A$ is at most 9). And at stride 1 with padding, where $A$ is square, $A^\top A$ is
# still not the identity. If $A$ blurs an image, $A^\top A$ blurs it twice.

# %%
blur = sae.Conv2d(1, 1, 3, padding=1).to(dtype=np.float64)
blur.W[...] = 1 / 9  # the mean of 3 × 3 pixels
unblur = sae.ConvTranspose2d(1, 1, 3, padding=1).to(dtype=np.float64)
unblur.W[...] = blur.W
picture = digit.astype(np.float64)
blurred = blur.forward(picture)
back = unblur.forward(blurred)

matrix = np.stack(
    [blur.forward(unit.reshape(1, 28, 28, 1)).ravel() for unit in np.eye(784)], axis=1
)
# what would really undo it
solved = np.linalg.solve(matrix, blurred.ravel()).reshape(picture.shape)
print(f"stride 2: rank {np.linalg.matrix_rank(A)} of {A.shape[1]} columns")
print(
    f"largest error of ConvT(Conv(x)): {np.abs(back - picture).max():.2f}; of solving A x = y: {np.abs(solved - picture).max():.0e}"
)
assert np.linalg.matrix_rank(A) == 9 and not np.allclose(A.T @ A, np.eye(25))
assert np.abs(back - picture).max() > 0.3 and np.abs(solved - picture).max() < 1e-6

rows = {"x": picture, "Conv x": blurred, "ConvT Conv x": back, "solved": solved}
drawn, axes = figure(7, 2.2, columns=4)
for ax, (name, image) in zip(axes, rows.items(), strict=True):
    ax.imshow(image[0, :, :, 0], cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], xlabel=name)
    ax.grid(visible=False)
show(
    drawn,
    "not_an_inverse",
    "A digit, the same blurred, the transposed convolution of that, which is blurred "
    "more, and the solution of the linear "
    "system, which is the digit again.",
    "The transposed convolution of a blurred digit is blurred twice. To undo a "
    "convolution one has to solve a linear system.",
)

# %% [markdown]
# Why use the transposed convolution, then? Because a decoder need not invert anything: it learns its own
# kernel. What it needs is a linear map from small images to large ones that is local and equivariant, and
# this layer is such a map.
#
# ### Sizes on the way back
#
# *Beyond the short path.* How large an image does the layer make? Solve $O = \lfloor (H + 2p - K)/s
# \rfloor + 1$ for $H$. Without the floor, $H = (O - 1)s - 2p + K$. With the floor, the $s$ sizes
# $H, H+1, \dots, H + s - 1$ all lead to the same $O$, so the layer has to be told which of them is
# wanted. The **output padding** $e < s$ tells it:
#
# $$
# H = (O - 1)\, s - 2p + K + e .
# $$

# %%
for H in range(5, 30):
    for K, s, p in ((3, 2, 1), (4, 2, 1), (5, 3, 2)):
        O = (H + 2 * p - K) // s + 1  # noqa: E741
        e = (H + 2 * p - K) % s  # the rest that the floor forgot
        up = sae.ConvTranspose2d(1, 1, K, stride=s, padding=p, output_padding=e)
        assert up.forward(np.zeros((1, O, O, 1), np.float32)).shape[1:3] == (H, H)
print(
    "14 pixels, kernel 3, stride 2, padding 1: back to",
    [(14 - 1) * 2 - 2 + 3 + e for e in (0, 1)],
)

# %% [markdown]
# How evenly does the layer paint? Let the input and the kernel be all ones. Then each output pixel counts how
# often it is painted. **Predict:** is every pixel painted equally often, for a kernel of 3, and for one of 4?

# %%
for K in (3, 4):
    paint = sae.ConvTranspose2d(1, 1, K, stride=2)
    paint.W[...] = 1
    count = paint.forward(np.ones((1, 4, 4, 1), np.float32))[0, :, :, 0].astype(int)
    print(f"kernel {K}, stride 2: how often each of the first 7 × 7 pixels is painted")
    print(count[:7, :7])
    inner = count[K - 1 : 7, K - 1 : 7]
    assert (len(np.unique(inner)) == 1) == (K % 2 == 0)

# %% [markdown]
# With a kernel of 3 the pixels are painted 1, 2 or 4 times, in a checkerboard. So before it has
# learned anything, the layer treats some pixels otherwise than their neighbours. If the size of the kernel is
# a multiple of the stride, all pixels away from the border are painted equally often.

# %% [markdown]
# ## Pooling and up-sampling: layers without weights
#
# Three more layers change the size of images: two kinds of **[pooling](glossary.md#pooling)**, and up-sampling. Each treats every channel
# by itself. The windows of pooling usually lie side by side, with the stride $s = K$. Where they overlap, the gradients that they send back
# to one pixel add up, as in col2im.
#
# **Max pooling** keeps the largest number of each window. For the window $m$ with the numbers $x_{m1}, x_{m2}, \dots$
#
# $$
# y_m = \max_k x_{mk} = x_{m k^*}, \qquad k^* = \arg\max_k x_{mk} .
# $$
#
# A small change of the largest number changes $y_m$ by as much. A small change of any other number of the window
# changes nothing, because the largest one stays the largest. So the slope is 1 at $k^*$ and 0 elsewhere:
#
# $$
# dx_{mk} = dy_m\, [k = k^*] .
# $$
#
# The gradient goes to the *place* that the maximum was taken from, so the forward pass must keep what is
# needed to find this place again. If two numbers are equally large, the maximum has a corner, as the ReLU has at 0. The library gives
# the gradient to the first of them in reading order.
#
# **Average pooling** takes the mean. Each of the $K^2$ numbers has the same slope:
#
# $$
# y_m = \frac{1}{K^2} \sum_k x_{mk} \quad\Rightarrow\quad dx_{mk} = \frac{1}{K^2}\, dy_m .
# $$
#
# **Up-sampling** makes $s \times s$ equal pixels of each pixel, $y_{mk} = x_m$ for $k = 1 \dots s^2$. Here one number is
# used $s^2$ times, so its gradients add up:
#
# $$
# dx_m = \sum_{k} dy_{mk} .
# $$
#
# Compare average pooling with up-sampling: the backward pass of the one is the forward pass of the other, but for
# the factor $K^2$. Average pooling and up-sampling are adjoint to each other up to that factor.

# %%
source(sae.MaxPool2d.backward, sae.AvgPool2d.backward, sae.UpSample2d.backward)

# %% [markdown]
# In the library's code `x_at` holds one image for each place within the windows, so that the loop of
# `MaxPool2d` runs over the places $k$, and `free` says which windows have not found their maximum yet.
# `overlap_add` puts the windows back into an image, and adds where they overlap.

# %%
pool, mean_pool, repeat = sae.MaxPool2d(2), sae.AvgPool2d(2), sae.UpSample2d(2)
image = np.array([[3, 1, 0, 2], [2, 5, 4, 4], [0, 1, 1, 1], [7, 2, 1, 6]], float)
y = pool.forward(image[None, :, :, None])
given = np.array([[1.0, 2.0], [3.0, 4.0]])
back = pool.backward(given[None, :, :, None])[0, :, :, 0]
assert back[1, 1] == 1 and back[1, 2] == 2 and back[3, 0] == 3 and back[3, 3] == 4
assert back.sum() == given.sum()  # nothing is lost, and nothing is shared

large, small = rng.standard_normal((2, 6, 6, 3)), rng.standard_normal((2, 3, 3, 3))
left, right = (
    np.vdot(mean_pool.forward(large), small),
    np.vdot(large, repeat.forward(small)),
)
print(f"<pool x, y> = {left:+.6f},  <x, up y> / 4 = {right / 4:+.6f}")
assert np.isclose(left, right / 4)
for layer in (pool, sae.MaxPool2d(3, 2), mean_pool, repeat):
    report = sae.check_gradients(layer, rng.standard_normal((2, 5, 5, 2)))
    print(report)
    assert report.passed

# %% tags=["hide-input"]
drawn, axes = figure(7, 2.4, columns=4, width_ratios=[4, 2, 2, 4])
largest = back > 0
cells(axes[0], image, mark=largest, title="x")
cells(axes[1], y[0, :, :, 0], title="y")
cells(axes[2], given, title="dy")
cells(axes[3], back, mark=largest, title="dx")
for ax in (axes[0], axes[3]):
    for at in (0, 2, 4):
        ax.plot([0, 4], [at, at], color="black", linewidth=2)
        ax.plot([at, at], [0, 4], color="black", linewidth=2)
show(
    drawn,
    "max_pool",
    "An image of four by four numbers in four windows; the largest of each window is grey. Beside it the four maxima 5, 4, 7, 6, "
    "then the gradient 1, 2, 3, 4 that comes in, and the gradient of the image: 1, 2, 3 and 4 at the four grey places, 0 elsewhere.",
    "Max pooling, forward and backward. Each number of dy goes to the place (grey) that the maximum was taken from. "
    "In the upper right window two numbers are equal: the first gets the gradient.",
)

# %% [markdown]
# ## Phases: the same, fewer additions
#
# *Beyond the short path*; this section is about speed. `col2im` with a kernel of 3 × 3 adds nine times, once
# for each weight, and at stride 2 each addition goes to every second pixel, which NumPy does slowly. There is a
# better way, and it shows what a transposed convolution *is*. Look at one axis, and let $u$ be the number of an
# output pixel, $o$ that of an input pixel, and $i$ the offset of a weight in the kernel. The output $u$ gets
# something from every pair of $o$ and $i$ with $u = o s + i - p$. Divide $u + p$ by $s$, with remainder $a$:
#
# $$
# u + p = q s + a, \quad 0 \le a < s
# \qquad\Longrightarrow\qquad
# i = u + p - o s = a + (q - o)\, s = a + m s, \quad m = q - o .
# $$
#
# The remainder $a$ is called the **phase** of the output $u$. An output of phase $a$ sees only every $s$-th
# weight, $w[a], w[a + s], w[a + 2s], \dots$, and the input that meets $w[a + ms]$ is $o = q - m$:
#
# $$
# y[q s + a - p] = \sum_m w[a + m s]\; x[q - m] .
# $$
#
# This is an ordinary convolution of $x$ with a part of the kernel. It is the convolution of mathematics, in which the kernel is turned,
# because $m$ has a minus sign in $x[q - m]$. So along each axis a transposed convolution of stride $s$ consists of $s$ small convolutions,
# one for each phase, whose outputs are interleaved. In one dimension, with $p = 0$:

# %%
x1, w1, s = rng.standard_normal(5), rng.standard_normal(7), 3
painted = np.zeros((len(x1) - 1) * s + len(w1))
for o, value in enumerate(x1):
    painted[o * s : o * s + len(w1)] += value * w1
for a in range(s):
    # each phase an ordinary convolution
    assert np.allclose(painted[a::s], np.convolve(x1, w1[a::s]))
    print(
        f"phase {a}: weights {list(range(7))[a::s]}, outputs {list(range(len(painted)))[a::s]}"
    )

# %% [markdown]
# In two dimensions a kernel of 3 × 3 at stride 2 splits into four kernels, of 2 × 2, 2 × 1, 1 × 2
# and 1 × 1 weights: nine in all, each used once.

# %%
texts = [[f"{'AB'[j % 2]}{1 + i % 2}" for j in range(3)] for i in range(3)]
drawn, axes = figure(7, 2.7, columns=2, width_ratios=[3, 6])
first = np.array([[name == "A1" for name in row] for row in texts])
cells(axes[0], np.zeros((3, 3)), texts, mark=first, title="kernel: which phase uses it")
texts = [[f"{'AB'[j % 2]}{1 + i % 2}" for j in range(6)] for i in range(6)]
first = np.array([[name == "A1" for name in row] for row in texts])
cells(axes[1], np.zeros((6, 6)), texts, mark=first, title="output: which phase it is")
show(
    drawn,
    "phases",
    "A kernel of three by three whose cells are named A1, B1, A2, B2 by the parity of "
    "column and row: four A1, two B1, two A2, "
    "one B2. Beside it the output image with the same four names in every block of two"
    " by two pixels.",
    "Four phases at stride 2. The output pixels named A1 are made with the four kernel"
    " weights named A1, and so on.",
)

x = rng.standard_normal((2, 5, 4, 3))
up = sae.ConvTranspose2d(3, 2, 3, stride=2, rng=rng).to(dtype=np.float64)
y = up.forward(x)
parts = {}
for a in range(2):
    for b in range(2):
        part = up.W[a::2, b::2].transpose(0, 1, 3, 2)  # (KH', KW', Cin, Cout)
        KH, KW = part.shape[:2]
        plain = sae.Conv2d(3, 2, (KH, KW), padding=(KH - 1, KW - 1)).to(dtype=np.float64)
        plain.W[...] = part[::-1, ::-1]  # turned
        assert np.allclose(y[:, a::2, b::2], plain.forward(x))
        parts[a, b] = KH * KW
print("weights of each phase:", parts)
assert sum(parts.values()) == 9

# %% [markdown]
# The library takes the windows of $x$ once, for some images at a time. Then it makes one matrix product for each vertical phase, which
# computes all horizontal phases at once. The function `phases` finds out which weights belong to which phase, and
# `matmul_by_phases` arranges the kernel accordingly.

# %%
source(matmul_by_phases)

# %% [markdown]
# The next cell first prints what `phases` finds for an axis of 28 pixels that is made from 14. Each pair
# of output pixels looks at a window of 2 input pixels. For each phase, `offsets` lists pairs (place in the
# window, offset in the kernel): phase 0 takes the weight 1 alone, phase 1 takes the weights 2 and 0. Then the
# cell measures the time of `col2im` and of the phases on your machine, for the second layer of the decoder
# below and a batch of 128.

# %%
axis = phases(size=28, patches=14, kernel=3, stride=2, padding=1)
print(axis)
assert axis.window == 2 and axis.offsets == (((0, 1),), ((0, 2), (1, 0)))
y14 = rng.standard_normal((128, 7, 7, 32)).astype(np.float32)
W = rng.standard_normal((3, 3, 16, 32)).astype(np.float32)
settings = {"size": (14, 14), "stride": (2, 2), "padding": (1, 1)}


def plainly():
    return col2im(
        y14.reshape(-1, 32) @ W.reshape(-1, 32).T, (14, 14), (3, 3), (2, 2), (1, 1)
    )


def by_phases():
    return matmul_col2im(y14, W, **settings)


assert np.allclose(plainly(), by_phases(), atol=1e-3)
for name, function in (("col2im", plainly), ("by phases", by_phases)):
    times = []
    for _ in range(quick(20, 5)):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    print(f"{name:<10} {1e3 * min(times):5.2f} ms")

# %% [markdown]
# ## An experiment: the preset `conv`
#
# The preset `conv` has three convolutions in its encoder and three transposed ones in its decoder. The last
# kernel of the encoder is as large as what is left of the image, 7 × 7, so it fits in one place only,
# and the layer does what a dense layer does. Its 64 channels are the [code](glossary.md#code). After the
# picture, a table counts the parameters of each layer, and the products that the layer computes for one image.

# %%
source(conv)

# %% tags=["hide-input"]
boxes = [(28, 1), (14, 16), (7, 32), (1, 64), (7, 32), (14, 16), (28, 1)]
drawn, ax = figure(7, 2.6)
x_at, names = 0.0, ["3 × 3, stride 2"] * 2 + ["7 × 7"] * 2 + ["3 × 3, stride 2"] * 2
for i, (size, channels) in enumerate(boxes):
    left, right, half = x_at, x_at + 2 + channels / 5, size / 2
    back = 0.3 * size  # how far the rear of the box is shifted, up and to the right
    front = [(left, -half), (right, -half), (right, half), (left, half)]
    top = [
        (left, half),
        (right, half),
        (right + back, half + back),
        (left + back, half + back),
    ]
    side = [(right, half), (right, -half), (right + back, back - half), top[2]]
    for corners in (front, top, side):
        look = {"facecolor": plots.ORANGE if i == 3 else "#9ECAE9", "edgecolor": "black"}
        ax.add_patch(drawing.Polygon(corners, linewidth=0.8, **look))
    below = {"ha": "center", "va": "top", "fontsize": 8}
    ax.text((left + right) / 2, -half - 1, f"{size}×{size}\n×{channels}", **below)
    x_at = right + back + 9
    if i < 6:
        ax.annotate("", (x_at - 1, 0), (x_at - 8, 0), arrowprops={"arrowstyle": "->"})
        ax.text(x_at - 4.5, 1.5, names[i].replace(", ", "\n"), ha="center", fontsize=7)
ax.set(xlim=(-2, x_at), ylim=(-22, 26), xticks=[], yticks=[], aspect="equal")
ax.spines[:].set_visible(False)
ax.grid(visible=False)
show(
    drawn,
    "architecture",
    "Seven boxes from left to right, for the image and the output of each layer: 28 by 28 with 1 channel, 14 by 14 with 16, 7 by 7 with "
    "32, 1 by 1 with 64 channels, which is the code, and the same sizes back to 28 by 28 with 1. Between two boxes stands the "
    "kernel of the layer.",
    "The preset `conv`. Front: height; to the right: channels. What the image loses in size it gains in channels, up to the code.",
)

# %%
model = PRESETS["conv"].build(np.random.default_rng(0))
x = test[:1]
print(
    f"{'layer':<10} {'':<16} {'W':<16} {'output':<15} {'parameters':>10} {'products':>10}"
)
for name, layer in model.leaves():
    given, x = x, layer.forward(x)
    if "W" in layer.parameter_names:
        smaller = min(given, x, key=lambda image: image.shape[1] * image.shape[2])
        # each weight, at each place of the smaller image
        products = layer.W.size * smaller.shape[1] * smaller.shape[2]
        count = layer.W.size + layer.b.size
        print(
            f"{name:<10} {type(layer).__name__:<16} {layer.W.shape!s:<16} {x.shape!s:<15} {count:>10,} {products:>10,}"
        )
    else:
        print(f"{name:<10} {type(layer).__name__:<16} {'':<16} {x.shape!s:<15}")
assert x.shape == (1, 28, 28, 1) and model.parameter_count() == 210_369

# %% [markdown]
# We compare this network with two other models. The first is a dense autoencoder, 784-128-64-128-784. It has a code of 64 numbers too and
# about as many parameters, and it is trained in the same way. The second is [PCA](glossary.md#pca) with 64 directions. Errors are summed
# over the 784 pixels of an image, and averaged over images. **Predict** the order of the three.

# %%
images, epochs = quick(12_000, 2_500), quick(6, 3)
test_flat = test.reshape(-1, 784)


def squared_error(made, wanted):
    return float(((made - wanted) ** 2).reshape(len(wanted), -1).sum(axis=1).mean())


def trained(model, x):
    # a learning rate of 0.004, falling to 0
    optimizer = warm_cosine()(4e-3, epochs * -(-len(x) // 64))
    sae.fit(model, x, epochs=epochs, batch_size=64, optimizer=optimizer, progress=False)
    return model


draw = np.random.default_rng(0)
dense = sae.Autoencoder(
    stack([784, 128, 64], sae.ReLU, draw, last=None),
    stack([64, 128, 784], sae.ReLU, draw, last=sae.Sigmoid()),
    loss=sae.MSE(),
)
trained(model, train[:images])
trained(dense, train[:images].reshape(-1, 784))
pca = sae.PCA(64).fit(train[:images].reshape(-1, 784))

made = {
    "conv": np.concatenate(
        [model.reconstruct(test[i : i + 250]) for i in range(0, len(test), 250)]
    ),
    "dense": dense.reconstruct(test_flat),
    "PCA-64": pca.reconstruct(test_flat),
}
parameters = {
    "conv": model.parameter_count(),
    "dense": dense.parameter_count(),
    "PCA-64": 784 * 64 + 784,
}
error = {
    name: squared_error(pictures.reshape(-1, 784), test_flat)
    for name, pictures in made.items()
}
print(f"{images:,} training images, {epochs} epochs; test images, squared error per image:")
for name, value in error.items():
    print(f"{name:<8} {value:6.2f}   ({parameters[name]:,} numbers learned)")
if data_name() == "strokes":
    assert quick(error["conv"] < error["dense"], True)
    assert quick(error["conv"] < 3.0 < error["dense"] < 4.8 < error["PCA-64"] < 6.0, True)

# %% [markdown]
# On `strokes`, in a run that is not shortened by FAST, expect about 2.3 for `conv` (and always less than 3),
# about 3.8 for the dense net and about 5.4 for PCA. With about as many parameters and as many passes over the data, the net that knows which
# pixels are neighbours has the smallest error. It pays for that in time: a weight of a convolution is used
# at every place, so the same number of parameters means many more multiplications (the last
# column of the table above).

# %%
chosen = [
    int(np.flatnonzero(data.test_labels[: len(test)] == label)[0]) for label in range(10)
]
rows = {"image": test[chosen, :, :, 0]} | {
    name: m[chosen].reshape(-1, 28, 28) for name, m in made.items()
}
drawn, grid = figure(7, 2.9, rows=4, columns=10)
for line, (name, pictures) in zip(grid, rows.items(), strict=True):
    for ax, picture in zip(line, pictures, strict=True):
        ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
show(
    drawn,
    "reconstructions",
    "Ten test digits, one of each class, and their reconstructions from 64 numbers by "
    "the convolutional net, the dense net and PCA. "
    "The first is closest; PCA leaves grey shadows.",
    "Test images, and what each of the three makes of them from 64 numbers. Compare the thin strokes, and the "
    "background, in which PCA leaves grey shadows.",
)

# %% [markdown]
# What has the convolutional net learned? The first picture shows the 16 kernels of the first layer. The second follows one
# image through the layers: at half the resolution first, then at a quarter, and from the code back to
# the full size.

# %%
kernels = model.encoder.layers[0].W[:, :, 0].transpose(2, 0, 1)  # (16, 3, 3)
both_signs = sum(bool((kernel > 0).any() and (kernel < 0).any()) for kernel in kernels)
print(f"{both_signs} of the 16 kernels hold weights of both signs")
assert both_signs >= 12
drawn, grid = figure(7, 2.2, rows=2, columns=8)
for ax, kernel in zip(grid.flat, kernels, strict=True):
    shown = signed(ax, kernel, float(np.abs(kernels).max()))
    ax.set(xticks=[], yticks=[])
drawn.colorbar(shown, ax=grid, label="size of the weight", shrink=0.9)
show(
    drawn,
    "kernels",
    "The sixteen kernels of three by three weights of the first layer. Nearly all hold"
    " positive and negative weights, on different sides.",
    "The first layer's kernels; a bar marks a negative weight. Most compare one side "
    "of the window with the other.",
)

x, outputs = test[chosen[3]][None], {"input": test[chosen[3]]}
for name, layer in model.leaves():
    x = layer.forward(x)
    if not isinstance(layer, sae.Conv2d | sae.ConvTranspose2d):
        outputs[f"after {name}"] = x[0]
show(
    lambda path: plots.feature_maps(outputs, path, count=8),
    "feature_maps",
    "One digit, and below it the first eight channels after each activation: at half "
    "and a quarter of the resolution on the way "
    "down, growing again on the way up, the reconstruction at the end.",
    "One image on its way: the first 8 channels after each activation. Grey is 0, dark "
    "red positive; after a ReLU nothing is negative.",
)

# %% [markdown]
# Below is one training step of this trained network on three test images, with every number in it. It opens at the second convolution,
# $a_2 = \mathrm{im2col}(y_1)\, W_2 + b_2$. Point at a number of $a_2$: the page marks what it is made of, the same 3 × 3 places in all 16
# channels of $y_1$, which are 144 numbers, and one kernel of 144 weights.

# %%
step = sae.trace(model, test[:3], optimizer=sae.Adam(), numerical=False)
study_page(
    step,
    "conv",
    "One training step of the trained preset conv, on three test images.",
    "a₂",
)
read = step["a₂"].cell((0, 3, 3, 0)).operands
assert [sum(own == name for own, _ in read) for name in ("x", "W", "b")] == [144, 144, 1]

# %% [markdown]
# ### Checkerboards, and resize-then-convolve
#
# *Beyond the short path.* A stride of 2 with a kernel of 3 paints unevenly, as we saw. Does that show in what a decoder makes?
# [Odena et al. 2016](bibliography.md#odena-2016) found checkerboards in generated images, and proposed a
# cure: enlarge the image by up-sampling first, then let an ordinary convolution of stride 1 work on it. Then
# every pixel is made by the same nine weights, so a constant input gives a constant output, away from the
# border:

# %%
flat = np.ones((1, 8, 8, 4), np.float32)
strided = sae.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1, rng=rng)
after = sae.Conv2d(4, 1, 3, padding=1, rng=rng)
uneven = {
    "transposed": strided.forward(flat),
    "up-sampled": after.forward(sae.UpSample2d(2).forward(flat)),
}
for name, made_flat in uneven.items():
    inner = made_flat[0, 3:-3, 3:-3, 0]
    print(f"{name}: {len(np.unique(inner.round(4)))} different values for a constant input")
assert len(np.unique(uneven["transposed"][0, 3:-3, 3:-3].round(4))) == 4
assert np.ptp(uneven["up-sampled"][0, 3:-3, 3:-3]) < 1e-5

# %% [markdown]
# Now replace the two strided layers in the decoder of the preset `conv` in this way; the number of weights stays
# the same. The two strides together make 4, so there are 4 × 4 phases: a pixel's phase is the pair of
# remainders that its row and its column leave when they are divided by 4. For each phase we compute the mean of output minus input. The spread of
# these 16 means measures unevenness; it would be near 0 if all phases were treated alike. We measure it for the
# network that was trained above, and for both kinds of decoder after one short epoch.


# %%
def resized(rng):
    decoder = sae.Sequential(
        *(sae.ConvTranspose2d(64, 32, 7, rng=rng), sae.ReLU()),
        *(sae.UpSample2d(2), sae.Conv2d(32, 16, 3, padding=1, rng=rng), sae.ReLU()),
        *(sae.UpSample2d(2), sae.Conv2d(16, 1, 3, padding=1, rng=rng), sae.Sigmoid()),
    )
    return sae.Autoencoder(conv(rng).encoder, decoder, loss=sae.MSE())


def unevenness(model):
    """The spread of the mean error over the 16 phases of the image."""
    error = (model.reconstruct(test[:500]) - test[:500])[..., 0].astype(np.float64)
    return np.std([error[:, a::4, b::4].mean() for a in range(4) for b in range(4)])


spread = {"transposed, trained above": unevenness(model)}
for name, build in (("transposed", conv), ("up-sampled", resized)):
    short = build(np.random.default_rng(0))
    assert short.parameter_count() == 210_369
    sae.fit(
        short,
        train[:2500],
        epochs=1,
        batch_size=64,
        optimizer=sae.Adam(4e-3),
        progress=False,
    )
    spread[f"{name}, one short epoch"] = unevenness(short)
for name, value in spread.items():
    print(f"{name:<28} spread of the mean error over the phases: {value:.4f}")
if data_name() == "strokes":
    assert (
        spread["transposed, one short epoch"] > 1.5 * spread["up-sampled, one short epoch"]
    )
    assert quick(spread["transposed, trained above"] < 0.003, True)

# %% [markdown]
# After one short epoch the errors of the transposed layers differ from phase to phase. The errors of the up-sampled layers differ much less.
# The net that was trained longer has learned weights that paint evenly. Up-sampling has a price: its convolutions use all nine weights at
# each place of the *large* image, where a transposed layer uses them at each place of the small one. So it takes four times as many
# multiplications.

# %% [markdown]
# ## What to change for MNIST
#
# `scratchae tutorial 8 --data mnist` runs this chapter on MNIST, in the same time. There `conv`
# ends at a squared error near 4.6 per image, the dense net near 6.2 and PCA near 7.4. The full preset,
# `scratchae train conv --data mnist` (59,000 images, 10 epochs), takes 22 s on two cores of an
# AMD EPYC. With three seeds it reached 1.94 to 2.00 per image on the 10,000 test
# images, where PCA-64 leaves 7.09 (`benchmarks/README.md`).

# %% [markdown]
# ## Exercises
#
# 1. `im2col` as a loop over the places. After *The same as a matrix product: im2col*. ★★, 15 minutes.

# %%
exercise("08_im2col")

# %% [markdown]
# 2. The backward pass of a convolution, given `im2col` and `col2im`. After *Backward, with shapes*. ★★, 15 minutes.

# %%
exercise("08_conv")

# %% [markdown]
# 3. The transposed convolution, both passes, with the same two functions. After *The adjoint, as a layer*. ★★★, 25 minutes.

# %%
exercise("08_conv_transpose")

# %% [markdown]
# 4. Max pooling, forward and backward. After *Pooling and up-sampling*. ★★, 15 minutes.

# %%
exercise("08_maxpool")

# %% [markdown]
# **Derive.**
#
# 5. ★, 3 minutes, after *The same as a matrix product*. What does a convolution with a kernel of 1 × 1 compute, and what is its im2col?
# 6. ★, 3 minutes, after *The same as a matrix product*. A layer has stride 2, kernel 3, padding 1. How many times as large as its
#    input is `columns`?
# 7. ★★, 10 minutes, after *The receptive field*. You stack convolutions with kernel 3 and stride 1. How many does it take until a number sees
#    28 pixels across? How many if every layer is followed by average pooling over 2 × 2 with stride 2?
# 8. ★★, 10 minutes, after *It does not undo the convolution*. Let $A$ be the matrix of a convolution whose kernel is as large as its stride.
#    When is $A A^\top = I$? What is $A^\top A$ then?
#
# **Explore.**
#
# 9. ★★, 10 minutes, after *An experiment*. Swap *all* pixels of all images by one fixed permutation, `rng.permutation(784)`, and train both
#    nets again. Which of the two is hurt?
# 10. ★★★, 30 minutes, after *Checkerboards*. Train `resized` as long as `conv` was trained, and note time and error of both. Then let both
#     train for the same *time*.
#
# <details><summary>Answers</summary>
#
# 5\. It is a dense layer from $C$ to $D$ numbers, applied at every pixel. im2col only reshapes.
#
# 6\. About $9/4$ times as large: nine numbers for each place, and a quarter as many places as pixels. The cell below counts.
#
# 7\. Each layer adds 2, so $1 + 2l \ge 28$ needs 14 layers. With pooling, a layer adds $2j$ to the field and its pooling adds $j$. Then the
# pooling makes $j$ twice as large. So the field is $1 + 3 (1 + 2 + 4 + \dots)$, that is 4, 10, 22, 46. So it takes four layers.
#
# 8\. The windows lie side by side, so each row of $A$ has its own pixels, and rows of different places are orthogonal. $AA^\top = I$ if the
# $D$ kernels, each written as one row of weights, are [orthonormal](mathematics.md#orthonormal-directions-projection-rank). Then $A^\top A$
# is the projection onto what the kernels can express: $\mathrm{ConvT}(\mathrm{Conv}(x))$ is the point nearest to $x$ that the layer can
# paint.
#
# 9\. The convolutional net, because after the permutation neighbouring pixels have nothing to do with each other. For the dense net the
# permutation only changes the order of the rows of its first $W$ and of the columns of its last one.
#
# 10\. Run it and see. The comparison at equal time depends on the machine.
#
# </details>

# %% tags=["hide-cell"]
x = rng.standard_normal((2, 6, 6, 3))
assert np.allclose(im2col(x, (1, 1)), x.reshape(-1, 3))  # 5
big = np.zeros((1, 28, 28, 8))
print(
    "6. columns is", im2col(big, (3, 3), (2, 2), (1, 1)).size / big.size, "times as large"
)
assert im2col(big, (3, 3), (2, 2), (1, 1)).size / big.size == 9 / 4
field, apart, pooled = 1, 1, []
while field < 28:  # 7: kernel 3, then pooling over 2 with stride 2
    field, apart = field + 2 * apart + apart, 2 * apart
    pooled.append(field)
print("7. fields after layers with pooling:", pooled)
assert pooled == [4, 10, 22, 46]
turned, _ = np.linalg.qr(rng.standard_normal((4, 2)))  # 8: two orthonormal kernels of 2 × 2
side = sae.Conv2d(1, 2, 2, stride=2).to(dtype=np.float64)
side.W[...] = turned.reshape(2, 2, 1, 2)
A = np.stack(
    [side.forward(unit.reshape(1, 4, 4, 1)).ravel() for unit in np.eye(16)], axis=1
)
assert np.allclose(A @ A.T, np.eye(8)) and np.allclose(A.T @ A @ A.T @ A, A.T @ A)

# %% [markdown]
# ## Further reading
#
# - [Dumoulin and Visin 2016](bibliography.md#dumoulin-2016): strides and paddings, drawn.
# - [Odena et al. 2016](bibliography.md#odena-2016): the checkerboards, with many pictures.
#
# ## What to read in the source next
#
# - `scratchae/layers/patches.py`, whole: the comments say what each trick saves, and
#   `tests/reference.py` has the slow twins that it is tested against.
# - `scratchae/layers/pooling.py`: windows again, without weights.
# - `tests/layers/test_convolution.py`: the adjoint identity on random shapes.
#
# [Chapter 09](09_denoising.py) goes on: what does an autoencoder learn whose input is damaged?
