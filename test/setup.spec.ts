import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import packageJson from '../package.json';
import { CONFIG_GROUPS, HttpConfig } from '../src/config/app-config';
import { SERVICE } from '../src/config/service';
import { settingsOf } from '../src/config/setting';

const ROOT = join(__dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const json = (path: string): any => JSON.parse(read(path)); // oxlint-disable-line typescript/no-explicit-any
const all = (text: string, pattern: RegExp): readonly string[] => [...text.matchAll(pattern)].map(([, found]) => found as string);
const blocksOf = (path: string): readonly string[] => all(read(path), /^```sh\n(.*?)^```/gms);
const compose = read('docker-compose.yml');

describe('what the service says that it is', () => {
  it('is what the package says', () => {
    expect({ name: packageJson.name, version: packageJson.version }).toEqual(SERVICE);
  });
});

describe('docs/SETUP.md', () => {
  it('has no command for a shell that no test runs', () => {
    const without = blocksOf('docs/SETUP.md').filter((block) => !block.includes('docker '));
    expect(without.length).toBeGreaterThan(0);
    expect(blocksOf('README.md')).toEqual(expect.arrayContaining([...without]));
  });

  it('starts the stack as the README does', () => {
    const up = blocksOf('README.md').filter((block) => block.includes('docker '));
    expect(up).toHaveLength(1);
    expect(blocksOf('docs/SETUP.md')).toContain(up[0]);
  });

  it('speaks of scripts that there are', () => {
    const named = all(read('docs/SETUP.md') + read('CONTRIBUTING.md'), /npm run ([\w:-]+)/g);
    for (const name of named) expect(Object.keys(packageJson.scripts)).toContain(name);
  });
});

describe('the box', () => {
  it('is labelled with the version of the package', () => {
    expect(read('Dockerfile')).toContain(`\nARG VERSION=${packageJson.version}\n`);
  });

  it('is given longer to stop than a drain and the last requests may take', () => {
    const { drainSeconds, stopSeconds } = new HttpConfig();
    expect(Number(/stop_grace_period: \$\{\w+:-(\d+)s\}/.exec(compose)?.[1])).toBeGreaterThan(drainSeconds + stopSeconds);
  });

  it('has a .env.example with every name that the compose file asks for, and none that nobody reads', () => {
    const given = all(read('.env.example'), /^(\w+)=/gm);
    const asked = all(compose, /\$\{(\w+)/g);
    const settings = new Set(CONFIG_GROUPS.flatMap((group) => settingsOf(group)).map(({ name }) => name));
    expect(given).toEqual(expect.arrayContaining([...new Set(asked)]));
    expect(given.filter((name) => !asked.includes(name) && !settings.has(name))).toEqual([]);
  });

  it('takes 2 CPUs and 4g unless told otherwise, and the specification’s 4 and 8g in the example', () => {
    expect(compose).toContain("cpus: '${CPUS:-2}'");
    expect(compose).toContain('memory: ${MEMORY:-4g}');
    expect(read('.env.example')).toMatch(/^CPUS=4\nMEMORY=8g$/m);
  });
});

describe('the editor', () => {
  it('runs scripts and programs that there are, by npm, which finds the right Node', () => {
    const { configurations } = json('.vscode/launch.json') as {
      configurations: readonly { preLaunchTask?: string; runtimeExecutable?: string; runtimeArgs?: readonly string[] }[];
    };
    const { tasks } = json('.vscode/tasks.json') as { tasks: readonly { label: string; script: string }[] };
    const launched = configurations.flatMap(({ runtimeExecutable, runtimeArgs }) =>
      runtimeExecutable === 'npm' ? [runtimeArgs?.[1]] : [],
    );
    const programs = configurations.flatMap(({ runtimeExecutable, runtimeArgs }) =>
      runtimeExecutable === 'npx' ? [runtimeArgs?.[0]] : [],
    );
    expect(Object.keys(packageJson.scripts)).toEqual(expect.arrayContaining([...launched, ...tasks.map(({ script }) => script)]));
    expect(Object.keys(packageJson.devDependencies)).toEqual(expect.arrayContaining(programs));
    const before = configurations.flatMap(({ preLaunchTask = [] }) => preLaunchTask);
    expect(tasks.map(({ label }) => label)).toEqual(expect.arrayContaining(before));
  });

  it('recommends the formatter that it formats with, here and in the development container', () => {
    const formatter = json('.vscode/settings.json')['editor.defaultFormatter'];
    expect(json('.vscode/extensions.json').recommendations).toContain(formatter);
    const { build, customizations, postCreateCommand } = json('.devcontainer/devcontainer.json');
    expect(customizations.vscode.extensions).toContain(formatter);
    expect(existsSync(join(ROOT, '.devcontainer', build.dockerfile))).toBe(true);
    expect(blocksOf('README.md')[0]).toContain(postCreateCommand);
  });
});
