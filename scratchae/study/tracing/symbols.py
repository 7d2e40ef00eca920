"""What tensors are called in the mathematics."""

from __future__ import annotations

from ..formula import Symbol

TILDE, HAT = "\u0303", "\u0302"

# what a layer of this class puts out
OUTPUTS = {
    **{"Dense": "z", "Conv2d": "z", "ConvTranspose2d": "z", "BatchNorm": "n", "KSparse": "s"},
    **{"MaxPool2d": "p", "AvgPool2d": "p", "UpSample2d": "v", "Flatten": "f", "Reshape": "r"},
    **dict.fromkeys(("Sigmoid", "ReLU", "LeakyReLU", "Tanh", "Softplus", "Identity"), "a"),
    **dict.fromkeys(("Dropout", "GaussianNoise", "MaskingNoise", "SaltAndPepper"), "a" + TILDE),
}
# what is computed on the way, by the name that it has in the code
LETTERS = {
    **{"mask": "m", "noise": "ε", "noisy": "x" + TILDE, "salt": "s", "mean": "μ", "var": "σ²", "x_hat": "x" + HAT},
    **{"gamma": "γ", "beta": "β", "running_mean": "μ", "running_var": "σ²", "chain": "C"},
    **{
        "mu": "μ",
        "log_var": "log σ²",
        "uncut": "ℓ",
        "sigma": "σ",
        "epsilon": "ε",
        "uniform": "u",
        "share": "w" + TILDE,
    },
    **{"kl": "KL", "reconstruction": "R", "penalty": "Ω", "loss": "L", "slope": "s", "strength": "w", "top": "m"},
    **{"log_w": "log w", "log_p": "log p", "codes": "z", "target": "t", "labels": "t", "features": "x"},
    **{"decoder_input": "c", "theta": "θ", "value": "L", "logits": "ℓ", "drawn": "h" + TILDE},
}
# plain numbers that keep a letter in a formula; all others are written as numbers
OPTIONS = {
    **{"N": "N", "M": "M", "lr": "η", "beta": "β", "weight": "λ", "weight_decay": "λ", "momentum": "μ", "tiny": "ε"},
    **{
        "beta1": "β₁",
        "beta2": "β₂",
        "t": "t",
        "eps": "ε",
        "norm": "‖g‖",
        "clip_norm": "c",
        "target": "ρ",
    },
}
# what the output of a part is for; its symbol is that of its last layer
NOTES = {"z": "the code", "prediction": "the prediction", "h": "for both heads", "logits": "the logits"}


class Symbols:
    """Hands out symbols, each once: a second z₁ is z′₁."""

    def __init__(self):
        self.taken: set[tuple[str, str]] = set()

    def new(self, letter: str, index: str = "") -> Symbol:
        """A symbol that no tensor has yet."""
        while (letter, index) in self.taken:
            letter += "′"
        self.taken.add((letter, index))
        return Symbol(letter, index)
