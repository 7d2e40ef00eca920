# %% [markdown]
# # 08 · Convolution as a matrix product, and its adjoint
#
# *How can one small kernel, used at every place, be learned, and what runs backward through it?*
#
# **Time** 45 minutes to read, 10 s to run on two cores.

# %% [markdown]
# ## The question
#
# A dense layer does not know that two pixels are neighbours: shuffle the pixels of every image in
# the same way, and it learns as well as before. It also learns each place anew. A stroke that it
# can draw in the upper left is a stroke that it has never seen in the lower right.
#
# A **[convolution](glossary.md#convolution)** looks at an image through a small window, and uses
# the same few weights, the **[kernel](glossary.md#kernel)**, wherever the window stands. This
# chapter answers three questions about it. How does it become one matrix product? What is its
# backward pass? And which layer makes an image larger again, as the decoder of an autoencoder
# must?
#
# All three have one answer: a convolution is a matrix, and its backward pass, like that of every
# linear layer, is the transpose of that matrix.

# %%
import time

import matplotlib.patches as drawing
import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.layers.patches import col2im, im2col, matmul_by_phases, matmul_col2im, phases
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
# The kernel below has 3 × 3 weights: +1 on the left, −1 on the right. At each place it adds up
# the ink to the left of the place and subtracts the ink to its right, so that it answers where
# ink begins or ends from left to right. One kernel of 9 weights and one [bias](glossary.md#bias)
# does it for the whole image.

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
# If $T$ moves an image, then $\mathrm{conv}(Tx) = T\,\mathrm{conv}(x)$, at stride 1 and wherever
# the border does not interfere: the layer is **equivariant** to shifts. A dense layer of the same
# input and output would have to learn that, with a weight for each pair of pixels.

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
# where $x$ counts as 0 outside of the image. Written as it is read, that is seven loops; NumPy
# can spare us four of them:

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
# A word about the name. In mathematics a convolution turns the kernel round; without the turn it
# is a *correlation*. The field says convolution for the second, and so does this library: as the
# kernel is learned, it learns the turned one.

# %%
line, kernel = np.arange(6.0) ** 2, np.array([1.0, 2.0, 4.0])
assert np.allclose(
    np.correlate(line, kernel, "valid"), np.convolve(line, kernel[::-1], "valid")
)

# %% [markdown]
# ## The same as a matrix product: im2col
#
# Take an image of 4 × 4 pixels and number them 0 to 15. A kernel of 3 × 3 fits in 4 places. Lay
# the 9 pixels that it sees at each place in a row: a matrix of 4 rows and 9 columns. Lay the
# kernel in a column of 9 weights. Their product is the 4 numbers of $y$.
#
# This step from image to matrix is called **[im2col](glossary.md#im2col)**. With the numbers of
# the pixels in place of their values:

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
# In general, with a row for each image and place, and a column for each offset in the window and
# channel,
#
# $$
# \underset{(N \cdot O_H \cdot O_W,\; K_H K_W C)}{\mathrm{columns}} = \mathrm{im2col}(x), \qquad
# \underset{(N \cdot O_H \cdot O_W,\; D)}{y} = \mathrm{columns}\;
# \underset{(K_H K_W C,\; D)}{W} + \underset{(D)}{b},
# $$
#
# where $W$ is the kernel of before with its first three axes run together, which costs nothing:
# they are already neighbours in memory. A convolution is a dense layer that is applied to every
# window. A matrix product is what processors do best, so the copies that im2col makes,
# $K_H K_W / s^2$ times the image, are worth it.
#
# The library's own code, whole:

# %%
source(im2col, sae.Conv2d.forward)

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
# Three rules of thumb follow. With $s = 1$ and $p = (K - 1)/2$ the size stays. With $s = 2$,
# $K = 3$, $p = 1$ it is halved, rounded up. And the floor forgets: images of 27 and of 28 pixels
# both become 14. We shall need that when we go back.

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
# ## Backward, with shapes
#
# Two steps forward, `columns = im2col(x)` and `y = columns W + b`; two steps backward, in
# reverse. The second is a dense layer, whose backward pass [chapter 02](02_backpropagation.py)
# has derived. With $M = N \cdot O_H \cdot O_W$ rows and $dy = \partial L / \partial y$ laid out
# as $(M, D)$:
#
# $$
# \underset{(K_H K_W C,\, D)}{dW} = \underset{(K_H K_W C,\, M)}{\mathrm{columns}^\top}\; \underset{(M, D)}{dy}, \qquad
# \underset{(D)}{db} = \sum_{m=1}^{M} dy_m, \qquad
# \underset{(M,\, K_H K_W C)}{d\mathrm{columns}} = \underset{(M, D)}{dy}\; \underset{(D,\, K_H K_W C)}{W^\top} .
# $$
#
# Note what the sum over rows does: $M$ counts images *and places*. One kernel was used at every
# place, so it gets the sum of what all places ask for.
#
# The first step, im2col, has no parameters. It copies: entry $(m, k)$ of `columns` is one number
# of $x$, or a 0 of the padding. Number the pixels of $x$ by $u$. Then im2col is multiplication by
# a matrix $P$ of zeros and ones,
#
# $$
# \mathrm{columns}_{mk} = \sum_u P_{(mk),\,u}\; x_u, \qquad
# P_{(mk),\,u} = 1 \text{ if pixel } u \text{ is what entry } (m, k) \text{ copies, else } 0,
# $$
#
# and the chain rule sums over everything that depends on $x_u$:
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
# In words: every copy's gradient is **added** at the place that it was copied from. That is the
# function **col2im**. Here $P$ is, for the image of 4 × 4, with its entries drawn.

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
# Two lines for the parameters, one for $dx$. `matmul_col2im(dy, W, …)` is
# $\mathrm{col2im}(dy\, W^\top)$; why it is one function and not two calls is the subject of the
# section on phases below.

# %%
source(sae.Conv2d.backward, sae.Conv2d.backward_parameters, col2im)

# %% [markdown]
# ## Checking it
#
# Each gradient against central differences, as in [chapter 03](03_gradient_check.py): with a
# stride, padding, two channels, and a rest that the stride leaves.

# %%
small = rng.standard_normal((2, 6, 5, 2))
report = sae.check_gradients(
    sae.Conv2d(2, 3, kernel_size=3, stride=2, padding=1, rng=rng), small
)
print(report)
assert report.passed

# %% [markdown]
# **Break it.** Let col2im *write* at the place where it should *add*: `=` in place of `+=`.
# Before you run the next cell: which of the three gradients will be wrong? And for which stride
# would nobody notice?

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
# Only $dx$ is wrong: `dW` and `db` never pass through col2im. And with a stride of 3 the windows
# of 3 × 3 lie side by side, each pixel is copied at most once, and there is nothing to add. Two
# lessons: check a layer at more than one setting; and check $dx$, which a network of one layer
# never uses.

# %% [markdown]
# ## The adjoint, as a layer: transposed convolution
#
# Leave $b$ out. A convolution is then a linear map from the pixels of $x$ to those of $y$: there
# is a matrix $A$, made of the kernel's numbers and zeros, with $y = A x$. Its backward pass is
# $dx = A^\top dy$: from the small image to the large one. A decoder wants a layer that goes this
# way *forward*. The **[transposed convolution](glossary.md#transposed-convolution)** is that
# layer:
#
# $$
# \underset{(H W C)}{x'} = \underset{(H W C,\; O_H O_W D)}{A^\top}\; \underset{(O_H O_W D)}{y'}
# = \mathrm{col2im}(y'\, W^\top) .
# $$
#
# Each pixel of $y'$ *paints* the kernel into $x'$, in its own strength, and what overlaps adds
# up. And its backward pass is $(A^\top)^\top = A$: the ordinary convolution. Two layers, two
# passes each, and only two functions between them.
#
# The transpose of a matrix is also called its **[adjoint](glossary.md#adjoint)**, and has a
# property that we can test without ever writing the matrix down. With
# $\langle u, v\rangle = \sum_i u_i v_i$,
#
# $$
# \langle A x, y\rangle = \sum_{i} \Big(\sum_j A_{ij} x_j\Big) y_i = \sum_j x_j \Big(\sum_i A_{ij} y_i\Big)
# = \langle x, A^\top y\rangle \qquad\text{for all } x, y .
# $$
#
# The layer has weights as well. Its forward pass is two lines, with $x$ for its input, a row for
# each pixel, and $W$ as a matrix: $C = x W^\top$, then $y = \mathrm{col2im}(C) + b$. Backward, the
# bias gets the sum of $dy$ over images and pixels. `col2im` is linear, and its adjoint is `im2col`, so
#
# $$
# \begin{aligned}
# dC &= \mathrm{im2col}(dy), \\
# C_{mk} = \sum_d x_{md} W_{kd} \;\Rightarrow\; dW_{kd} &= \sum_m dC_{mk}\, x_{md}, \\
# dW &= dC^\top x, \quad dx = dC\, W .
# \end{aligned}
# $$
#
# There is a second way to see $dW$: $\langle A x, y\rangle$ and $\langle x, A^\top y\rangle$ are the same number,
# so its derivative by $W$ is the same, whether a convolution computes it or a transposed one.

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
# One random $x$ and $y$ test all entries of $A$ at once: two evaluations, where a gradient check
# needs two *for each number*. If $A^\top$ were wrong in one entry, the two sides would agree only
# by a coincidence of probability zero. For a single channel and a small image we can afford the
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
    "The same nine weights in every row (cut at the border), the rest zeros; a bar "
    "marks a negative weight. Beside it the layer that goes back.",
)

# %% [markdown]
# ### It does not undo the convolution
#
# The layer is also sold as "deconvolution". **Wrong:** $\mathrm{ConvT}(\mathrm{Conv}(x)) = x$.
# **Right:** it is $A^\top A\, x$, and $A^\top$ is the inverse of $A$ only if $A$ is [orthogonal](mathematics.md#orthonormal-directions-projection-rank).
# Here it cannot even be invertible: $A$ takes 25 numbers to 9, so at most 9 of 25 directions
# survive (its **rank**). But also at stride 1 with padding, where $A$ is square, $A^\top A$ is no
# identity: it blurs twice.

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
# Why is it the right layer all the same? Because a decoder need not invert: it learns its own
# kernel, and needs a linear map of the right *shape*, local and equivariant, from small images to
# large ones.
#
# ### Sizes on the way back
#
# Solve $O = \lfloor (H + 2p - K)/s \rfloor + 1$ for $H$. Without the floor,
# $H = (O - 1)s - 2p + K$. With it, the $s$ sizes $H, H+1, \dots, H + s - 1$ all came to the same
# $O$; **output padding** $e < s$ says which one is wanted:
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
# How evenly does it paint? Give it ones and a kernel of ones: each output pixel then counts how
# often it is painted.

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
# With a kernel of 3 the pixels are painted 1, 2 or 4 times, in a checkerboard: before it has
# learned anything, the layer favours some pixels over their neighbours. Where the kernel is a
# multiple of the stride, all pixels (away from the border) are painted equally often.

# %% [markdown]
# ## Phases: the same, fewer additions
#
# `col2im` at stride 2 adds up nine images of strided pixels, which NumPy does slowly. There is a
# better way, and it shows what a transposed convolution *is*. Look at one axis. Output $u$ gets
# something from every $o$ and $i$ with $u = o s + i - p$. Divide with remainder:
#
# $$
# u + p = q s + a, \quad 0 \le a < s
# \qquad\Longrightarrow\qquad
# i = u + p - o s = a + (q - o)\, s = a + m s, \quad m = q - o .
# $$
#
# So an output of **phase** $a$ sees only every $s$-th weight, $w[a], w[a + s], w[a + 2s], \dots$:
#
# $$
# y[q s + a - p] = \sum_m w[a + m s]\; x[q - m] .
# $$
#
# That is an ordinary convolution (this time with the kernel turned) of $x$ with a part of the
# kernel. A transposed convolution of stride $s$ is $s$ small convolutions along each axis, one
# for each phase, with their outputs interleaved. In one dimension, with $p = 0$:

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
# The library takes the windows of $x$ once, and computes the phases of a row of pixels by one
# matrix product. The function `phases` finds which weights go where; `matmul_by_phases`
# rearranges the kernel so. What it saves on your machine, for the second layer of the decoder
# below (batch of 128), beside the plain way:

# %%
source(matmul_by_phases)

# %% [markdown]
# For an axis of 28 pixels made from 14: each pair of output pixels looks at a window of 2 input
# pixels. The `offsets` list for each phase pairs of (place in the window, offset in the kernel):
# phase 0 takes weight 1 alone, phase 1 takes weights 2 and 0.

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
# Three convolutions down, three transposed ones up. The last kernel of the encoder is as large as
# what is left of the image, 7 × 7, so that it is a dense layer in other words; its 64 channels
# are the [code](glossary.md#code).

# %%
source(conv)

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
# Beside it a dense autoencoder, 784-128-64-128-784, with a code of 64 and about as many
# parameters, trained in the same way; and [PCA](glossary.md#pca) with 64 directions. Errors are
# summed over the 784 pixels of an image, and averaged over images.

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
# Expected on `strokes`, without FAST: `conv` below 3 (about 2.3), the dense net about 3.8, PCA
# about 5.4. With as many parameters and as many passes over the data, the net that knows which
# pixels are neighbours has the smallest error. It pays in time: a weight of a convolution is used
# at every place, so that the same number of parameters means many more multiplications (last
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
    "Test images and what is left of them after 64 numbers.",
)

# %% [markdown]
# What has it learned? The first layer's 16 kernels, and one image on its way through the layers:
# edges and blobs first, at half the resolution, then coarser, and from the code back to a
# picture.

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
    "One image on its way: the first 8 channels after each activation. White is 0; "
    "after a ReLU nothing is negative.",
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
# ## What to change for MNIST
#
# `scratchae tutorial 8 --data mnist` runs this chapter on MNIST, in the same time: there `conv`
# ends near 4.6 per image, the dense net near 6.2 and PCA near 7.4. The full preset,
# `scratchae train conv --data mnist` (59,000 images, 10 epochs), takes 22 s on two cores of an
# AMD EPYC. With three seeds it reached 1.94 to 2.00 per image on the 10,000 test
# images, where PCA-64 leaves 7.09 (`benchmarks/README.md`).

# %% [markdown]
# ## Exercises
#
# 1. `im2col` as a loop over the places, for one image.
# 2. The backward pass of a convolution, given `im2col` and `col2im`.
# 3. The transposed convolution, both passes: the adjoint, with the same two functions.

# %%
for name in ("08_im2col", "08_conv", "08_conv_transpose"):
    exercise(name)

# %% [markdown]
# Without code:
#
# 4. What does a convolution with a kernel of 1 × 1 compute, and what is its im2col?
# 5. A layer has stride 2, kernel 3, padding 1. How many times larger than its input is `columns`?
# 6. Average pooling over windows of 2 × 2 is linear. What is its backward pass? What is that of
#    up-sampling by repetition?
# 7. Swap *all* pixels of all images by one fixed permutation. Which of the two nets above is
#    hurt?
#
# *Answers:* 4. A dense layer from $C$ to $D$ numbers, at every pixel; im2col only reshapes. 5.
# About $9/4$: nine offsets, a quarter of the places.
# 6. Each of the four pixels gets a quarter of the gradient; up-sampling's is the sum over each
#    window. The two are adjoint to each other, up to the factor 4. 7. The convolutional one. For
#    the dense one it only permutes the rows of its first $W$ and the columns of its last. The
#    next cell checks 4, 5 and 6.

# %%
x = rng.standard_normal((2, 6, 6, 3))
assert np.allclose(im2col(x, (1, 1)), x.reshape(-1, 3))
big = np.zeros((1, 28, 28, 8))
assert im2col(big, (3, 3), (2, 2), (1, 1)).size / big.size == 9 / 4
pool, repeat = sae.AvgPool2d(2), sae.UpSample2d(2)
y = rng.standard_normal((2, 3, 3, 3))
assert np.isclose(np.vdot(pool.forward(x), y), np.vdot(x, repeat.forward(y)) / 4)

# %% [markdown]
# ## Further reading
#
# - [Dumoulin and Visin 2016](bibliography.md#dumoulin-2016): strides and paddings, drawn.
# - [Odena et al. 2016](bibliography.md#odena-2016): the checkerboards, and a way around them.
#
# ## What to read in the source next
#
# - `scratchae/layers/patches.py`, whole: the comments say what each trick saves, and
#   `tests/reference.py` has the slow twins that it is tested against.
# - `scratchae/layers/pooling.py`: windows again, without weights.
# - `tests/layers/test_convolution.py`: the adjoint identity on random shapes.
# - [Dumoulin and Visin 2016](bibliography.md#dumoulin-2016) draw every combination of stride and
#   padding.
#
# [Chapter 09](09_denoising.py) goes on: what does an autoencoder learn whose input is damaged?
