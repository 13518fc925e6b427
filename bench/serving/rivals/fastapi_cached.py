"""FastAPI with fastapi-cache2 over Redis, at its fastest: orjson both ways, no validation, and what is kept is the answer's bytes.

It keeps answers of GET only, so what is decorated is the function that computes, not the endpoint.
"""

import os
from contextlib import asynccontextmanager

import numpy
import orjson
from engine import session_of
from fastapi import FastAPI, Request, Response
from fastapi_cache import Coder, FastAPICache
from fastapi_cache.backends.redis import RedisBackend
from fastapi_cache.decorator import cache
from redis.asyncio import from_url

DAY = 86_400
session = session_of(os.environ["MODEL"])


class AsTheyAre(Coder):
    @classmethod
    def encode(cls, value):
        return value

    @classmethod
    def decode(cls, value):
        return value


@asynccontextmanager
async def lifespan(_app):
    FastAPICache.init(RedisBackend(from_url(os.environ["REDIS_URL"])), prefix="bench", coder=AsTheyAre)
    yield


app = FastAPI(lifespan=lifespan)


@cache(expire=DAY)
async def answer(model, tensor):
    rows = numpy.array(tensor["data"], dtype=numpy.float32).reshape(tensor["shape"])
    (y,) = session.run(["y"], {"x": rows})
    output = {"name": "y", "datatype": "FP32", "shape": y.shape, "data": y.ravel()}
    return orjson.dumps(
        {"model_name": model, "model_version": "1", "outputs": [output]}, option=orjson.OPT_SERIALIZE_NUMPY
    )


@app.post("/v2/models/{model}/infer")
async def infer(model: str, request: Request):
    tensor = orjson.loads(await request.body())["inputs"][0]
    return Response(await answer(model, tensor), media_type="application/json")
