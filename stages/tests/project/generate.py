"""What scikit-learn makes of 400 of its digits: `digits.npy` (u8 [400, 64]); in `expected.json` the trustworthiness of two planes.

    pip install scikit-learn==1.9.1; python generate.py

`first_two.trustworthiness` and `.continuity`: of the plane of the pixels 20 and 43;
`tsne`: of scikit-learn's own exact t-SNE from the principal components, perplexity 30.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE, trustworthiness

folder = Path(__file__).parent
digits = load_digits().data[:400].astype(np.uint8)
np.save(folder / "digits.npy", digits)
# Without waves many distances would be equal, and their order nobody's choice.
x = (digits + 1e-3 * np.sin(np.arange(digits.size)).reshape(digits.shape)).astype(np.float32).astype(np.float64)
plane = x[:, [20, 43]]
tsne = TSNE(perplexity=30, init="pca", learning_rate="auto", method="exact", random_state=0).fit_transform(x)
measured = lambda made: {
    "trustworthiness": trustworthiness(x, made, n_neighbors=12),
    "continuity": trustworthiness(made, x, n_neighbors=12),
}
text = json.dumps({"first_two": measured(plane), "tsne": measured(tsne)}, indent=2)
(folder / "expected.json").write_text(text + "\n")
