"""What scikit-learn's logistic regression makes of features of several kinds, at every l2 that the linear probe tries: the
least loss, in float64, and the accuracy on held-out images. scikit-learn 1.9.1, numpy.

    python generate.py            # writes expected.safetensors beside it"""
import pathlib
import warnings

import numpy as np
from safetensors.numpy import save_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

L2 = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0]
HELD_OUT = 300
rng = np.random.default_rng(13)


def classes_around(images, features, classes, distance):
    """Classes of equal spread around means that lie so far from each other, all more or less likely."""
    means = rng.normal(0, distance, (classes, features))
    labels = np.concatenate([np.arange(classes), rng.choice(classes, images - classes, p=rng.dirichlet(np.full(classes, 5)))])
    return means[labels] + rng.normal(0, 1, (images, features)), labels


def well_conditioned():
    return classes_around(300 + HELD_OUT, 8, 4, 0.6)


def badly_conditioned():
    """Scales from 1e-4 to 1e4, far from zero, and all but a thousandth in common."""
    x, labels = classes_around(300 + HELD_OUT, 10, 3, 0.5)
    x = 1e-3 * x + rng.normal(0, 1, (len(x), 1))
    return (x + 30) * 10.0 ** np.linspace(-4, 4, 10), labels


def more_features_than_images():
    return classes_around(40 + HELD_OUT, 60, 3, 0.15)


def collinear_and_constant():
    x, labels = classes_around(200 + HELD_OUT, 4, 3, 0.8)
    return np.concatenate([x, x[:, :2] - 2 * x[:, 2:], x[:, :1] + 1e-5 * x[:, 1:2], np.full((len(x), 1), 7.1), 0 * x[:, :1]], 1), labels


def many_classes():
    return classes_around(400 + HELD_OUT, 6, 25, 1.0)


def separable():
    """Of two classes, which a plane divides without an error."""
    x, labels = classes_around(200 + HELD_OUT, 5, 2, 1.0)
    x[:, 0] += np.where(labels == 1, 6, -6)
    return x, labels


def heavy_tails():
    x, labels = classes_around(300 + HELD_OUT, 6, 2, 0.5)
    return np.exp(2 * x), labels


def loss(x, labels, weights, bias, l2):
    """It, and a bound of how far it is above the least: a penalty alone curves it by l2 in every direction."""
    logits = x @ weights.T + bias
    logits -= logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    residual = (np.exp(log_p) - np.eye(len(bias))[labels]) / len(x)
    gradient = residual.T @ x + l2 * weights
    above = (gradient**2).sum() / (2 * l2) + np.abs(residual.sum(0)).sum()
    return -log_p[np.arange(len(x)), labels].mean() + l2 / 2 * (weights**2).sum(), above


def reference(x, labels, held_out, held_out_labels):
    """Loss and accuracy at every l2. Two classes have one row of weights there, so that a penalty weighs twice as much."""
    losses, accuracies = [], []
    for l2 in L2:
        c = 1 / (len(x) * l2) * (2 if labels.max() == 1 else 1)
        with warnings.catch_warnings():
            # At so small a tolerance it says that rounding is all that is left. Whether that is so is looked at below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=10_000).fit(x, labels)
        weights, bias = fit.coef_, fit.intercept_
        if labels.max() == 1:
            weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        least, above = loss(x, labels, weights, bias, l2)
        assert above < 1e-9, f"l2 {l2}: {above} above the least"
        losses.append(least)
        accuracies.append(fit.score(held_out, held_out_labels))
    return np.array(losses), np.array(accuracies)


arrays = {"l2": np.array(L2)}
for make in [well_conditioned, badly_conditioned, more_features_than_images, collinear_and_constant, many_classes, separable, heavy_tails]:
    x, labels = make()
    x, name = x.astype(np.float32), make.__name__
    scaler = StandardScaler().fit(x[:-HELD_OUT].astype(np.float64))
    # The probe's are float32 too, which of badly conditioned ones is another problem: its least loss differs by 3e-7.
    scaled = scaler.transform(x.astype(np.float64)).astype(np.float32).astype(np.float64)
    losses, accuracies = reference(scaled[:-HELD_OUT], labels[:-HELD_OUT], scaled[-HELD_OUT:], labels[-HELD_OUT:])
    print(name, losses, accuracies)
    arrays |= {f"{name}.x": x, f"{name}.labels": labels.astype(np.int64), f"{name}.loss": losses, f"{name}.accuracy": accuracies}
save_file(arrays, pathlib.Path(__file__).parent / "expected.safetensors")
