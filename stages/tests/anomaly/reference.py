"""Prints what the tests of clusters and anomalies expect, as they have it: scikit-learn's and scipy's figures, and slow literal
readings of the papers. Inputs are waves that the tests make again. Needs numpy, scipy, scikit-learn."""
import numpy as np
from scipy import ndimage
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import auc, silhouette_score
from sklearn.neighbors import NearestNeighbors


def waves(numbers, step=1.7):
    return np.sin(step * numbers).astype(np.float32)


def show(name, *values):
    print(name, ", ".join(repr(float(value)) for value in np.ravel(values)))


def silhouettes():
    x = waves(np.arange(300.0)).reshape(60, 5)
    x[:, 0] += np.arange(60) % 3
    i = np.arange(60)
    show("silhouette:", [silhouette_score(x.astype(np.float64), c) for c in (i % 3, i * i % 7, np.minimum(i, 2))])


def overlaps():
    """Bergmann et al. 2021, section 4.3, threshold by threshold."""
    masks = np.zeros((3, 12, 10), bool)
    for image, rows, columns in [
        (0, (1, 4), (1, 4)), (0, (4, 6), (4, 8)), (0, (9, 10), (8, 9)), (1, (2, 9), (3, 7)), (1, (10, 12), (0, 1))
    ]:
        masks[image, slice(*rows), slice(*columns)] = True
    wave = np.sin((np.float32(1.3) * np.arange(360, dtype=np.float32))).astype(np.float32)
    score = wave.reshape(masks.shape) + np.float32(0.6) * masks
    labels = [ndimage.label(mask, np.ones((3, 3))) for mask in masks]
    for steps in (1000, 3):
        scores = np.round(score * np.float32(steps)) / np.float32(steps)
        rates, means = [0.0], [0.0]
        for threshold in np.unique(scores)[::-1]:
            told = scores >= threshold
            rates.append(told[~masks].mean())
            shares = [told[i][of == n].mean() for i, (of, count) in enumerate(labels) for n in range(1, count + 1)]
            means.append(np.mean(shares))
        rates, means = np.array(rates), np.array(means)
        below = rates <= 0.3
        there = np.interp(0.3, rates[[below.sum() - 1, below.sum()]], means[[below.sum() - 1, below.sum()]])
        show(f"aupro, {steps} steps:", auc([*rates[below], 0.3], [*means[below], there]) / 0.3)


def smoothing():
    maps = waves(np.arange(120.0)).reshape(4, 6, 5)
    smooth = np.stack([ndimage.gaussian_filter(m.astype(np.float64), 1.2, mode="mirror") for m in maps]).ravel()
    show("smoothed at 0, 12, 90, 119:", smooth[[0, 12, 90, 119]])


def padim():
    """arXiv:2011.08785, equations 1 and 2: two places, seven images to fit, two to look at, three channels."""
    x = (np.sin(1.7 * np.arange(54.0)).reshape(2, 9, 3) * [1, 2, 3]).astype(np.float32).astype(np.float64)
    for place in range(2):
        fitted = EmpiricalCovariance().fit(x[place, :7])
        fitted.precision_ = np.linalg.inv(fitted.covariance_ * 7 / 6 + 0.01 * np.eye(3))
        show(f"padim, place {place}:", np.sqrt(fitted.mahalanobis(x[place, 7:])))


def patchcore():
    """arXiv:2106.08265, equations 6 and 7: fifty patches of three channels in the bank, two images of four patches."""
    bank, images = waves(np.arange(150.0)).reshape(50, 3), 1.5 * waves(np.arange(24.0) + 1000).reshape(2, 4, 3)
    bank, images = bank.astype(np.float64), images.astype(np.float64)
    neighbours = NearestNeighbors(n_neighbors=9).fit(bank)
    scores = []
    for patches in images:
        distances, nearest = (found[:, 0] for found in neighbours.kneighbors(patches, 1))
        worst = distances.argmax()
        around = neighbours.kneighbors(bank[nearest[worst]][None], 9)[1][0]
        to_around = np.linalg.norm(patches[worst] - bank[around], axis=1)
        scores.append((1 - np.exp(distances[worst]) / np.exp(to_around).sum()) * distances[worst])
    show("patchcore:", scores)


silhouettes()
overlaps()
smoothing()
padim()
patchcore()
