"""What users of KServe's Python client do. usage: python kserve_session.py http://HOST:PORT http://KEYED_HOST:PORT KEY"""

import asyncio
import sys

import httpx
import numpy as np
from checks import check, check_each, equal, run, says
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL, KEYED_URL, KEY = sys.argv[1:]
v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
v2 = InferenceRESTClient(RESTConfig(protocol="v2"))

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], dtype=np.float32)


def question(model, name, values, datatype, binary, **more):
    given = InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model, [given], **more)


def iris(binary=True, rows=ROWS, **more):
    return question("iris", "features", rows, "FP32", binary, **more)


async def refused(status, *words, call):
    try:
        await call
    except httpx.HTTPStatusError as error:
        equal(error.response.status_code, status)
        says(str(error), *words)
        return
    raise AssertionError("it was not refused")


# --- the Open Inference Protocol


@check
async def the_server_is_live_and_ready():
    equal((await v2.is_server_live(URL), await v2.is_server_ready(URL)), (True, True))


@check
async def a_model_is_ready_or_not():
    equal([await v2.is_model_ready(URL, name) for name in ("iris", "nobody", "staged")], [True, False, False])


@check_each(binary=(True, True), json=(False, False), binary_in=(True, False), binary_out=(False, True))
async def a_prediction_there_and_back(case):
    binary_in, binary_out = case
    asked = iris(binary_in, request_id="mine", parameters={"binary_data_output": binary_out})
    answer = await v2.infer(URL, asked, model_name="iris")
    equal((answer.id, answer.model_name), ("mine", "iris"))
    label, probabilities = answer.outputs
    equal(label.as_numpy().tolist(), [0, 2])
    equal((probabilities.name, probabilities.as_numpy().shape), ("probabilities", (2, 3)))


@check
async def an_id_that_the_client_made_comes_back():
    assert len((await v2.infer(URL, iris(), model_name="iris")).id) == 36


@check
async def a_requested_output_says_how_it_comes():
    asked = iris(request_outputs=[RequestedOutput("label", {"binary_data": True}), RequestedOutput("probabilities", {"binary_data": False})])
    answer = await v2.infer(URL, asked, model_name="iris")
    equal([output.name for output in answer.outputs], ["label", "probabilities"])
    equal(answer.outputs[0].as_numpy().tolist(), [0, 2])


@check_each(binary=True, json=False)
async def texts_there_and_back(binary):
    values = np.array([["žluťoučký 🐎"], [""]], dtype=np.object_)
    answer = await v2.infer(URL, question("text", "x", values, "BYTES", binary), model_name="text")
    equal(answer.outputs[0].as_numpy().flatten().tolist(), values.flatten().tolist())


@check
async def integers_beyond_doubles_are_exact():
    values = np.array([[2**63 - 1], [-(2**53) - 1]], dtype=np.int64)
    for binary in (True, False):
        answer = await v2.infer(URL, question("int64", "x", values, "INT64", binary), model_name="int64")
        equal(answer.outputs[0].as_numpy().tolist(), values.tolist())


@check
async def halves_go_binary():
    values = np.array([[0.5], [-2]], dtype=np.float16)
    asked = question("fp16", "x", values, "FP16", True, parameters={"binary_data_output": True})
    equal((await v2.infer(URL, asked, model_name="fp16")).outputs[0].as_numpy().tolist(), values.tolist())


@check
async def nan_is_sent_as_null_and_comes_back_so():
    values = np.array([[np.nan], [1]], dtype=np.float32)
    answer = await v2.infer(URL, question("fp32", "x", values, "FP32", False), model_name="fp32")
    back = answer.outputs[0].as_numpy()
    assert np.isnan(back[0, 0]) and back[1, 0] == 1, back


@check_each(binary=True, json=False)
async def an_empty_batch_has_an_empty_answer(binary):
    answer = await v2.infer(URL, iris(binary, ROWS[:0]), model_name="iris")
    equal(answer.outputs[1].as_numpy().shape, (0, 3))


@check
async def a_dict_is_sent_as_it_is():
    asked = {"inputs": [{"name": "features", "shape": [1, 4], "datatype": "FP32", "data": [[5.1, 3.5, 1.4, 0.2]], "parameters": None}]}
    equal((await v2.infer(URL, asked, model_name="iris")).outputs[0].data, [0])


@check
async def an_error_says_what_was_wrong():
    await refused(404, "nobody", call=v2.infer(URL, iris(), model_name="nobody"))
    wrong = iris(rows=np.ones((1, 5), np.float32))
    await refused(400, "features", "4", "5", call=v2.infer(URL, wrong, model_name="iris"))
    wrong = question("iris", "features", ROWS.astype(np.float64), "FP64", False)
    await refused(400, "features", "FP32", "FP64", call=v2.infer(URL, wrong, model_name="iris"))


@check
async def a_key_goes_in_a_header():
    headers = {"Authorization": f"Bearer {KEY}"}
    equal((await v2.infer(KEYED_URL, iris(), model_name="iris", headers=headers)).outputs[0].data, [0, 2])
    equal((await v1.infer(KEYED_URL, {"instances": ROWS.tolist()}, model_name="iris", headers=headers))["predictions"][1]["label"], 2)
    await refused(401, call=v2.infer(KEYED_URL, iris(), model_name="iris"))
    equal(await v2.is_server_ready(KEYED_URL), True)


# --- KServe's first protocol, which is TensorFlow Serving's


@check
async def v1_predicts():
    answer = await v1.infer(URL, {"instances": ROWS.tolist()}, model_name="iris")
    equal([prediction["label"] for prediction in answer["predictions"]], [0, 2])


@check
async def v1_knows_which_model_is_ready():
    equal(await v1.is_model_ready(URL, "iris"), True)
    await refused(404, "nobody", call=v1.is_model_ready(URL, "nobody"))


@check
async def v1_errors_say_what_was_wrong():
    await refused(404, "nobody", call=v1.infer(URL, {"instances": ROWS.tolist()}, model_name="nobody"))
    await refused(400, "instances", "inputs", call=v1.infer(URL, {}, model_name="iris"))


if __name__ == "__main__":
    loop = asyncio.new_event_loop()  # the clients keep connections, which belong to a loop
    run(loop.run_until_complete)
