"""Triton's Python backend: one call of the engine for all requests that Triton put together."""

import os

import numpy
import triton_python_backend_utils as triton
from engine import session_of


class TritonPythonModel:
    def initialize(self, args):
        self.session = session_of(os.environ["MODEL"])

    def execute(self, requests):
        rows = [triton.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        (y,) = self.session.run(["y"], {"x": numpy.concatenate(rows)})
        parts = numpy.split(y, numpy.cumsum([len(each) for each in rows])[:-1])
        return [triton.InferenceResponse([triton.Tensor("y", part)]) for part in parts]
