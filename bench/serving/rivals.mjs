// The rivals: each in a virtual environment of PyPI's packages, made once and kept outside of the repository.
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requirements } from './rivals/requirements.mjs';

const run = promisify(execFile);
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'analytics-api-bench');
const PYTHON = process.env.PYTHON || 'python3';
const SCRIPTS = join(import.meta.dirname, 'rivals');
const INSTALL_MS = 15 * 60_000;
const MAX_BATCH = 64;
const CACHE_BYTES = 2 ** 28;

/** Makes an environment where there is none of these requirements. @returns its folder @throws with pip's last words */
async function environment(name, { alone = [], packages }) {
  const folder = join(CACHE, name);
  const stamp = join(folder, 'requirements.json');
  const wanted = JSON.stringify({ python: PYTHON, alone, packages });
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return folder;
  console.log(`making the environment ${folder} …`);
  rmSync(folder, { recursive: true, force: true });
  await run(PYTHON, ['-m', 'venv', folder]);
  const pip = (args) =>
    run(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ...args], { timeout: INSTALL_MS });
  if (alone.length > 0) await pip(['--no-deps', ...alone]);
  await pip(packages);
  writeFileSync(stamp, wanted);
  return folder;
}

async function pythonOf(folder) {
  const facts =
    'import json, sysconfig as s; print(json.dumps([s.get_python_version(), s.get_path("purelib"), s.get_config_var("LIBDIR")]))';
  const { stdout } = await run(join(folder, 'bin/python'), ['-c', facts]);
  const [version, packages, libraries] = JSON.parse(stdout);
  return { version, packages, libraries };
}

/** What pip has installed of these. */
async function versionsIn(folder, names) {
  const { stdout } = await run(join(folder, 'bin/pip'), ['freeze']);
  const found = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('==')),
  );
  return Object.fromEntries(names.map((name) => [name, found.get(name)]));
}

const fastapi =
  (script, packages = []) =>
  async (folder, model, { redisUrl }) => ({
    versions: await versionsIn(folder, ['fastapi', 'uvicorn', 'orjson', 'pydantic', 'onnxruntime', ...packages]),
    command: (port) => ({
      file: join(folder, 'bin/uvicorn'),
      args: [`${script}:app`, '--app-dir', SCRIPTS, '--port', String(port), '--no-access-log', '--log-level', 'warning'],
      env: { MODEL: model, ...(redisUrl && { REDIS_URL: redisUrl }), PYTHONDONTWRITEBYTECODE: '1' },
    }),
  });

const tritonConfig = (name, cached) => `name: "${name}"
backend: "python"
max_batch_size: ${MAX_BATCH}
input [{ name: "x" data_type: TYPE_FP32 dims: [10] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [1] }]
instance_group [{ kind: KIND_CPU count: 1 }]
dynamic_batching { }
${cached ? 'response_cache { enable: true }\n' : ''}`;

/** The real server is inside pytriton's wheel; its Python backend wants its stub beside it, and the environment's Python first. */
const triton =
  ({ cached }) =>
  async (folder, model, { name, workFolder }) => {
    const python = await pythonOf(folder);
    const server = join(python.packages, 'pytriton/tritonserver');
    const stub = join(server, 'python_backend_stubs', python.version, 'triton_python_backend_stub');
    if (!existsSync(stub)) throw new Error(`the wheel has no backend for Python ${python.version}: set PYTHON to another`);
    const [backends, models] = [join(workFolder, 'triton-backends'), join(workFolder, 'triton-models')];
    cpSync(join(server, 'backends/python'), join(backends, 'python'), { recursive: true });
    cpSync(stub, join(backends, 'python/triton_python_backend_stub'));
    chmodSync(join(backends, 'python/triton_python_backend_stub'), 0o755);
    mkdirSync(join(models, name, '1'), { recursive: true });
    writeFileSync(join(models, name, 'config.pbtxt'), tritonConfig(name, cached));
    cpSync(join(SCRIPTS, 'triton_model.py'), join(models, name, '1/model.py'));
    cpSync(join(SCRIPTS, 'engine.py'), join(models, name, '1/engine.py')); // it looks there, and not in PYTHONPATH
    chmodSync(join(server, 'bin/tritonserver'), 0o755);
    const flags = { 'model-repository': models, 'backend-directory': backends, 'http-address': '127.0.0.1', 'allow-grpc': 'false' };
    const quiet = { 'allow-metrics': 'false', 'log-info': 'false' };
    const cache = cached ? { 'cache-directory': join(server, 'caches'), 'cache-config': `local,size=${CACHE_BYTES}` } : {};
    return {
      versions: await versionsIn(folder, ['nvidia-pytriton', 'numpy', 'onnxruntime']),
      command: (port) => ({
        file: join(server, 'bin/tritonserver'),
        args: Object.entries({ ...flags, ...quiet, ...cache, 'http-port': port }).map(([flag, value]) => `--${flag}=${value}`),
        env: {
          PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
          LD_LIBRARY_PATH: `${join(python.packages, 'nvidia_pytriton.libs')}:${python.libraries}`,
          PYTHONPATH: python.packages,
          PYTHONDONTWRITEBYTECODE: '1',
          MODEL: model,
        },
      }),
    };
  };

async function mlserver(folder, model, { name, workFolder }) {
  const home = join(workFolder, 'mlserver');
  mkdirSync(home, { recursive: true });
  const settings = (port) => ({
    host: '127.0.0.1',
    http_port: port,
    grpc_port: 0,
    metrics_endpoint: null,
    parallel_workers: 0,
    debug: false,
  });
  writeFileSync(join(home, 'model-settings.json'), JSON.stringify({ name, implementation: 'mlserver_model.Network' }));
  return {
    versions: await versionsIn(folder, ['mlserver', 'fastapi', 'onnxruntime']),
    command: (port) => {
      writeFileSync(join(home, 'settings.json'), JSON.stringify(settings(port)));
      return {
        file: join(folder, 'bin/mlserver'),
        args: ['start', home],
        env: { MODEL: model, PYTHONPATH: SCRIPTS, PYTHONDONTWRITEBYTECODE: '1' },
        cwd: home,
      };
    },
  };
}

const RIVALS = {
  'fastapi-raw': { environment: 'fastapi', prepare: fastapi('fastapi_raw') },
  'fastapi-typed': { environment: 'fastapi', prepare: fastapi('fastapi_typed') },
  'fastapi-cache': { environment: 'fastapi-cache', prepare: fastapi('fastapi_cached', ['fastapi-cache2', 'redis']) },
  triton: { environment: 'triton', prepare: triton({ cached: false }) },
  'triton-cache': { environment: 'triton', prepare: triton({ cached: true }) },
  mlserver: { environment: 'mlserver', prepare: mlserver },
};

/** Makes what a rival needs. @returns its versions, and what to run @throws where that cannot be had here */
export async function prepareRival(rival, model, { onnxruntime, ...where }) {
  const { environment: name, prepare } = RIVALS[rival];
  const folder = await environment(name, requirements(onnxruntime)[name]);
  const { version } = await pythonOf(folder);
  const prepared = await prepare(folder, model, where);
  return { ...prepared, versions: { python: version, ...prepared.versions } };
}
