// The limit: bare node:http and ONNX Runtime, a call of the engine for each request, and nothing else. Nothing is checked.
// usage: node bench/serving/limit.mjs PORT MODEL.onnx
import { createServer } from 'node:http';
import ort from 'onnxruntime-node';

const [port, model] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const [inputName] = session.inputNames;
const [outputName] = session.outputNames;

async function infer(body, response) {
  const { shape, data } = JSON.parse(body).inputs[0];
  const { [outputName]: y } = await session.run({ [inputName]: new ort.Tensor('float32', new Float32Array(data), shape) });
  const outputs = [{ name: outputName, datatype: 'FP32', shape: y.dims, data: Array.from(y.data) }];
  const answer = JSON.stringify({ model_name: 'limit', model_version: '1', outputs });
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(answer) });
  response.end(answer);
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    infer(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
});
server.listen(Number(port), '127.0.0.1');
