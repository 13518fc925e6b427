"""Make model.json of Keras 3 with what Keras itself answers: keras3.json beside this script.

    python3.11 -m venv /tmp/keras3-venv
    /tmp/keras3-venv/bin/pip install keras==3.15.1 jax==0.10.2 numpy==2.4.6 scipy==1.17.1
    /tmp/keras3-venv/bin/python test/tfjs/keras3.py

Topologies are `model.to_json()`, weights go by `variable.path`, as tensorflowjs_converter writes both.
"""
import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "numpy"

import keras
import numpy as np
from keras import layers

random = np.random.default_rng(0)


def sequential():
    return keras.Sequential(
        [layers.Input((6, 6, 1)), layers.Conv2D(2, 3, padding="same", activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(),
         layers.Flatten(), layers.Dropout(0.5), layers.Dense(3, activation="softmax")], name="picture")  # fmt: skip


def functional():
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    shared = layers.Dense(3, activation="silu", name="shared")
    left, right = shared(a), shared(b)
    both = layers.Concatenate(name="both")([left, right])
    total = layers.Add(name="total")([layers.Dense(2, name="deep")(both), layers.Dense(2, use_bias=False, name="wide")(a)])
    return keras.Model([a, b], [layers.Activation("sigmoid", name="yes")(total), layers.LeakyReLU(name="leak")(total)], name="two")


def recurrent():
    x = layers.Input((5, 2), name="x")
    each = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both_ways")(x)
    last = layers.GRU(2, reset_after=False, name="last")(each)
    return keras.Model(x, layers.LayerNormalization(name="y")(last), name="series")


def nested():
    """A model as a layer, and one that is called twice."""
    deep = keras.Sequential([layers.Input((3,)), layers.Dense(2, activation="tanh", name="within")], name="deep")
    chain = keras.Sequential([layers.Input((3,)), deep, layers.Dense(3, name="after")], name="chain")
    z = layers.Input((3,), name="z")
    twice = keras.Model(z, layers.Dense(3, activation="relu", name="again")(z), name="twice")
    x = layers.Input((3,), name="x")
    return keras.Model(x, [layers.Add(name="y")([twice(twice(x)), chain(x)]), twice(x)], name="outer")


def one_input():
    x = layers.Input((3,), name="x")
    inner = keras.Model(x, layers.Dense(2, name="within")(x), name="inner")
    a = layers.Input((3,), name="a")
    return keras.Model(a, inner(a), name="outer")


def case(make):
    keras.backend.clear_session()
    model = make()
    for variable in model.variables:
        if "seed" in variable.path:
            continue
        values = random.normal(size=variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    inputs = [random.normal(size=(2, *each.shape[1:])).astype(np.float32) for each in model.inputs]
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    block = lambda values: {"shape": list(np.shape(values)), "values": [float(f"{v:.8g}") for v in np.ravel(np.asarray(values))]}
    weights = [{"name": v.path, **block(v.value)} for v in model.variables if "seed" not in v.path]
    return {
        "modelTopology": {"keras_version": keras.__version__, "backend": "tensorflow", "model_config": json.loads(model.to_json())},
        "weights": weights,
        "inputs": [{"name": each.name, **block(values)} for each, values in zip(model.inputs, inputs)],
        "outputs": [block(values) for values in outputs],
    }


cases = {make.__name__: case(make) for make in (sequential, functional, recurrent, nested, one_input)}
(Path(__file__).parent / "keras3.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
