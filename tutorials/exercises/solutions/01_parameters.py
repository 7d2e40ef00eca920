"""How many numbers does an autoencoder learn?

A dense autoencoder is a chain of layers y = x W + b. Between sizes n and m, W is (n, m) and b is (m,).
The sizes are given as a list, input first: [784, 32, 784] compresses 784 pixels to 32 numbers
and back.

Check:  scratchae check 01_parameters
"""


def parameters(sizes):
    """The number of weights and biases of a dense network with these layer sizes."""
    return sum(n * m + m for n, m in zip(sizes, sizes[1:], strict=False))
