import { identity } from '../onnx/models';
import { DTYPE } from '../onnx/onnx-writer';
import {
  asBinary,
  asJson,
  asRaw,
  type ClientDatatype,
  type ClientRequest,
  type ClientTensor,
  HEADER,
  outputsOf,
} from '../open-inference/client';
import { hangUp, post, type WireAnswer } from '../open-inference/post';
import { Random, SEED } from '../open-inference/random';
import { randomTensor } from '../open-inference/random-tensor';
import { describeBothWays, TestApp } from './test-app';

const TENSORS = 30; // each way
const JUNK = 1500;
const MAX_BINARY_BYTES = 65_536;
const MAX_GROWN_BYTES = 256 * 2 ** 20;

const MODELS: readonly (readonly [datatype: ClientDatatype, number: number])[] = [
  ['BOOL', DTYPE.bool],
  ['UINT8', DTYPE.uint8],
  ['UINT16', DTYPE.uint16],
  ['UINT32', DTYPE.uint32],
  ['UINT64', DTYPE.uint64],
  ['INT8', DTYPE.int8],
  ['INT16', DTYPE.int16],
  ['INT32', DTYPE.int32],
  ['INT64', DTYPE.int64],
  ['FP16', DTYPE.float16],
  ['FP32', DTYPE.float32],
  ['FP64', DTYPE.float64],
  ['BYTES', DTYPE.string],
];

describeBothWays(`tensors through the Open Inference Protocol (SEED=${SEED})`, (way) => {
  let app: TestApp;

  beforeAll(async () => {
    app = await TestApp.start({ env: { ...way, MAX_BINARY_BYTES: String(MAX_BINARY_BYTES), MAX_JSON_BYTES: String(MAX_BINARY_BYTES) } });
    for (const [datatype, number] of MODELS)
      await app.serve(datatype.toLowerCase(), identity(number, datatype === 'BYTES' ? [null, 1] : [null, 3]));
  });
  afterAll(async () => {
    hangUp();
    await app.close();
  });

  const send = (model: string, { body, headers }: ClientRequest): Promise<WireAnswer> =>
    post(`${app.origin}/v2/models/${model}/infer`, body, headers);

  const difference = async (request: ClientRequest, sent: ClientTensor): Promise<string | undefined> => {
    const { status, body, headers } = await send(sent.datatype.toLowerCase(), request);
    if (status !== 200) return body.toString();
    const back = outputsOf(body, headers).get('y') as ClientTensor;
    const same = back.bytes.equals(sent.bytes) && back.datatype === sent.datatype && String(back.shape) === String(sent.shape);
    return same ? undefined : `${sent.bytes.toString('hex')} came back as ${back.bytes.toString('hex')}`;
  };

  it.each(MODELS.map(([datatype]) => datatype))(
    `come back from a real model bit for bit, ${TENSORS} of %s in each encoding`,
    async (datatype) => {
      const random = new Random(SEED);
      const tensor = (rows: number, finite: boolean) => randomTensor(random, datatype, [rows, datatype === 'BYTES' ? 1 : 3], finite);
      for (let count = 0; count < TENSORS; count++) {
        const [any, finite, one] = [tensor(random.below(5), false), tensor(random.below(5), true), tensor(1, false)];
        const requests: (readonly [ClientRequest, ClientTensor])[] = [[asBinary('x', any), any], [asRaw(one), one]]; // prettier-ignore
        if (datatype !== 'FP16') requests.push([asJson('x', finite, false), finite], [asJson('x', finite, true), finite]);
        const found = await Promise.all(requests.map(([request, sent]) => difference(request, sent)));
        expect(found).toEqual(requests.map(() => undefined));
      }
    },
  );

  const residentBytes = async (): Promise<number> =>
    Number(/^process_resident_memory_bytes(?:\{[^}]*\})? (.*)$/m.exec((await app.request().get('/metrics').expect(200)).text)?.[1]);

  /** A good request, with something broken: its header, its JSON, its bytes. */
  const broken = (random: Random): readonly [model: string, request: ClientRequest] => {
    const datatype = random.pick(MODELS)[0];
    const tensor = randomTensor(random, datatype, [1 + random.below(3), datatype === 'BYTES' ? 1 : 3], false);
    const { body, headers } = random.chance(5) ? asRaw(tensor) : asBinary('x', tensor);
    const length = Number(headers[HEADER]);
    const lengths = ['0', '1', String(length - 1), String(length + 1), String(body.length), String(body.length + 1), '-1', '1e3', '', '999999999999999999', String(random.below(200))]; // prettier-ignore
    const damaged = Buffer.from(body);
    const kind = random.below(5);
    for (let count = random.below(4); kind !== 0 && damaged.length > 0 && count >= 0; count--) {
      const behind = kind === 1 && damaged.length > length ? length + random.below(damaged.length - length) : random.below(damaged.length);
      damaged[behind] = random.chance(3) ? random.pick([0, 0x30, 0x39, 0x5b, 0x5d, 0x7b, 0x22, 255]) : random.bits();
    }
    const cut = kind === 2 ? damaged.subarray(0, random.below(damaged.length + 1)) : damaged;
    const grown = kind === 3 ? Buffer.concat([cut, random.bytes(1 + random.below(40))]) : cut;
    return [
      datatype.toLowerCase(),
      { body: grown, headers: kind === 0 || random.chance(3) ? { [HEADER]: random.pick(lengths) } : headers },
    ];
  };

  it(`are answered, or refused by 4xx, whatever ${JUNK} damaged requests say; and the server goes on, no larger than before`, async () => {
    const random = new Random(SEED);
    const before = await residentBytes();
    const statuses = new Map<number, number>();
    for (let count = 0; count < JUNK; count += 10) {
      const batch = Array.from({ length: 10 }, () => broken(random));
      const answers = await Promise.all(batch.map(([model, request]) => send(model, request)));
      for (const [at, { status, body }] of answers.entries()) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const allowed = [200, 400, 404, 413, 422].includes(status);
        if (!allowed) expect([status, body.toString(), batch[at]?.[1].headers, batch[at]?.[1].body.toString('base64')]).toEqual([]);
        if (status !== 200) expect(typeof (JSON.parse(body.toString()) as { error: unknown }).error).toBe('string');
      }
    }
    expect(statuses.get(400)).toBeGreaterThan(JUNK / 4);
    expect(statuses.get(200)).toBeGreaterThan(0);
    expect((await residentBytes()) - before).toBeLessThan(MAX_GROWN_BYTES);
    await app.request().get('/health/ready').expect(200);
  });
});
