import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiOperation, operationsOf, pressed, type Pressed } from './swagger-request';
import { TestApp } from './test-app';

const MODEL_FILE = readFileSync(join(__dirname, '../../examples/iris/model.onnx'));

/** What was done by hand before an example was pressed, as the registry of a first start alone cannot know it. */
const ARCHIVED = { path: '/api/v1/models/iris/versions/1/promote', body: { stage: 'archived' } };
const SECOND_IN_PRODUCTION = { path: '/api/v1/models/iris/versions/2/promote', body: { stage: 'production' } };

/** Every operation, in the order in which somebody may press it who has just started the server for the first time: reads first, deletes last. */
const ORDER: readonly (readonly [operation: string, before?: { readonly path: string; readonly body: object }])[] = [
  ['HealthController_all'],
  ['HealthController_live'],
  ['HealthController_ready'],
  ['HealthController_startup'],
  ['MetricsController_index'],
  ['ModelsController_list'],
  ['ModelsController_describe'],
  ['ModelsController_history'],
  ['VersionsController_describeVersion'],
  ['VersionsController_artifact'],
  ['PredictController_predict'],
  ['FeedbackController_tell'],
  ['ModelQualityController_quality'],
  ['InferController_infer'],
  ['InferController_inferVersion'],
  ['OpenInferenceHealthController_live'],
  ['OpenInferenceHealthController_ready'],
  ['OpenInferenceMetadataController_server'],
  ['OpenInferenceMetadataController_models'],
  ['OpenInferenceMetadataController_model'],
  ['OpenInferenceMetadataController_modelConfig'],
  ['OpenInferenceMetadataController_modelReady'],
  ['OpenInferenceMetadataController_version'],
  ['OpenInferenceMetadataController_versionConfig'],
  ['OpenInferenceMetadataController_versionReady'],
  ['RepositoryController_getIndex'],
  ['RepositoryController_postIndex'],
  ['RepositoryController_unload'],
  ['RepositoryController_load'],
  ['StatisticsController_all'],
  ['StatisticsController_model'],
  ['StatisticsController_version'],
  ['TensorflowStatusController_list'],
  ['TensorflowStatusController_model'],
  ['TensorflowStatusController_version'],
  ['TensorflowStatusController_label'],
  ['TensorflowMetadataController_model'],
  ['TensorflowMetadataController_version'],
  ['TensorflowMetadataController_label'],
  ['TensorflowPredictController_predict'],
  ['TensorflowPredictController_predictVersion'],
  ['TensorflowPredictController_predictLabel'],
  ['CacheController_figures'],
  ['CacheController_clear'],
  ['LogLevelController_now'],
  ['LogLevelController_change'],
  ['BackupsController_list'],
  ['BackupsController_run'],
  ['BackupsController_describe'],
  ['BackupsController_archive'],
  ['BackupUpkeepController_deleteSnapshot'],
  ['BackupUpkeepController_undeleteSnapshot'],
  ['BackupUpkeepController_verify'],
  ['BackupDrillController_drill'],
  ['BackupUpkeepController_prune'],
  ['RestoreController_restore'],
  ['ModelsController_upload'], // makes version 2
  ['ModelChangesController_describe'],
  ['ModelChangesController_promote'],
  ['ModelChangesController_setAlias'],
  ['ModelChangesController_rollback', SECOND_IN_PRODUCTION], // a version that was in production before is needed
  ['ModelChangesController_removeAlias'],
  ['ModelDeletionController_deleteVersion'],
  ['ModelDeletionController_undeleteVersion'],
  ['ModelDeletionController_deleteModel', ARCHIVED], // refused while a version is in production
  ['ModelDeletionController_undeleteModel'],
];

describe('an example of the documentation', () => {
  let app: TestApp;
  let operations: ReadonlyMap<string, ApiOperation>;
  const requests = new Map<string, readonly Pressed[]>();

  beforeAll(async () => {
    app = await TestApp.start({ env: { EXAMPLES: 'on', MAX_JSON_BYTES: '2048' } });
    operations = operationsOf((await app.request().get('/docs-json').expect(200)).body as object);
    for (const [id, operation] of operations) requests.set(id, pressed(operation, MODEL_FILE));
  });
  afterAll(() => app.close());

  const send = async ({ method, path, init }: Pressed): Promise<Response> => fetch(app.origin + path, { method, ...init });

  it('is pressed for every operation', () => {
    expect(ORDER.map(([id]) => id).sort()).toEqual([...operations.keys()].sort());
  });

  it.each(ORDER.map(([id, before]) => [id, before] as const))('works when pressed: %s', async (id, before) => {
    if (before !== undefined) await app.request().post(before.path).send(before.body).expect(200);
    for (const request of requests.get(id) as readonly Pressed[]) {
      const answer = await send(request);
      const text = await answer.text();
      const said = `${request.method} ${request.path}: ${answer.status}`;
      expect([said, answer.ok || text]).toEqual([said, true]);
      expect(Object.keys((operations.get(id) as ApiOperation).responses)).toContain(String(answer.status));
    }
  });

  describe('done wrong', () => {
    /** In what ways a request may be wrong; `undefined`: not this one. */
    const WRONGS: Readonly<Record<string, (request: Pressed, operation: ApiOperation) => Pressed | undefined>> = {
      'a bad name': (request) => inPath(request, '/iris', '/Iris!'),
      'a model that is not there': (request) => inPath(request, '/iris', '/nothing'),
      'a version that is not there': (request) => inPath(request, /versions\/\d+/, 'versions/9'),
      'no version': (request) => inPath(request, /versions\/\d+/, 'versions/one'),
      'an alias that may not be': (request) => inPath(request, 'champion', 'production'),
      'an unknown query': (request) => ({ ...request, path: `${request.path}${request.path.includes('?') ? '&' : '?'}nonsense=1` }),
      'a query that is nonsense': (request, { parameters = [] }) => {
        const names = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
        return names.length === 0 ? undefined : { ...request, path: `${request.path.split('?')[0]}?${names[0]}=!&${names[0]}=?` };
      },
      'a body that is no JSON': (request) => withBody(request, '{'),
      'a body with an unknown member': (request) => withBody(request, '{"nonsense":1}'),
      'a body that is too large': (request) => withBody(request, ' '.repeat(4096)),
      'no content type': (request) => withBody(request, '{}', 'text/plain'),
      'a state that is gone': (request, operation) => withHeader(request, operation, 'If-Match', '"gone-1"'),
      'a key that is none': (request, operation) => withHeader(request, operation, 'Idempotency-Key', 'two words'),
    };

    const codesOf = ({ responses }: ApiOperation): readonly string[] =>
      Object.entries(responses).flatMap(([status, { content = {} }]) =>
        Object.values(content).flatMap(({ examples = {} }) => Object.keys(examples).map((code) => `${status} ${code}`)),
      );

    it.each(Object.keys(WRONGS))('is refused as the documentation says, or does not matter: %s', async (wrong) => {
      let refused = 0;
      for (const [id, operation] of operations) {
        const [request] = requests.get(id) as readonly [Pressed];
        const mistaken = WRONGS[wrong]?.(request, operation);
        if (mistaken === undefined || mistaken === request) continue;
        const answer = await send(mistaken);
        const text = await answer.text();
        if (answer.ok) continue;
        const { code } = JSON.parse(text) as { readonly code: string };
        expect({ id, codes: codesOf(operation) }).toEqual({ id, codes: expect.arrayContaining([`${answer.status} ${code}`]) });
        refused++;
      }
      expect(refused).toBeGreaterThan(0);
    });
  });
});

function inPath(request: Pressed, part: string | RegExp, wrong: string): Pressed | undefined {
  const path = request.path.replace(part, wrong);
  return path === request.path ? undefined : { ...request, path };
}

function withBody(request: Pressed, body: string, type = 'application/json'): Pressed | undefined {
  if (typeof request.init.body !== 'string') return undefined;
  return { ...request, init: { body, headers: { 'Content-Type': type } } };
}

function withHeader(request: Pressed, { parameters = [] }: ApiOperation, header: string, value: string): Pressed | undefined {
  if (!parameters.some(({ name }) => name === header)) return undefined;
  return { ...request, init: { ...request.init, headers: { ...request.init.headers, [header]: value } } };
}
