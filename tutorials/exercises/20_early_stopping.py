"""Early stopping for a loop of your own.

A loop calls `stop = early.see(loss, parameters)` after each epoch with the validation loss and the vector of
parameters, and ends when that is True. Then it calls `early.put_back(parameters)`:

    early = EarlyStopping(patience=3)
    for epoch in range(100):
        ...                                  # an epoch, which changes `parameters` in place
        if early.see(loss, parameters):
            break
    early.put_back(parameters)

`see` is True when `patience` epochs in a row have not been better than the best so far. Better means a
smaller loss; an equal one is not better. `put_back` gives the vector the values of the best epoch, in place.

Check:  scratchae check 20_early_stopping
"""

import numpy as np


class EarlyStopping:
    def __init__(self, patience):
        self.patience = patience
        self.best, self.since, self.kept = np.inf, 0, None

    def see(self, loss, parameters):
        """An epoch has ended. Whether to stop."""
        raise NotImplementedError("is it the best so far? keep it, or count")

    def put_back(self, parameters):
        """Give the vector the values of the best epoch, in place."""
        raise NotImplementedError("what was kept")
