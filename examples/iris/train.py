"""Train the iris example model and write its files next to this script.

    python -m venv /tmp/iris-venv
    /tmp/iris-venv/bin/pip install -r requirements.txt
    /tmp/iris-venv/bin/python train.py

Writes model.onnx, metadata.json, golden.json and request.json. With the pinned
packages, running it again on the same machine gives the same bytes.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import sklearn
from onnx.helper import make_opsetid
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
FEATURES = ["sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm"]
SEED = 0
HOLD_OUT_ROWS = 50
TOLERANCE = 1e-5


def write_json(name, value):
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    (HERE / name).write_text(text + "\n", encoding="utf-8", newline="\n")


def as_float32(values):
    """Round to float32, as the model's input does, but keep computing in float64."""
    return values.astype(np.float32).astype(np.float64)


def main():
    iris = load_iris()
    labels = [str(name) for name in iris.target_names]
    x_train, x_test, y_train, y_test = train_test_split(
        iris.data, iris.target, test_size=HOLD_OUT_ROWS, stratify=iris.target, random_state=SEED
    )

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(random_state=SEED, max_iter=1000))
    pipeline.fit(as_float32(x_train), y_train)
    predictions = pipeline.predict(as_float32(x_test))
    probabilities = pipeline.predict_proba(as_float32(x_test))

    # The names are fixed here, so that they do not depend on what skl2onnx puts in.
    model = to_onnx(
        pipeline,
        name="iris",
        initial_types=[("features", FloatTensorType([None, len(FEATURES)]))],
        options={"zipmap": False},
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    model.producer_name = "analytics-api examples/iris/train.py"
    model.producer_version = ""
    model.domain = ""
    model.doc_string = ""
    # skl2onnx 1.20.0 lists the default domain twice; ONNX wants each domain once.
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(make_opsetid(*opset) for opset in sorted(opsets.items()))
    model_bytes = model.SerializeToString(deterministic=True)
    (HERE / "model.onnx").write_bytes(model_bytes)

    write_json(
        "metadata.json",
        {
            "description": "Iris species from four flower measurements in centimetres "
            "(standard scaling and logistic regression).",
            "tags": ["iris", "example", "scikit-learn"],
            "task": "classification",
            "featureNames": FEATURES,
            "labels": labels,
        },
    )

    # What scikit-learn itself says of each hold-out row (not what ONNX Runtime says).
    rows = [
        {
            "features": dict(zip(FEATURES, x.tolist())),
            "prediction": labels[prediction],
            "probabilities": dict(zip(labels, p.tolist())),
        }
        for x, prediction, p in zip(x_test, predictions, probabilities)
    ]
    write_json("golden.json", {"library": f"scikit-learn {sklearn.__version__}", "rows": rows})
    write_json("request.json", {"features": rows[0]["features"]})

    # Check the exported model against the pipeline before calling it done: all
    # rows in one run, then one run for each row (ONNX Runtime rounds differently).
    right = int((predictions == y_test).sum())
    print(f"hold-out accuracy: {right}/{len(y_test)} = {right / len(y_test):.2f}")
    session = onnxruntime.InferenceSession(model_bytes, providers=["CPUExecutionProvider"])
    x_onnx = x_test.astype(np.float32)
    for way, batches in (("one batch", [x_onnx]), ("row by row", np.split(x_onnx, len(x_onnx)))):
        outputs = [session.run(["label", "probabilities"], {"features": batch}) for batch in batches]
        same = bool((np.concatenate([o[0] for o in outputs]) == predictions).all())
        onnx_probabilities = np.concatenate([o[1] for o in outputs]).astype(np.float64)
        difference = float(np.abs(onnx_probabilities - probabilities).max())
        print(f"onnxruntime {onnxruntime.__version__}, {way}: "
              f"same labels: {same}, max abs probability difference: {difference:.3e}")
        if not same or not difference <= TOLERANCE:
            raise SystemExit("the exported model disagrees with scikit-learn")


if __name__ == "__main__":
    main()
