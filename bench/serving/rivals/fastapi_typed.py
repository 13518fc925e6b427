"""FastAPI as its documentation shows it: pydantic in and out."""

import os

import numpy
from engine import session_of
from fastapi import FastAPI
from pydantic import BaseModel

session = session_of(os.environ["MODEL"])
app = FastAPI()


class Tensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    data: list[float]


class InferRequest(BaseModel):
    inputs: list[Tensor]


class InferAnswer(BaseModel):
    model_name: str
    model_version: str
    outputs: list[Tensor]


@app.post("/v2/models/{model}/infer")
async def infer(model: str, request: InferRequest) -> InferAnswer:
    tensor = request.inputs[0]
    rows = numpy.array(tensor.data, dtype=numpy.float32).reshape(tensor.shape)
    (y,) = session.run(["y"], {"x": rows})
    output = Tensor(name="y", datatype="FP32", shape=list(y.shape), data=y.ravel().tolist())
    return InferAnswer(model_name=model, model_version="1", outputs=[output])
