"""Codes in a Pipeline, and how large a code should be, by GridSearchCV.

python tutorials/gallery/pipeline.py
"""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from scratchae.estimators import AutoencoderTransformer


def main(epochs: int = 30) -> None:
    # 8×8 images of digits; their pixels run from 0 to 16, and the estimator sees them as they are if they lie in [0, 1]
    x, y = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(
        (x / 16).astype("float32"), y, random_state=0
    )
    line = make_pipeline(
        AutoencoderTransformer(epochs=epochs, random_state=0),
        LogisticRegression(max_iter=2000),
    )
    search = GridSearchCV(
        line, {"autoencodertransformer__code": [4, 8, 16]}, cv=3, n_jobs=2
    )
    search.fit(train, train_y)
    results = search.cv_results_
    for code, accuracy in zip(
        results["param_autoencodertransformer__code"],
        results["mean_test_score"],
        strict=True,
    ):
        print(
            f"a code of {code:>2}: {accuracy:.1%} of the validation digits are named rightly"
        )
    print(f"with the best of them {search.score(test, test_y):.1%} of the test digits")


if __name__ == "__main__":
    main()
