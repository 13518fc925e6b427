import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AuthConfig,
  CONFIG_GROUPS,
  HttpConfig,
  InferenceConfig,
  LogConfig,
  ModelsConfig,
  RuntimeConfig,
  StorageConfig,
} from './app-config';
import { BadConfiguration } from './config.errors';
import { type Environment, loadConfig } from './load-config';
import { settingsOf } from './setting';

function read<Group extends object>(group: new () => Group, env: Environment = {}): Group {
  return loadConfig(env).get(group) as Group;
}

/** A registry without keys: whoever runs the tests may have made some in `models/`. */
const KEYLESS = { MODELS_DIR: join(tmpdir(), 'analytics-api-nowhere') };

/** @returns the faults that `env` has, one line each, without the line that counts them */
function faultsOf(env: Environment): readonly string[] {
  try {
    loadConfig({ ...KEYLESS, ...env });
  } catch (error) {
    if (error instanceof BadConfiguration) return error.message.split('\n').slice(1);
    throw error;
  }
  return [];
}

describe(loadConfig.name, () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  describe('of an empty environment', () => {
    it.each([
      [
        'HttpConfig',
        HttpConfig,
        { host: '127.0.0.1', port: 4100, authMode: '', maxJsonBytes: 8 * 1024 * 1024, drainSeconds: 5, stopSeconds: 20 },
      ],
      ['LogConfig', LogConfig, { level: 'info', dir: '', fileMaxMb: 100, fileCount: 14 }],
      ['StorageConfig', StorageConfig, { modelsDir: 'models' }],
      ['ModelsConfig', ModelsConfig, { maxUploadBytes: 2 * 1024 * 1024 * 1024, required: [], examples: 'on' }],
      ['RuntimeConfig', RuntimeConfig, { engineDeadlineMs: 10_000, importDeadlineSeconds: 30, hostMemoryMb: 4096 }],
      ['InferenceConfig', InferenceConfig, { callDeadlineSeconds: 30, maxCallsPerModel: 256, maxCalls: 1024 }],
    ])('gives %s its defaults', (_name, group, defaults) => {
      expect(read<object>(group)).toMatchObject(defaults);
    });

    it('gives one instance of every group', () => {
      const config = loadConfig({});
      expect([...config.keys()]).toEqual(CONFIG_GROUPS);
      for (const [group, settings] of config) expect(settings).toBeInstanceOf(group);
    });
  });

  it('reads the environment of the process where it is given none', () => {
    jest.replaceProperty(process, 'env', { PORT: '4199' });
    expect((loadConfig().get(HttpConfig) as HttpConfig).port).toBe(4199);
  });

  it('gives groups that cannot be changed', () => {
    for (const settings of loadConfig({ PORT: '4101' }).values()) expect(Object.isFrozen(settings)).toBe(true);
    expect(() => Object.assign(read(HttpConfig), { port: 1 })).toThrow(TypeError);
  });

  it('leaves the settings of one configuration out of the next', () => {
    expect(read(HttpConfig, { PORT: '4101' }).port).toBe(4101);
    expect(read(HttpConfig).port).toBe(4100);
  });

  it('takes an empty variable for an unset one', () => {
    const empty = Object.fromEntries(CONFIG_GROUPS.flatMap((group) => settingsOf(group)).map(({ name }) => [name, '']));
    expect(loadConfig(empty)).toEqual(loadConfig({}));
  });

  it('takes a variable without a value for an unset one', () => {
    expect(read(HttpConfig, { PORT: undefined }).port).toBe(4100);
  });

  describe('for a number', () => {
    it.each([
      ['0', 0],
      ['4199', 4199],
      ['65535', 65_535],
      [' 4199 ', 4199],
    ])('reads %p', (text, port) => {
      expect(read(HttpConfig, { PORT: text }).port).toBe(port);
    });

    it.each(['abc', '4100x', '41.5', '-1', '65536', 'NaN', 'Infinity', ' ', '4,100', 'true'])('refuses %p, and says so', (text) => {
      const faults = faultsOf({ PORT: text });
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain(`PORT=${text}: PORT must `);
    });

    it('says which bound was passed', () => {
      expect(faultsOf({ MAX_CALLS: '0' })).toEqual(['  MAX_CALLS=0: MAX_CALLS must not be less than 1']);
      expect(faultsOf({ PORT: '70000' })).toEqual(['  PORT=70000: PORT must not be greater than 65535']);
    });
  });

  describe('for a list', () => {
    it.each([
      ['iris', ['iris']],
      ['iris,fraud', ['iris', 'fraud']],
      [' iris , fraud-2.v_1 ', ['iris', 'fraud-2.v_1']],
      ['a', ['a']],
      ['x'.repeat(64), ['x'.repeat(64)]],
    ])('reads %p', (text, required) => {
      expect(read(ModelsConfig, { REQUIRED_MODELS: text }).required).toEqual(required);
    });

    it.each(['Iris', 'iris,', 'iris,,fraud', 'iris fraud', '-iris', 'iris.', 'a..b', 'stats', 'iris,stats', 'x'.repeat(65), '../iris'])(
      'refuses %p: no model can have that name',
      (text) => {
        const faults = faultsOf({ REQUIRED_MODELS: text });
        expect(faults).toHaveLength(1);
        expect(faults[0]).toContain(`REQUIRED_MODELS=${text}: each value in REQUIRED_MODELS must match`);
      },
    );

    it('takes a model whose name only begins like a reserved one', () => {
      expect(read(ModelsConfig, { REQUIRED_MODELS: 'stats2,my.stats' }).required).toEqual(['stats2', 'my.stats']);
    });
  });

  describe('for one word of several', () => {
    it.each(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])('reads the level %p', (level) => {
      expect(read(LogConfig, { LOG_LEVEL: level }).level).toBe(level);
    });

    it.each([
      ['LOG_LEVEL', 'verbose', 'trace, debug, info, warn, error, fatal, silent'],
      ['LOG_LEVEL', 'INFO', 'trace, debug, info, warn, error, fatal, silent'],
      ['EXAMPLES', 'yes', 'on, off'],
      ['AUTH_MODE', 'off', 'none'],
    ])('refuses %s=%s and names the words that there are', (name, text, words) => {
      const faults = faultsOf({ [name]: text });
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain(`${name}=${text}: ${name} must be one of the following values: `);
      expect(faults[0]).toContain(words);
    });
  });

  describe('of backups', () => {
    it.each([
      [{ BACKUP_ENCRYPT: 'on' }, 'BACKUP_KEY_FILE'],
      [{ BACKUPS_DIR: '/data', MODELS_DIR: '/data/' }, 'it lies in MODELS_DIR'],
      [{ BACKUPS_DIR: 'models/saved', MODELS_DIR: './models' }, 'it lies in MODELS_DIR'],
      [{ LOG_DIR: 'models/log', MODELS_DIR: './models' }, 'LOG_DIR=models/log: it lies in MODELS_DIR'],
      [{ LOG_DIR: '/saved', BACKUPS_DIR: '/saved' }, 'LOG_DIR=/saved: it lies in BACKUPS_DIR'],
      [{ BACKUP_SCHEDULE: 'daily' }, 'BACKUP_SCHEDULE'],
      [{ BACKUP_SCHEDULE: '61 3 * * *' }, 'BACKUP_SCHEDULE'],
      [{ BACKUP_SCHEDULE: '0 3 30 2 *' }, 'some day'],
      [{ BACKUP_SCHEDULE: '0 0 3 * * *' }, 'five fields'],
      [{ BACKUP_SCHEDULE: '0 3 * * MON#2' }, 'BACKUP_SCHEDULE'], // other crons know it, the one here does not
      [{ BACKUP_TIMEZONE: '../etc' }, 'BACKUP_TIMEZONE'],
      [{ BACKUP_TIMEZONE: 'Europe/Atlantis' }, 'BACKUP_TIMEZONE'],
      [{ BACKUP_KEEP_DAILY: '0' }, 'no snapshot would stay'],
      [{ BACKUP_KEEP_DAILY: '-1' }, 'BACKUP_KEEP_DAILY'],
    ])('refuses %j', (env, about) => {
      expect(faultsOf(env)).toEqual([expect.stringContaining(about)]);
    });

    it.each([
      { BACKUP_ENCRYPT: 'on', BACKUP_KEY_FILE: '/run/secrets/backup' },
      { BACKUPS_DIR: '/data/backups', MODELS_DIR: '/data/models' },
      { BACKUPS_DIR: 'models-saved', MODELS_DIR: 'models' },
      { BACKUP_SCHEDULE: 'off' },
      { BACKUP_SCHEDULE: '*/5 1-3,7 * jan MON-FRI', BACKUP_TIMEZONE: 'America/Argentina/Buenos_Aires' },
    ])('takes %j', (env) => {
      expect(() => loadConfig(env)).not.toThrow();
    });
  });

  it('reads a text as it stands', () => {
    expect(read(StorageConfig, { MODELS_DIR: ' /data/my models/ ' }).modelsDir).toBe(' /data/my models/ ');
  });

  describe('of a bad environment', () => {
    const BAD = {
      PORT: 'abc',
      LOG_LEVEL: 'loud',
      REQUIRED_MODELS: 'Iris',
      ENGINE_DEADLINE_MS: '0',
      MAX_CALLS: '-5',
      MODEL_DIR: '/data',
      HOST: '0.0.0.0',
    };

    it('throws one BadConfiguration that names every bad variable with its value', () => {
      expect(() => loadConfig({ ...KEYLESS, ...BAD })).toThrow(BadConfiguration);
      const message = faultsOf(BAD).join('\n');
      for (const [name, text] of Object.entries(BAD)) expect(message).toContain(name === 'MODEL_DIR' ? 'MODEL_DIR: ' : `${name}=${text}: `);
      expect(() => loadConfig({ ...KEYLESS, ...BAD })).toThrow('The configuration has 7 faults:');
    });

    it('speaks of variables, never of the properties of our classes', () => {
      expect(faultsOf(BAD).join('\n')).not.toMatch(/\b(port|level|required|engineDeadlineMs|maxCalls)\b/);
    });

    it('counts one fault as one', () => {
      expect(() => loadConfig({ PORT: 'abc' })).toThrow('The configuration has a fault:');
    });
  });

  describe('for an address', () => {
    it.each(['127.0.0.1', '127.0.0.2', '127.255.255.254', '::1', 'localhost'])(
      'listens on %s, which is loopback, without a word',
      (host) => {
        expect(read(HttpConfig, { HOST: host }).host).toBe(host);
      },
    );

    it.each(['0.0.0.0', '::', '10.0.0.7', '192.168.1.2', '1.127.0.0', '127.evil.example', 'analytics.example', '::2', '::ffff:10.0.0.7'])(
      'refuses %s without AUTH_MODE, with the line to paste',
      (host) => {
        const faults = faultsOf({ HOST: host });
        expect(faults[0]).toMatch(`HOST=${host}: `);
        expect(faults.map((line) => line.trim())).toContain('AUTH_MODE=none');
      },
    );

    it.each(['0.0.0.0', '::', 'analytics.example'])('listens on %s where AUTH_MODE=none is said aloud', (host) => {
      expect(read(HttpConfig, { HOST: host, AUTH_MODE: 'none' })).toMatchObject({ host, authMode: 'none' });
    });

    describe('with keys', () => {
      const folder = mkdtempSync(join(tmpdir(), 'exposure-'));
      const file = join(folder, 'keys.json');
      afterAll(() => rmSync(folder, { recursive: true }));

      it('listens on an open address with API_KEY', () => {
        expect(faultsOf({ HOST: '0.0.0.0', API_KEY: 'sixteen-letters!' })).toEqual([]);
      });

      it.each([
        ['one key', '{"version":1,"keys":[{}]}', true],
        ['no key', '{"version":1,"keys":[]}', false],
        ['half a file', '{"version":1,"ke', true], // the server starts, and lets nobody in
      ])('and %s in the file: %#', (_what, content, listens) => {
        writeFileSync(file, content);
        expect(faultsOf({ HOST: '0.0.0.0', API_KEYS_FILE: file }).length === 0).toBe(listens);
      });

      it('looks for the file in MODELS_DIR where nothing else is said', () => {
        expect(faultsOf({ HOST: '0.0.0.0', MODELS_DIR: folder })).not.toEqual([]);
      });

      it('lets a tool run where no server may listen', () => {
        expect(() => loadConfig({ HOST: '0.0.0.0', MODELS_DIR: folder }, 'tool')).not.toThrow();
      });

      it.each(['short', 'fifteen-letters', 'with a space in the middle', 'x'.repeat(513), 'sixteen-letters\u00e9'])(
        'refuses the API_KEY %p without showing it',
        (key) => {
          const faults = faultsOf({ API_KEY: key });
          expect(faults).toHaveLength(1);
          expect(faults[0]).toContain('API_KEY=(not shown): API_KEY must match');
          expect(faults[0]).not.toContain(key);
        },
      );

      it.each(['*', 'https://a.example/', 'a.example', 'https://*.example', 'null', 'HTTPS://A.example', 'ftp://a.example'])(
        'refuses the CORS_ORIGINS %p',
        (origin) => {
          expect(faultsOf({ CORS_ORIGINS: origin })).toHaveLength(1);
        },
      );

      it('takes origins and hosts', () => {
        const env = { CORS_ORIGINS: 'https://a.example, http://localhost:3000,http://[::1]:80', ALLOWED_HOSTS: 'analytics-api, A.example' };
        expect(read(AuthConfig, env)).toMatchObject({
          corsOrigins: ['https://a.example', 'http://localhost:3000', 'http://[::1]:80'],
          allowedHosts: ['analytics-api', 'A.example'],
        });
      });
    });

    it('refuses an open address with an AUTH_MODE that there is not, for both reasons', () => {
      const faults = faultsOf({ HOST: '0.0.0.0', AUTH_MODE: 'nobody' }).join('\n');
      expect(faults).toContain('AUTH_MODE=nobody: ');
      expect(faults).toContain('HOST=0.0.0.0: ');
    });

    it('takes an empty AUTH_MODE for none given', () => {
      expect(faultsOf({ HOST: '0.0.0.0', AUTH_MODE: '' })).not.toEqual([]);
    });
  });

  describe('for a name that is not ours', () => {
    it.each([
      ['two letters swapped', 'PROT', 'PORT'],
      ['the last letters swapped', 'POTR', 'PORT'],
      ['a letter added', 'PORTS', 'PORT'],
      ['a letter left out', 'MODEL_DIR', 'MODELS_DIR'],
      ['a letter replaced', 'LOG_LEVER', 'LOG_LEVEL'],
      ['a line left out', 'MAXCALLS', 'MAX_CALLS'],
    ])('refuses one of ours with %s: %s', (_what, name, real) => {
      expect(faultsOf({ [name]: '1' })).toEqual([`  ${name}: no such setting; ${real} was meant?`]);
    });

    it('refuses the slip, too, where the real one is set', () => {
      expect(faultsOf({ PORT: '4100', PROT: '4101' })).toHaveLength(1);
    });

    it.each(['ANALYTICS_API_PORT', 'ANALYTICS_API_SERVICE_HOST', 'RPOT', 'PORTAL', 'PATH', 'HOME', 'HOSTNAME', 'port', 'TZ'])(
      'does not mind %s',
      (name) => {
        expect(faultsOf({ [name]: 'tcp://10.0.0.1:4100' })).toEqual([]);
      },
    );
  });
});

describe('the settings', () => {
  const settings = CONFIG_GROUPS.flatMap((group) => settingsOf(group));

  it('have a name each', () => {
    const names = settings.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('are every field of every group', () => {
    const fields = CONFIG_GROUPS.flatMap((group) => Object.keys(new group()));
    expect(settings.map(({ property }) => property)).toEqual(fields);
  });
});
