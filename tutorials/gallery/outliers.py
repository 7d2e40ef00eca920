"""Outliers in a real table: malignant among benign, without any label; and which measurement is odd about a row.

python tutorials/gallery/outliers.py
"""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from scratchae import uses
from scratchae.estimators import OutlierDetector


def main(epochs: int = 20) -> None:
    data = load_breast_cancer()
    rng = np.random.default_rng(0)
    benign, malignant = (rng.permutation(data.data[data.target == kind]) for kind in (1, 0))
    x = np.concatenate([benign, malignant[:18]])  # 357 rows and 18, one in twenty
    odd = np.arange(len(x)) >= len(benign)
    print(f"{len(x)} rows of {x.shape[1]} measurements, {odd.sum()} of them malignant")
    detector = OutlierDetector(contamination=0.05, epochs=epochs, random_state=0)
    for found in (detector, IsolationForest(contamination=0.05, random_state=0)):
        called = found.fit_predict(x) == -1
        auc = roc_auc_score(odd, -found.score_samples(x))
        name = type(found).__name__
        print(
            f"{name}: calls {called.sum()} outliers, {(called & odd).sum()} are malignant; AUC {auc:.3f}"
        )
    worst = np.argsort(detector.score_samples(x))[:3]
    parts = uses.error_parts(detector.model_, detector.scaled(x))
    for row in worst:
        column = data.feature_names[parts[row].argmax()]
        print(
            f"row {row}, {'malignant' if odd[row] else 'benign'}: rebuilt worst is its {column}"
        )


if __name__ == "__main__":
    main()
