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
    raise NotImplementedError(
        "forward, with each y and slope kept; then da of the last layer, and back layer by layer"
    )
