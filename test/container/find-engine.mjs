import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
/** Makes podman and base images where no registry of images is reached. Beside the project, or beside the repository of a work tree. */
const LAB = process.env.CONTAINER_LAB ?? join(ROOT, '..', 'shared', 'container-lab', 'lab');

/**
 * What can run containers here: docker where an engine answers (a client alone is common), else podman by way of container-lab.
 * @returns { name, about, env, lab? }, or { why } where there is none
 */
export function findEngine() {
  const docker = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { encoding: 'utf8' });
  if (docker.status === 0 && !docker.stdout.includes('podman')) return { name: 'docker', about: `docker ${docker.stdout.trim()}`, env: {} };
  if (!existsSync(LAB)) return { why: `no docker engine answers ("docker info"), and there is no ${LAB}` };
  if (process.getuid() !== 0) return { why: 'no docker engine answers ("docker info"), and container-lab wants root' };
  const { status } = spawnSync(LAB, ['up', ROOT], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${LAB} up ended with ${status}`);
  const version = spawnSync('podman', ['--version'], { encoding: 'utf8' }).stdout.trim();
  return { name: 'podman', about: `${version} (container-lab)`, lab: LAB, env: { BUILDAH_FORMAT: 'docker', DISABLE_HC_SYSTEMD: 'true' } };
}
