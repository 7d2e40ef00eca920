"""All gradients of a network with any number of layers.

The lists Ws, bs and fs have an entry for each layer l = 1 … M. With y₀ = x,

    a_l = y_{l-1} W_l + b_l             (N, H_l)
    y_l = f_l(a_l)                      element by element

Each entry of fs is a function that returns two arrays, the values and the slopes: y, slope = f(a).
The loss of the output and the target t is L = 1/N Σₙ Σⱼ (yₙⱼ - tₙⱼ)².

Return (L, dWs, dbs) with two lists in the order of Ws and bs. Write one loop forward, which keeps what
the loop backward needs, and one loop backward. A network of one layer is a network, too.

Check:  scratchae check 02_L_layers
"""


def any_layers(x, t, Ws, bs, fs):
    """(L, dWs, dbs)."""
    ys, slopes = [x], []
    for W, b, f in zip(Ws, bs, fs, strict=True):
        y, slope = f(ys[-1] @ W + b)
        ys.append(y)
        slopes.append(slope)
    L = ((ys[-1] - t) ** 2).sum() / len(x)

    dy, dWs, dbs = 2 * (ys[-1] - t) / len(x), [], []
    for l in reversed(range(len(Ws))):  # noqa: E741
        da = dy * slopes[l]  # y = f(a)
        dWs.insert(0, ys[l].T @ da)  # a = y W + b; ys[0] is x
        dbs.insert(0, da.sum(axis=0))
        dy = da @ Ws[l].T
    return L, dWs, dbs
