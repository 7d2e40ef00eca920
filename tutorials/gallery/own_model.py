"""A network of your own in scikit-learn: a convolution on rows of pixels, which learns to remove noise.

python tutorials/gallery/own_model.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import scratchae as sae
from scratchae.estimators import AutoencoderTransformer


def convolution(rng: np.random.Generator, form: sae.presets.Form) -> sae.Model:
    """Weights are drawn from rng; form.code is what the estimator was told."""
    encoder = sae.Sequential(
        sae.GaussianNoise(0.3),  # in training only: x is damaged, and the target is x
        sae.Reshape((8, 8, 1)),
        *(sae.Conv2d(1, 16, 3, padding=1, init="he", rng=rng), sae.ReLU()),
        *(sae.MaxPool2d(2), sae.Flatten()),
        sae.Dense(4 * 4 * 16, form.code, rng=rng),
    )
    decoder = sae.Sequential(
        *(sae.Dense(form.code, 128, init="he", rng=rng), sae.ReLU()),
        *(sae.Dense(128, form.features, rng=rng), sae.Sigmoid()),
    )
    return sae.Autoencoder(encoder, decoder, loss=sae.MSE())


def main(epochs: int = 40) -> None:
    x = (load_digits().data / 16).astype("float32")
    train, test = train_test_split(x, random_state=0)
    noisy = test + 0.3 * np.random.default_rng(0).standard_normal(
        test.shape, dtype=np.float32
    )
    print(f"squared error of a noisy digit: {((noisy - test) ** 2).sum(axis=1).mean():.2f}")
    for name, model in (("the default network", None), ("the convolution", convolution)):
        coder = AutoencoderTransformer(12, model=model, epochs=epochs, random_state=0).fit(
            train
        )
        rebuilt = coder.inverse_transform(coder.transform(noisy))
        print(f"rebuilt by {name}: {((rebuilt - test) ** 2).sum(axis=1).mean():.2f}")
    sae.save(coder.model_, "own_model.safetensors")  # for sae.load, without scikit-learn
    print("written to own_model.safetensors")


if __name__ == "__main__":
    main()
