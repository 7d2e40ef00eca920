"""Find the bug: tanh.

    y = tanh(x),  dy/dx = 1 - tanh²(x)

One line is wrong. Near x = 0 the mistake is hard to see in the numbers: why?

Check:  scratchae check 03_bug_tanh
"""

import numpy as np


class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)
