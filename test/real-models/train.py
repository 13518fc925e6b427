"""Train small real-world models and write them, with their trainers' own answers, next to this script.

    python3.11 -m venv /tmp/real-models-venv
    /tmp/real-models-venv/bin/pip install -r requirements.txt -r requirements-torch.txt
    /tmp/real-models-venv/bin/python train.py

Each <name>.onnx is what the exporter writes with its default options, less what this script says. Each <name>.json
holds rows of held-out inputs and the outputs that the training library itself computes for them (never onnxruntime): it
is the oracle. At the end every model is run with onnxruntime and compared with its oracle: |a - b| <= 1e-5 * max(1, |b|),
or the "tolerance" that its .json carries with a "why" (none needs one yet). "labels" marks a model that ends in a ZipMap,
whose sequence of maps the .json holds as an FP32 matrix [rows, classes], the classes in the order of "labels".

requirements-torch.txt is large (PyPI's torch is the CUDA build, 5 GB installed); without it the torch-* files are left as
they are. With the pinned packages, running it again on the same machine gives the same bytes.
"""

import json
import logging
import os
import sys
import warnings
from pathlib import Path

# For the same bytes every time: sums in one order, and the exporters' sets of operator sets in one order.
FIXED = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
if not FIXED.items() <= os.environ.items():
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | FIXED)

import lightgbm
import numpy as np
import onnxmltools
import onnxruntime
import skl2onnx
import sklearn
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MlToolsFloat
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).resolve().parent
SEED = 0
ROWS = 24
TOLERANCE = 1e-5
DATATYPES = {"float32": "FP32", "float64": "FP64", "int64": "INT64", "object": "BYTES"}
SKL2ONNX = f"skl2onnx {skl2onnx.__version__}"
ONNXMLTOOLS = f"onnxmltools {onnxmltools.__version__}"
SKLEARN = f"scikit-learn {sklearn.__version__}"

failed = []


def split(load, names=False, skip=()):
    """(x_train, y_train, x_held_out) of a bundled data set as float32, so that trainer and ONNX model see the same numbers.

    `skip` are held-out rows left out: they lie on a tree's threshold, which the ONNX model holds rounded to float32.
    """
    data = load()
    y = data.target_names[data.target].astype(object) if names else data.target
    x_train, x_test, y_train, _ = train_test_split(data.data.astype(np.float32), y, random_state=SEED, test_size=0.25)
    return x_train, y_train, np.delete(x_test, list(skip), axis=0)[:ROWS]


def tensor(name, array):
    flat = array.reshape(-1)
    if array.dtype == np.float32:
        data = [float(str(value)) for value in flat]  # the shortest decimal that reads back as the same float32
        assert np.array_equal(np.array(data, np.float32), flat)
    else:
        data = flat.tolist()
    return {"name": name, "datatype": DATATYPES[array.dtype.name], "shape": list(array.shape), "data": data}


def as_fp32(array):
    return np.asarray(array).astype(np.float32)


def as_label(array):
    array = np.asarray(array)
    return array.astype(np.int64 if array.dtype.kind in "iu" else object)


def save(name, what, onnx_model, inputs, outputs, *, trainer, exporter, labels=None, tolerance=None, why=None):
    """Write <name>.onnx and <name>.json, check the one against the other, print a line."""
    blob = onnx_model if isinstance(onnx_model, bytes) else onnx_model.SerializeToString(deterministic=True)
    (HERE / f"{name}.onnx").write_bytes(blob)
    fixture = {
        "name": name,
        "trainer": trainer,
        "exporter": exporter,
        "what": what,
        "inputs": [tensor(key, value) for key, value in inputs.items()],
        "outputs": [tensor(key, value) for key, value in outputs.items()],
    }
    if labels is not None:
        fixture["labels"] = np.asarray(labels).tolist()
    if tolerance is not None:
        fixture |= {"tolerance": tolerance, "why": why}
    members = (f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in fixture.items())
    text = "{\n" + ",\n".join(members) + "\n}\n"
    (HERE / f"{name}.json").write_text(text, encoding="utf-8", newline="\n")

    worst = compare(name, blob, inputs, outputs, labels)
    allowed = TOLERANCE if tolerance is None else tolerance
    print(f"{name:32} {len(blob):7} {len(text):6}  {worst:.1e} of {allowed:.0e}  {'ok' if worst <= allowed else 'FAILED'}")
    if worst > allowed:
        failed.append(name)


def compare(name, blob, inputs, outputs, labels):
    """Run the model with onnxruntime; the largest |a - b| / max(1, |b|) over its number outputs, the labels being equal."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # else it warns that LightGBM models declare `label` as [1] and give one for each row
    session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
    assert [x.name for x in session.get_inputs()] == list(inputs), (name, [x.name for x in session.get_inputs()])
    assert [x.name for x in session.get_outputs()] == list(outputs), (name, [x.name for x in session.get_outputs()])
    worst = 0.0
    for (key, expected), actual in zip(outputs.items(), session.run(None, dict(inputs))):
        if isinstance(actual, list):  # a ZipMap's sequence of maps
            assert all(list(row) == np.asarray(labels).tolist() for row in actual), (name, key, actual[0], labels)
            actual = np.array([list(row.values()) for row in actual], np.float32)
        assert actual.shape == expected.shape and actual.dtype == expected.dtype, (name, key, actual.shape, actual.dtype, expected.shape)
        if expected.dtype.kind == "f":
            error = np.abs(actual.astype(float) - expected) / np.maximum(1, np.abs(expected))
            if error.max() > TOLERANCE:
                print(f"{name} {key}: rows {np.unique(np.argwhere(error > TOLERANCE)[:, 0]).tolist()} differ")
            worst = max(worst, float(error.max()))
        else:
            assert np.array_equal(actual, expected), (name, key, np.argwhere(actual != expected).tolist())
    return worst


def from_sklearn(name, what, model, x, outputs, *, types=None, inputs=None, options=None, opset=None, labels=None, **more):
    types = types or [("float_input", FloatTensorType([None, x.shape[1]]))]
    onnx_model = convert_sklearn(model, name, initial_types=types, options=options, target_opset=opset)
    save(name, what, onnx_model, inputs or {"float_input": x}, outputs, trainer=SKLEARN, exporter=SKL2ONNX, labels=labels, **more)


def classifier(name, what, model, load, names=False, **more):
    """A scikit-learn classifier with the exporter's defaults: `output_label`, and `output_probability` from a ZipMap."""
    x_train, y_train, x = split(load, names)
    model.fit(x_train, y_train)
    outputs = {"output_label": as_label(model.predict(x)), "output_probability": as_fp32(model.predict_proba(x))}
    from_sklearn(name, what, model, x, outputs, labels=model.classes_, **more)


def regressor(name, what, model, load, **more):
    x_train, y_train, x = split(load)
    model.fit(x_train, y_train)
    from_sklearn(name, what, model, x, {"variable": as_fp32(model.predict(x)).reshape(-1, 1)}, **more)


def sklearn_models():
    regressor("linear-regression", "linear regression on diabetes", LinearRegression(), load_diabetes)
    classifier("logistic-regression", "logistic regression on iris", LogisticRegression(max_iter=1000), load_iris)
    svc = SVC(probability=True, random_state=SEED)
    classifier("svc", "support vector classifier with probability=True on iris", svc, load_iris)
    regressor("svr", "support vector regression on diabetes", SVR(C=100), load_diabetes)
    forest = RandomForestClassifier(20, random_state=SEED)
    classifier("random-forest-classifier", "random forest classifier on wine", forest, load_wine)
    forest = RandomForestRegressor(20, max_depth=6, random_state=SEED)
    regressor("random-forest-regressor", "random forest regressor on diabetes", forest, load_diabetes)
    boosting = GradientBoostingClassifier(n_estimators=40, random_state=SEED)
    classifier("gradient-boosting", "gradient boosting classifier on breast cancer", boosting, load_breast_cancer)
    boosting = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=15, random_state=SEED)
    classifier("hist-gradient-boosting", "histogram gradient boosting classifier on breast cancer", boosting, load_breast_cancer)
    tree = DecisionTreeClassifier(max_depth=6, random_state=SEED)
    classifier("decision-tree", "decision tree on wine with string labels", tree, load_wine, names=True)
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    classifier("scaled-logistic-regression", "pipeline of StandardScaler and LogisticRegression on wine", scaled, load_wine)
    classifier("k-nearest-neighbours", "k nearest neighbours (k=5) on iris", KNeighborsClassifier(), load_iris)
    mlp = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=400, random_state=SEED))
    classifier("mlp", "pipeline of StandardScaler and MLPClassifier on digits", mlp, load_digits)
    classifier("gaussian-naive-bayes", "Gaussian naive Bayes on iris", GaussianNB(), load_iris)
    linear_svc()
    k_means()
    isolation_forest()
    mixed_columns()
    without_zipmap()
    zipmap_columns()
    double_precision()


def linear_svc():
    x_train, y_train, x = split(load_iris)
    model = LinearSVC(random_state=SEED, max_iter=10000).fit(x_train, y_train)
    outputs = {"label": as_label(model.predict(x)), "probabilities": as_fp32(model.decision_function(x))}
    from_sklearn("linear-svc", "linear support vector classifier on iris: no ZipMap, scores for probabilities", model, x, outputs)


def k_means():
    x_train, _, x = split(load_iris)
    model = make_pipeline(StandardScaler(), KMeans(3, n_init=4, random_state=SEED)).fit(x_train)
    outputs = {"label": as_label(model.predict(x).astype(np.int64)), "scores": as_fp32(model.transform(x))}
    what = "pipeline of StandardScaler and k-means with 3 clusters on iris: the cluster and the distance to each"
    from_sklearn("k-means", what, model, x, outputs)


def isolation_forest():
    x_train, _, x = split(load_wine)
    model = IsolationForest(n_estimators=20, max_samples=64, random_state=SEED).fit(x_train)
    outputs = {"label": as_label(model.predict(x)).reshape(-1, 1), "scores": as_fp32(model.decision_function(x)).reshape(-1, 1)}
    what = "isolation forest on wine: -1 for an outlier, else 1, and the decision function"
    opset = {"": 21, "ai.onnx.ml": 3}  # skl2onnx refuses its own default here, and asks for this
    from_sklearn("isolation-forest", what, model, x, outputs, opset=opset)


def mixed_columns():
    """Iris as a data frame would hold it: two float columns, a whole number and two strings, each an input of its own."""
    data = load_iris()
    x = data.data.astype(np.float32)
    y = data.target_names[data.target].astype(object)
    columns = np.empty((len(x), 5), object)
    columns[:, 0], columns[:, 1] = x[:, 0], x[:, 1]
    columns[:, 2] = np.round(x[:, 2] * 10).astype(np.int64)
    columns[:, 3] = np.array(["narrow", "medium", "wide"], object)[np.digitize(x[:, 3], [0.8, 1.6])]
    columns[:, 4] = np.array(["Größe S", "Größe L"], object)[(x[:, 0] > 5.8).astype(int)]
    train, test, y_train, _ = train_test_split(columns, y, random_state=SEED, test_size=0.25)
    test = test[:ROWS]
    test[0, 3], test[1, 4] = "никогда ✓", ""  # categories never seen: all zeros (handle_unknown)
    encode = ColumnTransformer(
        [("number", StandardScaler(), [0, 1, 2]), ("category", OneHotEncoder(handle_unknown="ignore"), [3, 4])],
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(train, y_train)
    names = ["sepal_length", "sepal_width", "petal_length_mm", "petal_width", "size"]
    kinds = [FloatTensorType, FloatTensorType, Int64TensorType, StringTensorType, StringTensorType]
    dtypes = [np.float32, np.float32, np.int64, object, object]
    outputs = {"output_label": as_label(model.predict(test)), "output_probability": as_fp32(model.predict_proba(test))}
    from_sklearn(
        "mixed-columns",
        "pipeline of ColumnTransformer (StandardScaler, OneHotEncoder) and LogisticRegression on iris: "
        "five inputs, two of them strings, string labels",
        model,
        test,
        outputs,
        types=[(name, kind([None, 1])) for name, kind in zip(names, kinds)],
        inputs={name: test[:, [i]].astype(dtype) for i, (name, dtype) in enumerate(zip(names, dtypes))},
        labels=model.classes_,
    )


def without_zipmap():
    x_train, y_train, x = split(load_wine)
    model = RandomForestClassifier(10, random_state=SEED).fit(x_train, y_train)
    outputs = {"label": as_label(model.predict(x)), "probabilities": as_fp32(model.predict_proba(x))}
    what = "random forest classifier on wine, exported with zipmap=False"
    from_sklearn("zipmap-off", what, model, x, outputs, options={"zipmap": False})


def zipmap_columns():
    x_train, y_train, x = split(load_iris, names=True)
    model = LogisticRegression(max_iter=1000).fit(x_train, y_train)
    probabilities = as_fp32(model.predict_proba(x))
    outputs = {"output_label": as_label(model.predict(x))}
    outputs |= {f"s{label}": probabilities[:, i] for i, label in enumerate(model.classes_)}  # s for string
    what = "logistic regression on iris, exported with zipmap='columns': one output per class"
    from_sklearn("zipmap-columns", what, model, x, outputs, options={"zipmap": "columns"})


def double_precision():
    data = load_diabetes()
    x_train, x_test, y_train, _ = train_test_split(data.data, data.target, random_state=SEED, test_size=0.25)
    model, x = Ridge(0.1).fit(x_train, y_train), x_test[:ROWS]
    types = [("double_input", DoubleTensorType([None, x.shape[1]]))]
    what = "ridge regression on diabetes, exported for float64"
    from_sklearn("ridge-double", what, model, x, {"variable": model.predict(x).reshape(-1, 1)}, types=types, inputs={"double_input": x})


def boosted_models():
    """LightGBM and XGBoost, through onnxmltools with its defaults."""
    lgbm = {"n_estimators": 20, "num_leaves": 15, "n_jobs": 1, "random_state": SEED, "deterministic": True, "verbose": -1}
    xgb = {"n_estimators": 20, "max_depth": 4, "n_jobs": 1, "random_state": SEED}
    boosted("lightgbm-binary", "LightGBM classifier on breast cancer", lightgbm.LGBMClassifier(**lgbm), load_breast_cancer)
    boosted("lightgbm-multiclass", "LightGBM classifier on wine", lightgbm.LGBMClassifier(**lgbm), load_wine, skip=(6, 22))
    boosted("lightgbm-regressor", "LightGBM regressor on diabetes", lightgbm.LGBMRegressor(**lgbm), load_diabetes)
    boosted("xgboost-binary", "XGBoost classifier on breast cancer", xgboost.XGBClassifier(**xgb), load_breast_cancer)
    boosted("xgboost-multiclass", "XGBoost classifier on wine", xgboost.XGBClassifier(**xgb), load_wine)
    boosted("xgboost-regressor", "XGBoost regressor on diabetes", xgboost.XGBRegressor(**xgb), load_diabetes)


def boosted(name, what, model, load, skip=()):
    x_train, y_train, x = split(load, skip=skip)
    model.fit(x_train, y_train)
    library = lightgbm if name.startswith("lightgbm") else xgboost
    convert = onnxmltools.convert_lightgbm if library is lightgbm else onnxmltools.convert_xgboost
    onnx_model = convert(model, name, initial_types=[("input", MlToolsFloat([None, x.shape[1]]))])
    labels = None
    if hasattr(model, "predict_proba"):
        outputs = {"label": as_label(model.predict(x)), "probabilities": as_fp32(model.predict_proba(x))}
        labels = model.classes_ if library is lightgbm else None  # the exporter writes a ZipMap for LightGBM alone
    else:
        outputs = {"variable": as_fp32(model.predict(x)).reshape(-1, 1)}
    trainer = f"{library.__name__} {library.__version__}"
    save(name, what, onnx_model, {"input": x}, outputs, trainer=trainer, exporter=ONNXMLTOOLS, labels=labels)


def torch_models():
    """PyTorch on digits, through torch.onnx.export: by torch.export (its default) and by TorchScript (dynamo=False)."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    x_train, y_train, x = split(load_digits)
    scale = np.float32(1 / 16)
    train, held_out, target = torch.from_numpy(x_train * scale), torch.from_numpy(x * scale), torch.from_numpy(y_train)

    class Lstm(nn.Module):
        """Reads the image row by row."""

        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 24, batch_first=True)
            self.head = nn.Linear(24, 10)

        def forward(self, rows):
            steps, _ = self.lstm(rows)
            return self.head(steps[:, -1])

    def mlp():
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def cnn():
        pool = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*pool, nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))

    def case(name, what, make, shape, free_batch=True, dynamo=True):
        torch.manual_seed(SEED)
        model, images = make(), train.reshape(-1, *shape)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), target).backward()
            optimizer.step()
        model.eval()
        example = held_out.reshape(-1, *shape)
        path = HERE / f"{name}.onnx"
        how = {"input_names": ["input"], "output_names": ["logits"], "dynamo": dynamo}
        if dynamo:
            how |= {"external_data": False, "verbose": False}  # by default the weights go to a second file, <name>.onnx.data
            how |= {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if free_batch else {}
        elif free_batch:
            how["dynamic_axes"] = {"input": {0: "batch"}, "logits": {0: "batch"}}
        torch.onnx.export(model, (example,), path, **how)
        with torch.no_grad():
            outputs = {"logits": model(example).numpy()}
        exporter = f"torch.onnx.export {torch.__version__}"
        save(name, what, without_traces(path), {"input": example.numpy()}, outputs, trainer=f"torch {torch.__version__}", exporter=exporter)

    case("torch-mlp", "multi-layer perceptron on digits", mlp, (64,))
    fixed = "multi-layer perceptron on digits, exported with no dynamic shapes: a fixed batch"
    case("torch-mlp-fixed-batch", fixed, mlp, (64,), free_batch=False)
    case("torch-cnn", "convolutional network on digits", cnn, (1, 8, 8))
    case("torch-cnn-torchscript", "convolutional network on digits, exported with dynamo=False", cnn, (1, 8, 8), dynamo=False)
    case("torch-lstm", "LSTM over the rows of digits", Lstm, (8, 8))
    case("torch-lstm-torchscript", "LSTM over the rows of digits, exported with dynamo=False", Lstm, (8, 8), dynamo=False)


def without_traces(path):
    """The model less the exporter's notes on each node: they hold this machine's paths."""
    import onnx

    model = onnx.load(path)
    for item in (*model.graph.node, *model.graph.value_info, model.graph):
        del item.metadata_props[:]
        item.doc_string = ""
    return model


def main():
    warnings.filterwarnings("ignore")
    print(f"{'model':32} {'.onnx':>7} {'.json':>6}  largest difference (onnxruntime {onnxruntime.__version__})")
    sklearn_models()
    boosted_models()
    try:
        import torch  # noqa: F401
    except ImportError:
        print("no torch: the torch-* files are left as they are")
    else:
        torch_models()
    if failed:
        raise SystemExit(f"these differ from their trainer: {', '.join(failed)}")


if __name__ == "__main__":
    main()
