"""The area under the ROC curve, from scores.

scores is (N,): the larger, the more unusual. unusual is (N,), bool. The area is the share of the pairs, one
unusual and one usual example, in which the unusual one has the larger score. A pair with equal scores counts ½.

Comparing all pairs is right. With a sort it takes far fewer steps, but then mind the equal scores.

Check:  scratchae check 17_auc
"""

import numpy as np


def auc(scores, unusual):
    """The share of pairs in the right order, one number."""
    raise NotImplementedError("compare each unusual score with each usual one")
