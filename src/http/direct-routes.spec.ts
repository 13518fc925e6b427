import { DirectRoutes } from './direct-routes';

describe(DirectRoutes, () => {
  const handler = (): void => {};
  const routes = new DirectRoutes();
  for (const path of [
    '/api/v1/predict/:model',
    '/v2/models/:model/infer',
    '/v2/models/:model/versions/:version/infer',
    String.raw`/v1/models/:model\:predict`,
    String.raw`/v1/models/:model/labels/:label\:predict`,
  ]) {
    routes.add(path, handler);
  }

  it.each([
    ['/api/v1/predict/iris', { model: 'iris' }],
    ['/v2/models/iris/infer', { model: 'iris' }],
    ['/v2/models/Iris_1.b-c/versions/12/infer', { model: 'Iris_1.b-c', version: '12' }],
    ['/v1/models/iris:predict', { model: 'iris' }],
    ['/v1/models/iris/labels/champion:predict', { model: 'iris', label: 'champion' }],
  ])('knows the path %s', (url, params) => {
    expect(routes.match(url)).toEqual({ route: expect.objectContaining({ handler }), params });
  });

  it.each([
    '/api/v1/predict/iris?version=1',
    '/api/v1/predict/iris?',
    '/api/v1/predict/iris/',
    '/api/v1/predict/',
    '/api/v1/predict/ir%69s',
    '/api/v1/predict/iris#1',
    '/API/v1/predict/iris',
    '/api/v1/predictxiris',
    '//api/v1/predict/iris',
    'http://localhost/api/v1/predict/iris',
    '/v1/models/iris:predict:predict',
    '/v1/models/iris%3apredict',
    '/v1/models/iris:classify',
    '/v2/models//infer',
    '/v2/models/a/b/infer',
    '/v2/models/iris/infer\n',
    '*',
    '',
  ])('leaves %j to the router', (url) => {
    expect(routes.match(url)).toBeUndefined();
  });

  it.each(['/api/v1/models', '/v2/repository/index', '/v2/models/:model/load', String.raw`/v1/models/:model\:classify`])(
    'takes no note of %s',
    (path) => {
      const none = new DirectRoutes();
      none.add(path, handler);
      expect(none.match(path.replaceAll('\\', '').replace(':model', 'iris'))).toBeUndefined();
    },
  );
});
