"""The backward pass of masking noise.

A denoising autoencoder sees its input with pixels missing:

    y = x · mask        mask, of the shape of x, is 0 with probability `rate`, else 1

In inference (rng is None) nothing is masked. The mask is drawn in `forward` and kept. Which
gradient does a pixel get that was set to 0? And in inference?

Check:  scratchae check 09_masking_noise
"""


class MaskingNoise:
    def __init__(self, rate):
        self.rate = rate
        self.mask = None

    def forward(self, x, rng=None):
        if rng is None:
            self.mask = None
            return x
        self.mask = (rng.random(x.shape) >= self.rate).astype(x.dtype)
        return x * self.mask

    def backward(self, dy):
        raise NotImplementedError("return ∂L/∂x, in training and in inference")
