import { linear } from '../onnx/models';
import { type ServerProcess, Servers } from './server-process';

describe('two servers on one folder', () => {
  const servers = new Servers();
  let both: readonly [ServerProcess, ServerProcess];
  beforeAll(async () => {
    const one = await servers.start({ EXAMPLES: 'off' });
    both = [one, await servers.start({ EXAMPLES: 'off', MODELS_DIR: one.modelsDir })];
  });
  afterAll(() => servers.remove());

  const upload = (at: number, factor: number) => {
    const form = new FormData();
    form.set('name', 'line');
    form.set('file', new Blob([Uint8Array.from(linear([[factor]]))]), 'model.onnx');
    return (both[at % 2] as ServerProcess).ask('POST', '/api/v1/models', form);
  };

  it('take uploads to one model at once, each under a number of its own', async () => {
    for (let round = 0; round < 4; round++) {
      const answers = await Promise.all([0, 1].map((at) => upload(at, 2 * round + at)));
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      expect(answers.map(({ body }) => body.version).sort()).toEqual([2 * round + 1, 2 * round + 2]);
    }
  });

  it('take a promotion at one of what was uploaded to the other a moment ago, on the state that the other one told', async () => {
    const [one, two] = both;
    const { status, body, headers } = await upload(0, 100);
    expect(status).toBe(201);
    const promotion = await fetch(`${two.origin}/api/v1/models/line/versions/${body.version}/promote`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'If-Match': String(headers.get('etag')) },
      body: '{"stage":"production"}',
    });
    expect(promotion.status).toBe(200);
    expect((await two.predict('line', { instances: [[2]] })).body.predictions[0].prediction).toBe(200);
    expect((await one.ask('DELETE', `/api/v1/models/line/versions/${body.version}`)).status).toBe(409); // in production
  });
});
