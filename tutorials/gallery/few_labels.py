"""Few labels: codes are learned from all digits, without labels, and a classifier from 50 that have one.

python tutorials/gallery/few_labels.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer

from scratchae.estimators import AutoencoderTransformer
from scratchae.presets import PRESETS


def main(epochs: int = 60) -> None:
    x, y = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(
        (x / 16).astype("float32"), y, random_state=0
    )
    options = {"epochs": epochs, "random_state": 0}
    coders = {
        "pixels": FunctionTransformer(),
        "PCA, 16 numbers": PCA(16),
        "an autoencoder's code, 16": AutoencoderTransformer(16, **options),
        # it learns to remove noise, so its code has to know what digits look like
        "a denoiser's code, 64": AutoencoderTransformer(
            64, model=PRESETS["denoising"].build, lr=1e-3, **options
        ),
    }
    print("test digits named rightly after 50 labels, mean and spread of 20 draws of them")
    for name, coder in coders.items():
        codes, new = coder.fit_transform(train), coder.transform(test)
        accuracy = []
        for seed in range(20):
            chosen, _ = train_test_split(
                np.arange(len(train)), train_size=50, stratify=train_y, random_state=seed
            )
            classifier = LogisticRegression(max_iter=5000).fit(
                codes[chosen], train_y[chosen]
            )
            accuracy.append(classifier.score(new, test_y))
        print(f"{name:<28} {np.mean(accuracy):.1%} ± {np.std(accuracy):.1%}")


if __name__ == "__main__":
    main()
