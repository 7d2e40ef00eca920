"""The face for scikit-learn: three transformers and an outlier detector that keep its conventions.

    pip install 'scratchae[sklearn]'

    from scratchae.estimators import AutoencoderTransformer
    make_pipeline(AutoencoderTransformer(code=8, random_state=0), LogisticRegression()).fit(X, y)

They add nothing to the mathematics: networks are those of the presets `table`, `vae-400` and `rbm` in the width of X, `fit` trains them,
`uses` encodes and scores. X (N, D) is a dense table. If X lies in [0, 1], networks see it as it is, and say what they rebuild by a
sigmoid; any other X is standardised first, column by column, by a StandardScaler. `transform` gives codes, `inverse_transform` goes back to the units of X.

They compute in the dtype of the X that they were fitted to, float64 or float32; float32 is the faster one. The same `random_state` gives the same numbers.
After `fit` there are `model_`, the scratchae model, `history_`, the loss of each epoch, `scaler_`, None if X was taken as it is, and scikit-learn's own
`n_features_in_` and `feature_names_in_`. scikit-learn refuses sparse X, NaN, a single row and another width than before, each with a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from . import uses
from .arguments import flag, number, refuse, sizes, whole
from .backend import way_to_floats, what_it_holds
from .errors import ArrayTypeError, ShapeError
from .models import RBM, Model
from .presets import PRESETS, Form
from .presets.dense import code_of_table
from .training import fit

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils import check_array, check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "scratchae.estimators needs scikit-learn 1.6 or newer, which is not installed: pip install 'scratchae[sklearn]'"
    ) from error

FLOATS = [np.float64, np.float32]
OWN = "a function (rng, form) that returns a model, such as scratchae.presets.PRESETS['deep'].build"


class Trained(BaseEstimator):
    """What the four have in common: X is checked and scaled, a model is built in its width and trained."""

    preset: ClassVar[str]  # whose optimizer trains, and whose network it is unless `network` builds another
    kind: ClassVar[str | None] = None  # of the score; None: what suits the model

    def fit(self, X: Any, y: Any = None) -> Trained:
        """Scale X (N, D), build a network in its width, and train it to rebuild X. y is ignored.

        Raises OptionError for a parameter that cannot be used, DeviceError for a device, DivergenceError if the loss becomes NaN.
        """
        self.learned(self.checked(X, ensure_min_samples=2))
        return self

    def learned(self, X: np.ndarray) -> np.ndarray:
        """Learn from X, which has been checked; returns it scaled."""
        epochs, batch_size = whole(self, "epochs", self.epochs), whole(self, "batch_size", self.batch_size)
        unit = bool(X.min() >= 0 and X.max() <= 1)
        lr, steps = self.rate(unit), epochs * math.ceil(len(X) / batch_size)
        scaler = StandardScaler().fit(X) if flag(self, "scale", self.scale) and not unit else None
        x = X if scaler is None else scaler.transform(X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        model = self.network(np.random.default_rng(seed), x.shape[1], unit).to(dtype=x.dtype)
        recipe = {"epochs": epochs, "batch_size": batch_size, "optimizer": PRESETS[self.preset].optimizer(lr, steps)}
        history = fit(model, x, **recipe, seed=seed, device=self.device, progress=False)
        if history.interrupted:
            raise KeyboardInterrupt  # so that a search ends too
        self.model_, self.history_, self.scaler_ = model, history, scaler
        self._n_features_out = uses.encode(model, x[:1]).shape[1]
        return x

    def network(self, rng: np.random.Generator, features: int, unit: bool) -> Model:
        """The model, untrained, for data of this width."""
        return PRESETS[self.preset].build(rng, self.form(features, unit))

    def form(self, features: int, unit: bool) -> Form:
        """What the network has to fit. Sizes that were not chosen are None, and the network's own."""
        code = None if self.code is None else whole(self, "code", self.code)
        return Form((features,), unit, code, None if self.hidden is None else sizes(self, "hidden", self.hidden))

    def rate(self, unit: bool) -> float:
        """The learning rate."""
        return number(self, "0 < lr", self.lr)

    def scaled(self, X: np.ndarray) -> np.ndarray:
        """X, checked, as the network sees it."""
        return X if self.scaler_ is None else self.scaler_.transform(X)

    def checked(self, X: Any, **how: Any) -> np.ndarray:
        """X as an array of floats. Raises TypeError and ValueError, scikit-learn's own but for masked cells, of which it takes what is below."""
        if isinstance(X, np.ma.MaskedArray):
            raise ArrayTypeError(f"X holds {what_it_holds(X)}: expected floats; {way_to_floats(X, 'X')}")
        return validate_data(self, X, dtype=FLOATS, order="C", **how)

    def seen(self, X: Any) -> np.ndarray:
        """New X, checked, as the network sees it."""
        check_is_fitted(self, "model_")
        return self.scaled(self.checked(X, reset=False))

    def of_scaled(self, x: np.ndarray) -> np.ndarray:
        return -uses.score(self.model_, x, self.kind).values.astype(np.float64)

    def score_samples(self, X: Any) -> np.ndarray:
        """How well the model explains each row of X, (N,) of float64: the lower, the more unusual."""
        return self.of_scaled(self.seen(X))


class Coded(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Trained):
    """What the three transformers have in common."""

    def transform(self, X: Any) -> np.ndarray:
        """The codes of X (N, D), (N, code)."""
        return uses.encode(self.model_, self.seen(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The rows (N, D) that codes X (N, code) stand for, in the units of the data. Raises ShapeError for codes of another width."""
        check_is_fitted(self, "model_")
        z = check_array(X, dtype=FLOATS)
        if z.shape[1] != self._n_features_out:
            raise ShapeError(
                f"{type(self).__name__}.inverse_transform: X has {z.shape[1]} columns, and codes have {self._n_features_out}: give it "
                "what transform returns"
            )
        like = np.zeros((1, self.n_features_in_))
        x = uses.decode(self.model_, z, like)
        return x if self.scaler_ is None else self.scaler_.inverse_transform(x)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`, which GridSearchCV compares unless it is told another scoring. y is ignored."""
        return float(self.score_samples(X).mean())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class Modelled(Trained):
    """The parameters of an autoencoder, or of any other model that a function makes."""

    preset = "table"

    def __init__(
        self,
        code: int | None = None,
        *,
        hidden: tuple[int, ...] | None = None,
        model: Callable[[np.random.Generator, Form], Model] | None = None,
        epochs: int = 100,
        lr: float = 5e-3,
        batch_size: int = 16,
        scale: bool = True,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.code, self.hidden, self.model = code, hidden, model
        self.epochs, self.lr, self.batch_size = epochs, lr, batch_size
        self.scale, self.device, self.random_state = scale, device, random_state

    def network(self, rng: np.random.Generator, features: int, unit: bool) -> Model:
        if self.model is None:
            return super().network(rng, features, unit)
        if not callable(self.model):
            refuse(self, "model", self.model, OWN)
        made = self.model(rng, self.form(features, unit))
        if not (isinstance(made, Model) and hasattr(made, "encode") and hasattr(made, "reconstruct")):
            refuse(self, "model", self.model, f"{OWN}, with encode and reconstruct; it returned {made!r}")
        return made


class AutoencoderTransformer(Coded, Modelled):
    """z = encoder(x), trained so that decoder(z) is x: codes that bend where PCA's are straight.

    code: the size of the code, by default a third of the columns, at most 16. hidden: the sizes of the layers before it, with Softplus, by
    default one of 128.
    epochs, lr, batch_size: those of Adam, whose rate rises over the first updates and then falls to 0. scale=False takes X as it is.
    device: "cpu" or "gpu".

    model: a function (rng, form) -> Model makes another network. Weights are to be drawn from rng; `form.features` is the number of columns,
    `form.unit` whether X lies in [0, 1], `form.code` and `form.hidden` the sizes above, None unless they are given. Every preset for rows has such a function:
    `PRESETS["k-sparse"].build`. A convolution gets rows too, and begins with Reshape((H, W, C)).

    `score_samples`: minus the squared error of the reconstruction, summed over the columns, of X as the network sees it.
    """


class VAETransformer(Coded):
    """The mean of q(z|x) of a variational autoencoder: codes near N(0, 1), of which those that are not needed stay at 0.

    beta: the weight of the KL term. The others are as in `AutoencoderTransformer`. Columns in [0, 1] have a Bernoulli
    likelihood, any others a Gaussian one whose variance is learned. `score_samples`: the evidence lower bound on log p(x) in nats, of x
    as the network sees it, averaged over ten draws of z that are the same for all rows. Kingma and Welling 2013.
    """

    preset, kind = "vae-400", "elbo"

    def __init__(
        self,
        code: int | None = None,
        *,
        hidden: tuple[int, ...] = (128,),
        beta: float = 1.0,
        epochs: int = 100,
        lr: float = 1e-2,
        batch_size: int = 16,
        scale: bool = True,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.code, self.hidden, self.beta = code, hidden, beta
        self.epochs, self.lr, self.batch_size = epochs, lr, batch_size
        self.scale, self.device, self.random_state = scale, device, random_state

    def form(self, features: int, unit: bool) -> Form:
        form, beta = super().form(features, unit), number(self, "0 <= beta", self.beta)
        return replace(form, code=form.code or code_of_table(features), beta=beta)


class RBMTransformer(Coded):
    """P(h = 1 | v) of a restricted Boltzmann machine, trained by contrastive divergence, CD-1.

    code: the number of hidden units, of which there is one layer. Columns in [0, 1] are probabilities of binary units; any others
    are standardised, for Gaussian units of variance 1. lr: by default 0.1 for binary units and 0.01 for Gaussian ones. `score_samples`: -F(v) = log P(v) + log Z, in nats, and log Z is
    the same for all rows. Hinton 2002; 2010.
    """

    preset = "rbm"

    def __init__(
        self,
        code: int = 256,
        *,
        epochs: int = 100,
        lr: float | None = None,
        batch_size: int = 16,
        scale: bool = True,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.code, self.epochs, self.lr, self.batch_size = code, epochs, lr, batch_size
        self.scale, self.device, self.random_state = scale, device, random_state

    def rate(self, unit: bool) -> float:
        return (0.1 if unit else 0.01) if self.lr is None else super().rate(unit)

    def network(self, rng: np.random.Generator, features: int, unit: bool) -> Model:
        visible = "bernoulli" if unit else "gaussian"
        return RBM(features, whole(self, "code", self.code), visible_units=visible, rng=rng)


class OutlierDetector(OutlierMixin, Modelled):
    """Rows that an autoencoder of X rebuilds badly: 1 for a usual row, -1 for an outlier.

    contamination: the share of outliers in X, 0 < contamination <= 0.5; `offset_` is the score below which so many rows of X lie. The others are as in
    `AutoencoderTransformer`; training is short, since a network that sees outliers often enough learns to rebuild them: if X has none, 100 epochs
    are better. `score_samples`: minus the squared error; of an RBM that `model` makes, minus its free energy.
    """

    def __init__(
        self,
        code: int | None = None,
        *,
        contamination: float = 0.1,
        hidden: tuple[int, ...] | None = None,
        model: Callable[[np.random.Generator, Form], Model] | None = None,
        epochs: int = 20,
        lr: float = 1e-3,
        batch_size: int = 16,
        scale: bool = True,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.code, self.contamination, self.hidden, self.model = code, contamination, hidden, model
        self.epochs, self.lr, self.batch_size = epochs, lr, batch_size
        self.scale, self.device, self.random_state = scale, device, random_state

    def learned(self, X: np.ndarray) -> np.ndarray:
        share = number(self, "0 < contamination <= 0.5", self.contamination)
        x = super().learned(X)
        self.offset_ = -uses.threshold(-self.of_scaled(x), 1 - share)
        return x

    def decision_function(self, X: Any) -> np.ndarray:
        """score_samples(X) - offset_, (N,): negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for a usual row, -1 for an outlier, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)
