"""The bits that rounded numbers cost.

z is (N, D). Its columns are normal with mean mu (D,) and standard deviation sigma (D,), and are coded one by
one. Each number becomes the whole number k = round(z / step), and k costs -log₂ of its probability, which is
that of all numbers that are rounded to k. `normal` is the probability that a number of mean 0 and standard
deviation 1 is smaller than x.

Then think: if the step is halved, how many more bits does an example cost, as long as the step is small?

Check:  scratchae check 17_bits
"""

import math

import numpy as np

normal = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))


def bits(z, mu, sigma, step):
    """The bits that each example costs, (N,)."""
    raise NotImplementedError(
        "round, find the two ends of the interval, and take the logarithm"
    )
