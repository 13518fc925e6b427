"""Train the fuel economy example model and write its files next to this script.

    python3.11 -m venv /tmp/fuel-economy-venv
    /tmp/fuel-economy-venv/bin/pip install -r requirements.txt
    /tmp/fuel-economy-venv/bin/python train.py

Gets the data with `npm pack` (vega-datasets 3.2.1, data/cars.json), so npm must be there. Writes model.onnx,
metadata.json, golden.json and request.json, and prints the figures of README.md. With the pinned packages, running it
again on the same machine gives the same bytes.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# For the same bytes every time: sums in one order, and the exporter's sets in one order.
FIXED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
if not FIXED.items() <= os.environ.items():
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | FIXED)

import lightgbm
import numpy as np
import onnxmltools
import onnxruntime
from onnx.helper import make_opsetid
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold

HERE = Path(__file__).resolve().parent
PACKAGE = "vega-datasets@3.2.1"
DATA_FILE = "package/data/cars.json"
DATA_SHA256 = "f686a53678b21f4231e2f6a5ba7ce5761d9d39204fccdea1caa29fb8c460e319"
SEED = 0
HOLD_OUT_ROWS = 50
TOLERANCE = 1e-5
FEATURES = {
    "cylinders": lambda car: car["Cylinders"],
    "displacement_cubic_inches": lambda car: car["Displacement"],
    "horsepower": lambda car: car["Horsepower"],
    "weight_lbs": lambda car: car["Weight_in_lbs"],
    "acceleration_0_60_mph_seconds": lambda car: car["Acceleration"],
    "model_year": lambda car: int(car["Year"][:4]),
    "made_in_europe": lambda car: int(car["Origin"] == "Europe"),
    "made_in_japan": lambda car: int(car["Origin"] == "Japan"),
}


def package_file():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            data = package.extractfile(DATA_FILE).read()
    if hashlib.sha256(data).hexdigest() != DATA_SHA256:
        raise SystemExit(f"{DATA_FILE} of {PACKAGE} is not the file that this example was made from")
    return data


def write_json(name, value):
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    (HERE / name).write_text(text + "\n", encoding="utf-8", newline="\n")


def as_float32(values):
    """Round to float32, as the model's input does, but keep computing in float64."""
    return values.astype(np.float32).astype(np.float64)


def hold_out(names):
    """True for 50 rows, whole cars only: no name of a car is on both sides, as "ford pinto" is there for five years."""
    held = np.zeros(len(names), bool)
    for name in np.random.default_rng(SEED).permutation(sorted(set(names))):
        rows = names == name
        if held.sum() + rows.sum() <= HOLD_OUT_ROWS:
            held |= rows
    assert held.sum() == HOLD_OUT_ROWS
    return held


def new_model():
    """Small trees that learn slowly, as there are few rows. The settings were set once and not tuned."""
    return lightgbm.LGBMRegressor(
        n_estimators=200, learning_rate=0.05, num_leaves=8, min_child_samples=10, reg_lambda=1.0,
        random_state=SEED, deterministic=True, force_row_wise=True, n_jobs=1, verbose=-1,
    )  # fmt: skip


class Mean:
    def fit(self, _, y):
        self.mean = y.mean()
        return self

    def predict(self, x):
        return np.full(len(x), self.mean)


def with_float32_thresholds(model):
    """The same trees, each threshold the greatest float32 that is not above it: same answers for every float32 input.

    ONNX holds thresholds as float32 and the exporter rounds them to the nearest. LightGBM puts them halfway between two
    values it saw: between 15.5 and 15.7 s, where the 15.6 s of a held-out car would then take the other branch.
    """

    def down(match):
        exact = np.array(match[1].split(), np.float64)
        rounded = exact.astype(np.float32)
        rounded = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
        return "threshold=" + " ".join(repr(float(value)) for value in rounded)

    text = re.sub(r"(?m)^threshold=(.*)$", down, model.booster_.model_to_string())
    # Sizes of the trees in the text, which are no longer right and need not be there.
    return lightgbm.Booster(model_str=re.sub(r"(?m)^tree_sizes=.*\n", "", text))


def figures(y, predicted, mean):
    error = predicted - y
    r2 = 1 - (error**2).sum() / ((y - mean) ** 2).sum()
    return np.abs(error).mean(), np.sqrt((error**2).mean()), r2


def print_intervals(errors, names):
    """95 % bootstrap intervals that draw whole cars: rows of one name are alike."""
    less = errors["linear regression"] - errors["LightGBM"]
    for what, values in (("MAE of LightGBM", errors["LightGBM"]), ("MAE of linear regression less that of LightGBM", less)):
        groups = [values[names == name] for name in sorted(set(names))]
        sums, counts = np.array([g.sum() for g in groups]), np.array([len(g) for g in groups])
        drawn = np.random.default_rng(SEED).integers(0, len(groups), (10_000, len(groups)))
        low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
        print(f"  {what}: {values.mean():.3f}, 95 % interval {low:.3f} to {high:.3f}")


def compare(x, y, names, held):
    ways = {"LightGBM": new_model, "linear regression": LinearRegression, "mean of the training rows": Mean}
    print(f"{int(held.sum())} held-out rows: MAE, RMSE, R2 (against the mean of the training rows)")
    errors = {}
    for way, make in ways.items():
        predicted = make().fit(x[~held], y[~held]).predict(x[held])
        errors[way] = np.abs(predicted - y[held])
        print(f"  {way}: " + ", ".join(f"{v:.3f}" for v in figures(y[held], predicted, y[~held].mean())))
    print_intervals(errors, names[held])
    print(f"all {len(y)} rows, 10 folds by name of car: MAE, RMSE, R2")
    for way, make in ways.items():
        predicted = np.empty(len(y))
        for train, test in GroupKFold(10, shuffle=True, random_state=SEED).split(x, y, names):
            predicted[test] = make().fit(x[train], y[train]).predict(x[test])
        errors[way] = np.abs(predicted - y)
        print(f"  {way}: " + ", ".join(f"{v:.3f}" for v in figures(y, predicted, y.mean())))
    print_intervals(errors, names)


def main():
    cars = [c for c in json.loads(package_file()) if c["Miles_per_Gallon"] is not None and c["Horsepower"] is not None]
    names = np.array([car["Name"] for car in cars])
    raw = [[value(car) for value in FEATURES.values()] for car in cars]
    x = as_float32(np.array(raw, np.float64))
    y = np.array([float(car["Miles_per_Gallon"]) for car in cars])
    held = hold_out(names)
    print(f"{len(cars)} cars, {len(set(names))} names, {int((~held).sum())} to train on")
    compare(x, y, names, held)

    model = new_model().fit(x[~held], y[~held])
    predictions = model.predict(x[held])
    raw_held = [row for row, is_held in zip(raw, held) if is_held]

    exported = onnxmltools.convert_lightgbm(
        with_float32_thresholds(model),
        name="fuel-economy",
        initial_types=[("features", FloatTensorType([None, len(FEATURES)]))],
        target_opset=15,  # the latest that onnxmltools 1.16.0 writes,
    )
    exported.producer_name = "analytics-api examples/fuel-economy/train.py"
    exported.producer_version = ""
    exported.domain = ""
    exported.doc_string = ""
    opsets = {opset.domain: opset.version for opset in exported.opset_import}
    del exported.opset_import[:]
    exported.opset_import.extend(make_opsetid(*opset) for opset in sorted(opsets.items()))
    model_bytes = exported.SerializeToString(deterministic=True)
    (HERE / "model.onnx").write_bytes(model_bytes)

    session = onnxruntime.InferenceSession(model_bytes, providers=["CPUExecutionProvider"])
    (input_name,), (output_name,) = ([tensor.name for tensor in side] for side in (session.get_inputs(), session.get_outputs()))
    print(f"{len(model_bytes)} bytes, input {input_name}, output {output_name}, opsets {opsets}")

    # What LightGBM itself says of each hold-out row (not what ONNX Runtime says).
    rows = [
        {"features": dict(zip(FEATURES, row)), "prediction": prediction}
        for row, prediction in zip(raw_held, predictions.tolist())
    ]
    write_json("golden.json", {"library": f"lightgbm {lightgbm.__version__}", "rows": rows})
    write_json("request.json", {"features": rows[0]["features"]})
    write_json(
        "metadata.json",
        {
            "description": "Miles per gallon of a car of 1970 to 1982 from its engine, weight, year and origin (LightGBM).",
            "tags": ["cars", "example", "lightgbm"],
            "task": "regression",
            "featureNames": list(FEATURES),
            # The first hold-out row, and two more in one batch.
            "golden": [
                {
                    "inputs": {input_name: raw_held[at]},
                    "outputs": {output_name: [[float(f"{prediction:.9g}")] for prediction in predictions[at]]},
                    "tolerance": TOLERANCE,
                }
                for at in (slice(0, 1), slice(1, 3))
            ],
        },
    )

    # Check the exported model against LightGBM before calling it done: all rows there are in one run, the hold-out
    # rows one by one, and made-up cars that sit on and beside the thresholds of the trees.
    made_up = as_float32(np.random.default_rng(SEED).choice(x.ravel(), (2000, len(FEATURES))))
    shuffled = np.column_stack([np.random.default_rng(at).choice(column, 2000) for at, column in enumerate(x.T)])
    for way, batches in (
        ("all rows in one batch", [x]),
        ("hold-out rows one by one", np.split(x[held], HOLD_OUT_ROWS)),
        ("2000 mixtures of real columns", [shuffled]),
        ("2000 rows of any numbers", [made_up]),
    ):
        given = np.concatenate([session.run([output_name], {input_name: b.astype(np.float32)})[0] for b in batches])
        wanted = model.predict(np.concatenate(batches))[:, None]
        off = float((np.abs(given - wanted) / np.maximum(1, np.abs(wanted))).max())
        print(f"onnxruntime {onnxruntime.__version__}, {way}: max |a - b| / max(1, |b|) = {off:.2e}, "
              f"max |a - b| = {float(np.abs(given - wanted).max()):.2e}")  # fmt: skip
        if given.shape != wanted.shape or not off <= TOLERANCE:
            raise SystemExit("the exported model disagrees with LightGBM")


if __name__ == "__main__":
    main()
