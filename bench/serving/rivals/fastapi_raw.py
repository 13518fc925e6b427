"""FastAPI at its fastest: orjson both ways, no validation."""

import os

import numpy
import orjson
from engine import session_of
from fastapi import FastAPI, Request, Response

session = session_of(os.environ["MODEL"])
app = FastAPI()


@app.post("/v2/models/{model}/infer")
async def infer(model: str, request: Request):
    tensor = orjson.loads(await request.body())["inputs"][0]
    rows = numpy.array(tensor["data"], dtype=numpy.float32).reshape(tensor["shape"])
    (y,) = session.run(["y"], {"x": rows})
    output = {"name": "y", "datatype": "FP32", "shape": y.shape, "data": y.ravel()}
    answer = {"model_name": model, "model_version": "1", "outputs": [output]}
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
