import type { OpenAPIObject } from '@nestjs/swagger';
import { itInProcess, TestApp } from './test-app';

interface Media {
  readonly schema?: { readonly example?: unknown; readonly $ref?: string };
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  readonly path: string;
  readonly operationId: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly schema: { readonly example?: unknown; readonly type?: string };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}

describe('the documentation', () => {
  let app: TestApp;
  let document: OpenAPIObject;
  let operations: readonly Operation[];

  beforeAll(async () => {
    app = await TestApp.start();
    document = (await app.request().get('/docs-json').expect(200)).body as OpenAPIObject;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      (Object.values(methods) as Operation[]).map((operation) => ({ ...operation, path })),
    );
  });
  afterAll(() => app.close());

  /** Whether a reader is shown what it looks like: an example of its own, or one made of the examples of a schema's members. */
  const hasExample = ({ schema, example, examples }: Media): boolean => {
    if (example !== undefined || examples !== undefined || schema?.example !== undefined) return true;
    const named = document.components?.schemas?.[schema?.$ref?.split('/').at(-1) ?? ''] as
      { required?: string[]; properties?: Record<string, Media['schema'] & { format?: string; items?: object }> } | undefined;
    const members = Object.entries(named?.properties ?? {}).filter(([name]) => named?.required?.includes(name));
    return (
      members.length > 0 &&
      members.every(([, member]) => member?.example !== undefined || member?.format === 'binary' || member?.items !== undefined)
    );
  };

  it('is where the root leads to', async () => {
    await app.request().get('/').expect(302).expect('Location', '/docs');
  });

  it('needs nothing from anywhere else', async () => {
    const page = await app
      .request()
      .get('/docs')
      .expect(200)
      .expect('Content-Type', /text\/html/);
    const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target]) => target as string);
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      expect(asset).toMatch(/^\.\/docs\//);
      await app.request().get(asset.slice(1)).expect(200);
    }
    const { text } = await app.request().get('/docs/swagger-ui-init.js').expect(200);
    expect(text).toContain('/api/v1/predict/{model}');
  });

  itInProcess('covers every route that the server has', () => {
    const routes = operations.map(({ operationId }) => operationId).sort();
    expect(routes).toEqual([
      'BackupDrillController_drill',
      'BackupUpkeepController_deleteSnapshot',
      'BackupUpkeepController_prune',
      'BackupUpkeepController_undeleteSnapshot',
      'BackupUpkeepController_verify',
      'BackupsController_archive',
      'BackupsController_describe',
      'BackupsController_list',
      'BackupsController_run',
      'CacheController_clear',
      'CacheController_figures',
      'FeedbackController_tell',
      'HealthController_all',
      'HealthController_live',
      'HealthController_ready',
      'HealthController_startup',
      'InferController_infer',
      'InferController_inferVersion',
      'LogLevelController_change',
      'LogLevelController_now',
      'MetricsController_index',
      'ModelChangesController_describe',
      'ModelChangesController_promote',
      'ModelChangesController_removeAlias',
      'ModelChangesController_rollback',
      'ModelChangesController_setAlias',
      'ModelDeletionController_deleteModel',
      'ModelDeletionController_deleteVersion',
      'ModelDeletionController_undeleteModel',
      'ModelDeletionController_undeleteVersion',
      'ModelQualityController_quality',
      'ModelsController_describe',
      'ModelsController_history',
      'ModelsController_list',
      'ModelsController_upload',
      'OpenInferenceHealthController_live',
      'OpenInferenceHealthController_ready',
      'OpenInferenceMetadataController_model',
      'OpenInferenceMetadataController_modelConfig',
      'OpenInferenceMetadataController_modelReady',
      'OpenInferenceMetadataController_models',
      'OpenInferenceMetadataController_server',
      'OpenInferenceMetadataController_version',
      'OpenInferenceMetadataController_versionConfig',
      'OpenInferenceMetadataController_versionReady',
      'PredictController_predict',
      'RepositoryController_getIndex',
      'RepositoryController_load',
      'RepositoryController_postIndex',
      'RepositoryController_unload',
      'RestoreController_restore',
      'StatisticsController_all',
      'StatisticsController_model',
      'StatisticsController_version',
      'TensorflowMetadataController_label',
      'TensorflowMetadataController_model',
      'TensorflowMetadataController_version',
      'TensorflowPredictController_predict',
      'TensorflowPredictController_predictLabel',
      'TensorflowPredictController_predictVersion',
      'TensorflowStatusController_label',
      'TensorflowStatusController_list',
      'TensorflowStatusController_model',
      'TensorflowStatusController_version',
      'VersionsController_artifact',
      'VersionsController_describeVersion',
    ]);
    const router = (app.app.getHttpAdapter().getInstance() as { router: { stack: readonly { route?: { path: string } }[] } }).router;
    const left = /^\/(docs.*)?$|:(classify|regress)$/; // the pages themselves, and what is there to say that it is not done
    const served = router.stack.flatMap(({ route }) =>
      route === undefined || left.test(route.path) ? [] : [route.path.replaceAll(/(?<!\\):(\w+)/g, '{$1}').replaceAll('\\', '')],
    );
    expect([...new Set(served)].sort()).toEqual(Object.keys(document.paths).sort());
  });

  it('has a summary, a tag, examples of parameters, body and success on every route', () => {
    for (const { operationId, summary, tags, parameters = [], requestBody, responses } of operations) {
      const successes = Object.entries(responses).filter(([status]) => status.startsWith('2'));
      const shown = {
        summary: summary !== undefined,
        tags: tags?.length === 1,
        parameters: parameters
          .filter((parameter) => parameter.in === 'path')
          .every(({ schema }) => schema.example !== undefined && schema.type !== undefined),
        body: Object.values(requestBody?.content ?? {}).every(hasExample),
        success:
          successes.length > 0 &&
          successes.every(([status, { content }]) => status === '204' || Object.values(content ?? {}).some(hasExample)),
      };
      expect({ operationId, ...shown }).toEqual({ operationId, summary: true, tags: true, parameters: true, body: true, success: true });
    }
  });

  it('has the errors of every route, each with a real example of its code', () => {
    for (const { operationId, path, responses } of operations) {
      const [type, sentence] = /^\/v[12]\b/.test(path) ? ['application/json', 'error'] : ['application/problem+json', 'detail'];
      const errors = Object.entries(responses).filter(([status]) => Number(status) >= 400);
      expect({ operationId, errors: errors.length > 0 }).toEqual({ operationId, errors: true });
      for (const [status, { content }] of errors) {
        const examples = Object.entries(content?.[type]?.examples ?? {});
        expect({ operationId, status, examples: examples.length > 0 }).toEqual({ operationId, status, examples: true });
        for (const [code, { value }] of examples)
          expect(value).toMatchObject({ code, status: Number(status), [sentence]: expect.any(String) });
      }
    }
  });

  it('declares every error that the bad-input tests meet on uploads and predictions', () => {
    const codesOf = (id: string): readonly string[] => {
      const { responses } = operations.find(({ operationId }) => operationId === id) as Operation;
      return Object.values(responses).flatMap(({ content }) => Object.keys(content?.['application/problem+json']?.examples ?? {}));
    };
    expect(codesOf('ModelsController_upload')).toEqual(
      expect.arrayContaining(['MODEL_REFUSED', 'UPLOAD_TOO_LARGE', 'MALFORMED_JSON', 'INVALID_NAME', 'METADATA_MISMATCH']),
    );
    expect(codesOf('PredictController_predict')).toEqual(
      expect.arrayContaining(['MISSING_FEATURE', 'UNKNOWN_FEATURE', 'NO_PRODUCTION_VERSION', 'ENGINE_DEADLINE_EXCEEDED']),
    );
  });
});
