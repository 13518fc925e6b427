"""What tritonclient's users do. usage: python triton_session.py HOST:PORT KEYED_HOST:PORT KEY"""

import gzip
import json
import sys
import urllib.request
import zlib

import ml_dtypes
import numpy as np
import tritonclient.http as http
import tritonclient.http.aio as aio
from checks import check, check_each, equal, run, says
from tritonclient.utils import InferenceServerException

URL, KEYED_URL, KEY = sys.argv[1:]
client = http.InferenceServerClient(URL, concurrency=4)

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], dtype=np.float32)
# model: the values that it must give back as they were
VALUES = {
    "fp16": np.array([[0.5], [-2.0], [65504.0]], dtype=np.float16),
    "fp32": np.array([[0.1], [-1e38], [np.float32(1) / 3]], dtype=np.float32),
    "fp64": np.array([[0.1], [5e-324], [-1.7976931348623157e308]], dtype=np.float64),
    "int8": np.array([[-128], [0], [127]], dtype=np.int8),
    "uint8": np.array([[0], [255]], dtype=np.uint8),
    "int16": np.array([[-32768], [32767]], dtype=np.int16),
    "uint16": np.array([[0], [65535]], dtype=np.uint16),
    "int32": np.array([[-(2**31)], [2**31 - 1]], dtype=np.int32),
    "uint32": np.array([[0], [2**32 - 1]], dtype=np.uint32),
    "int64": np.array([[-(2**53) - 1], [2**63 - 1], [-(2**63)]], dtype=np.int64),
    "uint64": np.array([[2**53 + 1], [2**64 - 1]], dtype=np.uint64),
    "bool": np.array([[True], [False]], dtype=bool),
    "text": np.array([["žluťoučký 🐎"], [""], ['"\\\n']], dtype=np.object_),
}
DATATYPES = {name: name.upper() for name in VALUES} | {"text": "BYTES"}


def tensor(name, values, binary=True, datatype=None):
    given = http.InferInput(name, list(values.shape), datatype or http.np_to_triton_dtype(values.dtype))
    return given.set_data_from_numpy(values, binary_data=binary)


def iris(rows=ROWS, binary=True):
    return [tensor("features", rows, binary)]


def refused(status, *words, call):
    """@param words that the message must have"""
    try:
        call()
    except InferenceServerException as error:
        says(error.message(), *words)
        equal(error.status(), str(status))
        return
    raise AssertionError("it was not refused")


def text_of(values):
    return [value.decode() if isinstance(value, bytes) else value for value in values.flatten()]


# --- the server and its models


@check
def the_server_is_live_and_ready():
    equal((client.is_server_live(), client.is_server_ready()), (True, True))


@check
def a_model_is_ready_with_and_without_a_version():
    equal([client.is_model_ready("iris"), client.is_model_ready("iris", "1"), client.is_model_ready("iris", "production")], [True] * 3)


@check
def what_is_not_there_is_not_ready():
    equal([client.is_model_ready("nobody"), client.is_model_ready("iris", "99"), client.is_model_ready("staged")], [False] * 3)


@check
def the_server_tells_its_name_version_and_extensions():
    about = client.get_server_metadata()
    equal(about["name"], "analytics-api")
    assert about["version"], about
    wanted = {"binary_tensor_data", "classification", "model_repository", "statistics"}
    assert wanted <= set(about["extensions"]), about


@check
def a_model_tells_its_tensors():
    about = client.get_model_metadata("iris")
    equal((about["name"], about["versions"], about["platform"]), ("iris", ["1"], "onnx_onnxv1"))
    equal(about["inputs"], [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}])
    outputs = [(output["name"], output["datatype"], output["shape"]) for output in about["outputs"]]
    equal(outputs, [("label", "INT64", [-1]), ("probabilities", "FP32", [-1, 3])])


@check
def a_model_tells_all_its_versions():
    equal(sorted(client.get_model_metadata("lines")["versions"]), ["1", "2"])
    equal(client.get_model_metadata("lines", "2")["name"], "lines")


@check
def the_index_lists_every_version():
    entries = {(entry["name"], entry.get("version")): entry for entry in client.get_model_repository_index()}
    equal(entries["iris", "1"]["state"], "READY")
    assert {("lines", "1"), ("lines", "2"), ("text", "1")} <= set(entries), entries


@check
def loading_and_unloading_answer_200():
    client.load_model("fp64")
    equal(client.is_model_ready("fp64"), True)
    client.unload_model("fp64")
    equal(client.is_model_ready("fp64"), False)
    client.load_model("fp64")
    values = VALUES["fp64"]
    equal(client.infer("fp64", [tensor("x", values)]).as_numpy("y").tolist(), values.tolist())


@check
def loading_takes_no_file_of_the_caller():
    refused(400, "never by a load", call=lambda: client.load_model("fp64", config="{}", files={"file:1/model.onnx": b"no model"}))
    refused(404, "nobody", call=lambda: client.load_model("nobody"))


@check
def statistics_count_what_was_asked():
    def counts():
        (about,) = client.get_inference_statistics("counted")["model_stats"]
        return about["inference_count"], about["execution_count"], about["inference_stats"]["success"]["count"]

    before = counts()
    client.infer("counted", [tensor("x", np.ones((3, 1), np.float32))])
    equal([after - was for was, after in zip(before, counts())], [3, 1, 1])


@check
def statistics_have_every_figure_that_perf_analyzer_reads():
    (about,) = client.get_inference_statistics("counted", "1")["model_stats"]
    equal((about["name"], about["version"]), ("counted", "1"))
    for kind in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"):
        figures = about["inference_stats"][kind]
        assert isinstance(figures["count"], int) and isinstance(figures["ns"], int), (kind, figures)
    assert about["inference_stats"]["compute_infer"]["ns"] > 0, about
    assert about["last_inference"] > 1_700_000_000_000, about
    assert isinstance(about["batch_stats"], list), about


@check
def statistics_of_all_models_are_there():
    names = [entry["name"] for entry in client.get_inference_statistics()["model_stats"]]
    assert {"iris", "counted"} <= set(names), names


# --- tensors there and back


@check_each(**{name: name for name in VALUES})
def every_way_of_a_tensor_keeps_its_values(name):
    values = VALUES[name]
    ways = (True,) if name == "fp16" else (True, False)  # which has no form in JSON
    for binary_in in ways:
        for binary_out in ways:
            outputs = [http.InferRequestedOutput("y", binary_data=binary_out)]
            result = client.infer(name, [tensor("x", values, binary_in, DATATYPES[name])], outputs=outputs)
            about = result.get_output("y")
            equal((about["datatype"], about["shape"]), (DATATYPES[name], list(values.shape)))
            equal("data" in about, not binary_out)
            back = result.as_numpy("y")
            equal(back.dtype, values.dtype)
            equal(text_of(back) if name == "text" else back.tolist(), text_of(values) if name == "text" else values.tolist())


@check
def halves_are_refused_in_json_both_ways():
    values = VALUES["fp16"]
    outputs = [http.InferRequestedOutput("y", binary_data=False)]
    refused(400, "x", "FP16", "binary_data_size", call=lambda: client.infer("fp16", [tensor("x", values, binary=False)]))
    refused(400, "y", "FP16", "binary_data", call=lambda: client.infer("fp16", [tensor("x", values)], outputs=outputs))


@check
def nan_in_json_is_refused():
    values = np.array([[np.nan]], dtype=np.float32)
    refused(400, "JSON", call=lambda: client.infer("fp32", [tensor("x", values, binary=False)]))


@check
def bytes_that_are_no_text_are_refused_by_name():
    broken = np.array([[b"\xff\xfe"]], dtype=np.object_)
    refused(422, "x[0]", "UTF-8", call=lambda: client.infer("text", [tensor("x", broken)]))


@check
def binary_tensors_carry_nan_and_infinity():
    values = np.array([[np.nan], [np.inf], [-np.inf], [-0.0]], dtype=np.float32)
    equal(client.infer("fp32", [tensor("x", values)]).as_numpy("y").tobytes(), values.tobytes())


@check
def what_is_not_finite_is_null_in_json_and_counted_in_a_header():
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 1], "data": [-1, 4]}]}).encode()
    with urllib.request.urlopen(f"http://{URL}/v2/models/root/infer", body) as answer:
        equal(answer.headers["X-Non-Finite"], "1")
        equal(json.load(answer)["outputs"][0]["data"], [None, 2])
    outputs = [http.InferRequestedOutput("y", binary_data=False)]
    back = client.infer("root", [tensor("x", np.array([[-1], [4]], np.float32))], outputs=outputs).as_numpy("y")
    assert np.isnan(back[0, 0]) and back[1, 0] == 2, back


@check
def bfloat16_for_a_model_of_another_datatype_is_refused():
    values = np.ones((1, 4), dtype=ml_dtypes.bfloat16)
    refused(400, "features", "FP32", "BF16", call=lambda: client.infer("iris", [tensor("features", values)]))


@check
def several_inputs_and_outputs_are_told_apart():
    a, b = np.array([[2], [3]], np.float32), np.array([[5], [7]], np.float32)
    result = client.infer("two", [tensor("b", b), tensor("a", a)])
    equal((result.as_numpy("sum").tolist(), result.as_numpy("product").tolist()), ([[7], [10]], [[10], [21]]))


@check
def binary_and_json_mix_in_inputs_and_outputs():
    a, b = np.array([[2]], np.float32), np.array([[5]], np.float32)
    outputs = [http.InferRequestedOutput("product", binary_data=True), http.InferRequestedOutput("sum", binary_data=False)]
    result = client.infer("two", [tensor("a", a, binary=False), tensor("b", b)], outputs=outputs)
    equal((result.as_numpy("sum").tolist(), result.as_numpy("product").tolist()), ([[7]], [[10]]))
    equal([output["name"] for output in result.get_response()["outputs"]], ["product", "sum"])


@check
def only_the_wanted_outputs_are_answered():
    outputs = [http.InferRequestedOutput("label")]
    result = client.infer("iris", iris(), outputs=outputs)
    equal([output["name"] for output in result.get_response()["outputs"]], ["label"])
    equal(result.as_numpy("label").tolist(), [0, 2])


@check
def without_outputs_all_come_and_binary():
    result = client.infer("iris", iris(binary=False))
    equal([output["parameters"]["binary_data_size"] for output in result.get_response()["outputs"]], [16, 24])
    equal(result.as_numpy("probabilities").shape, (2, 3))


@check_each(binary=True, json=False)
def an_empty_batch_has_an_empty_answer(binary):
    outputs = [http.InferRequestedOutput("probabilities", binary_data=binary)]
    result = client.infer("iris", iris(ROWS[:0], binary), outputs=outputs)
    equal(result.as_numpy("probabilities").shape, (0, 3))


# --- classification


@check_each(binary=True, json=False)
def classes_come_with_value_index_and_label(binary):
    outputs = [http.InferRequestedOutput("probabilities", class_count=2, binary_data=binary)]
    result = client.infer("iris", iris(), outputs=outputs)
    equal(result.get_output("probabilities")["datatype"], "BYTES")
    classes = result.as_numpy("probabilities")
    equal(classes.shape, (2, 2))
    parts = [text.split(":") for text in text_of(classes)]
    equal([part[1:] for part in parts], [["0", "setosa"], ["1", "versicolor"], ["2", "virginica"], ["1", "versicolor"]])
    scores = client.infer("iris", iris()).as_numpy("probabilities")
    assert abs(float(parts[0][0]) - float(scores[0, 0])) < 1e-6, (parts, scores)


@check
def no_more_classes_than_there_are():
    outputs = [http.InferRequestedOutput("probabilities", class_count=99)]
    equal(client.infer("iris", iris(), outputs=outputs).as_numpy("probabilities").shape, (2, 3))


# --- requests: ids, versions, headers, parameters


@check_each(plain="42", long="x" * 200, other_letters="žluť", digits="007")
def the_id_comes_back(request_id):
    equal(client.infer("iris", iris(), request_id=request_id).get_response()["id"], request_id)


@check
def without_an_id_there_is_none():
    response = client.infer("iris", iris()).get_response()
    assert "id" not in response, response


@check_each(production=("", "1", 1), number=("2", "2", 10), alias=("challenger", "2", 10), stage=("production", "1", 1))
def a_version_is_asked_by_number_or_alias(case):
    asked, version, factor = case
    result = client.infer("lines", [tensor("x", np.array([[3]], np.float32))], model_version=asked)
    equal((result.get_response()["model_name"], result.get_response()["model_version"]), ("lines", version))
    equal(result.as_numpy("y").tolist(), [[3 * factor]])


@check
def query_and_headers_disturb_nothing():
    result = client.infer("iris", iris(), query_params={"a": [1, "ž"], "b": "c d"}, headers={"X-Correlation-Id": "mine", "X-Other": "1"})
    equal(result.as_numpy("label").tolist(), [0, 2])


@check
def parameters_of_other_servers_disturb_nothing():
    result = client.infer("iris", iris(), priority=1, timeout=5_000_000, parameters={"batch": 7, "fast": True, "who": "me"})
    equal(result.as_numpy("label").tolist(), [0, 2])


@check_each(gzip="gzip", deflate="deflate")
def a_compressed_request_is_read(algorithm):
    for binary in (True, False):
        result = client.infer("iris", iris(binary=binary), request_compression_algorithm=algorithm)
        equal(result.as_numpy("label").tolist(), [0, 2])


@check_each(gzip=("gzip", gzip.decompress), deflate=("deflate", zlib.decompress))
def an_answer_is_compressed_where_it_is_asked_for(case):
    algorithm, decompress = case
    many = np.tile(ROWS, (500, 1))
    for binary in (True, False):
        outputs = [http.InferRequestedOutput("probabilities", binary_data=binary)]
        result = client.infer("iris", iris(many), outputs=outputs, response_compression_algorithm=algorithm)
        equal(result.as_numpy("probabilities").shape, (1000, 3))
    body, _ = http.InferenceServerClient.generate_request_body(iris(many, binary=False))
    request = urllib.request.Request(f"http://{URL}/v2/models/iris/infer", body, {"Accept-Encoding": algorithm})
    with urllib.request.urlopen(request) as answer:
        equal(answer.headers["Content-Encoding"], algorithm)
        sent = answer.read()
        assert len(sent) < len(decompress(sent)) / 2, len(sent)


@check
def a_large_batch_comes_back_whole():
    values = np.arange(100_000, dtype=np.float32).reshape(-1, 1)
    assert np.array_equal(client.infer("fp32", [tensor("x", values)]).as_numpy("y"), values)


@check
def bodies_are_made_and_read_without_a_connection():
    body, json_size = http.InferenceServerClient.generate_request_body(iris())
    headers = {"Inference-Header-Content-Length": str(json_size), "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"http://{URL}/v2/models/iris/infer", body, headers)) as answer:
        header_length = int(answer.headers["Inference-Header-Content-Length"])
        result = http.InferenceServerClient.parse_response_body(answer.read(), header_length=header_length)
    equal(result.as_numpy("label").tolist(), [0, 2])


@check
def many_at_once_each_get_their_own_answer():
    asked = [client.async_infer("fp32", [tensor("x", np.full((1, 1), at, np.float32))], request_id=str(at + 1)) for at in range(20)]
    results = [answer.get_result() for answer in asked]
    equal([result.as_numpy("y")[0, 0] for result in results], list(range(20)))
    equal([result.get_response()["id"] for result in results], [str(at + 1) for at in range(20)])


# --- errors: every one names what was wrong, what was wanted and what came


@check
def an_unknown_model_is_404():
    for call in (
        lambda: client.infer("nobody", iris()),
        lambda: client.get_model_metadata("nobody"),
        lambda: client.unload_model("nobody"),
    ):
        refused(404, "nobody", call=call)


@check
def an_unknown_version_is_404():
    for call in (lambda: client.infer("iris", iris(), model_version="99"), lambda: client.get_model_metadata("iris", "99")):
        refused(404, "iris", "99", call=call)
    refused(404, "iris", "nobody", call=lambda: client.infer("iris", iris(), model_version="nobody"))


@check
def a_model_without_a_production_version_says_so():
    refused(404, "staged", call=lambda: client.infer("staged", iris()))


@check_each(binary=True, json=False)
def a_wrong_shape_is_400(binary):
    refused(400, "features", "4", "5", call=lambda: client.infer("iris", iris(np.ones((1, 5), np.float32), binary)))


@check_each(binary=True, json=False)
def a_wrong_datatype_is_400(binary):
    refused(400, "features", "FP32", "FP64", call=lambda: client.infer("iris", iris(ROWS.astype(np.float64), binary)))


@check
def a_missing_input_is_400():
    refused(400, "expected a, b", "got a", call=lambda: client.infer("two", [tensor("a", np.ones((1, 1), np.float32))]))


@check
def an_unknown_input_is_400():
    inputs = [*iris(), tensor("more", np.ones((1, 1), np.float32))]
    refused(400, "more", call=lambda: client.infer("iris", inputs))


@check
def an_unknown_output_is_400():
    refused(400, "nothing", call=lambda: client.infer("iris", iris(), outputs=[http.InferRequestedOutput("nothing")]))


@check
def too_few_and_too_many_bytes_are_400():
    short, long = iris()[0], iris()[0]
    short._raw_data = short._raw_data[:-4]
    refused(400, "features", "32", "28", call=lambda: client.infer("iris", [short]))
    long._raw_data += b"more"
    refused(400, call=lambda: client.infer("iris", [long]))


@check
def what_the_model_itself_refuses_is_an_error_of_its_own():
    refused(400, call=lambda: client.infer("failing", [tensor("x", np.array([99], np.int64))]))


@check
def an_error_is_readable_where_a_compressed_answer_was_asked_for():
    refused(404, "nobody", call=lambda: client.infer("nobody", iris(), response_compression_algorithm="gzip"))


@check
def what_this_server_has_not_is_an_error_with_words():
    for call in (
        lambda: client.get_system_shared_memory_status(),
        lambda: client.get_cuda_shared_memory_status(),
        lambda: client.update_trace_settings(settings={"trace_level": ["OFF"]}),
        lambda: client.update_log_settings({"log_verbose_level": 1}),
    ):
        try:
            call()
        except InferenceServerException as error:
            assert error.status() in ("404", "501") and error.message() and "exception occurred" not in error.message(), error
        else:
            raise AssertionError("it was not refused")


@check
def shared_memory_is_refused_by_its_name():
    given = http.InferInput("features", [1, 4], "FP32")
    given.set_shared_memory("region", 16)
    refused(400, "shared_memory_region", call=lambda: client.infer("iris", [given]))


# --- keys


@check
def without_a_key_a_server_that_has_one_is_live_and_says_no():
    with http.InferenceServerClient(KEYED_URL) as keyed:
        equal((keyed.is_server_live(), keyed.is_server_ready()), (True, True))
        refused(401, call=lambda: keyed.infer("iris", iris()))
        refused(401, call=lambda: keyed.infer("iris", iris(), headers={"Authorization": "Bearer wrong-wrong-wrong-wrong"}))


@check_each(bearer={"Authorization": f"Bearer {KEY}"}, x_api_key={"X-API-Key": KEY})
def a_key_is_sent_with_each_call(headers):
    with http.InferenceServerClient(KEYED_URL) as keyed:
        equal(keyed.infer("iris", iris(), headers=headers).as_numpy("label").tolist(), [0, 2])


class Key(http.InferenceServerClientPlugin):
    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {KEY}"


@check
def a_plugin_sends_the_key_with_every_call():
    with http.InferenceServerClient(KEYED_URL) as keyed:
        keyed.register_plugin(Key())
        equal(keyed.get_model_metadata("iris")["name"], "iris")
        equal(keyed.infer("iris", iris()).as_numpy("label").tolist(), [0, 2])


# --- tritonclient.http.aio, which asks for compressed answers by itself and reads only predictions so


async def use_aio(use):
    async with aio.InferenceServerClient(URL) as other:
        return await use(other)


@check
def aio_reads_metadata_index_and_statistics():
    async def use(other):
        equal(await other.is_server_live(), True)
        equal((await other.get_server_metadata())["name"], "analytics-api")
        equal((await other.get_model_metadata("iris"))["name"], "iris")
        assert await other.get_model_repository_index()
        assert (await other.get_inference_statistics())["model_stats"]

    return use_aio(use)


@check_each(binary=True, json=False)
def aio_predicts(binary):
    async def use(other):
        many = np.tile(ROWS, (500, 1))
        outputs = [http.InferRequestedOutput("label", binary_data=binary)]
        result = await other.infer("iris", iris(many, binary), outputs=outputs)
        equal(result.as_numpy("label").tolist(), [0, 2] * 500)

    return use_aio(use)


@check
def aio_sends_binary_tensors_as_application_json_when_mlserver_tells_it_to():
    async def use(other):
        result = await other.infer("iris", iris(), headers={"content-type": "application/json"})
        equal(result.as_numpy("label").tolist(), [0, 2])

    return use_aio(use)


@check
def aio_reads_errors():
    async def use(other):
        try:
            await other.get_model_metadata("nobody")
        except InferenceServerException as error:
            says(error.message(), "nobody")
            equal(error.status(), "404")
            return
        raise AssertionError("it was not refused")

    return use_aio(use)


if __name__ == "__main__":
    import asyncio

    run(asyncio.run)
