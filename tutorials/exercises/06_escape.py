"""The way down from a point where training rests.

A linear autoencoder without biases, for centred data X (N, D), with a code of k numbers:

    L = 1/N ‖X W₁ W₂ - X‖²           W₁ (D, k), W₂ (k, D)

At the W₁ and W₂ that you are given both gradients are 0, and the rank of W₂ is below k. Gradient descent
stays there for ever, and yet it is no minimum. Find the way down:

    u (k,)   a unit vector with uᵀ W₂ = 0: what the code has to offer and the decoder does not use.
             np.linalg.svd(W2) gives U, S, Vᵀ with the k columns of U orthonormal; which of them is it?
    v (D,)   of the eigenvectors of C = XᵀX / N that W₂ leaves out, W₂ v = 0, the one with the largest
             eigenvalue λ. np.linalg.eigh(C) gives them as columns, the smallest eigenvalue first.

Then change W₁ by ε times a matrix made of v and u, and W₂ by ε² times another, so that W₁ W₂ gets the term
ε³ v vᵀ. The loss falls by 2 ε³ λ. (Why not both by ε? Multiply out, and see what W₁ u vᵀ costs.)

Check:  scratchae check 06_escape
"""

import numpy as np


def escape(X, W1, W2, epsilon):
    """(u, v, W1, W2): the two vectors, and the new weights. X, W1 and W2 themselves are not changed."""
    raise NotImplementedError("u, v, then W₁ + ε …, W₂ + ε² …")
