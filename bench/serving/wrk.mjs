// Callers: wrk with one thread, on the same cores as the servers.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, 'requests.lua');
/** Beyond it a server stands still. */
const GRACE_MS = 20_000;

/** @returns the first line of `wrk -v` @throws where there is no wrk */
export async function wrkVersion() {
  const said = await run('wrk', ['-v']).catch((error) => error); // it ends with 1
  if (said.code === 'ENOENT') throw new Error('no wrk: apt-get install wrk');
  return /wrk (\S+)/.exec(said.stdout)?.[1];
}

/** Seconds of CPU of the children of this process that have ended. */
function endedChildren() {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/**
 * @param requests path of a file of `writeRequests`
 * @returns answers a second, latencies in milliseconds, and the seconds of CPU that wrk took itself @throws where one was not answered 200
 */
export async function load({ origin, requests, connections, seconds }) {
  const before = endedChildren();
  const how = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency', '-s', SCRIPT, origin, '--', requests];
  const { stdout } = await run('wrk', how, { timeout: seconds * 1000 + GRACE_MS });
  const figures = JSON.parse(/^FIGURES (.*)$/m.exec(stdout)?.[1] ?? 'null');
  if (figures === null || figures.refused + figures.late > 0 || figures.requests === 0)
    throw new Error(`${origin} failed under load:\n${stdout}`);
  return {
    requests: figures.requests,
    perSecond: figures.requests / (figures.micros / 1e6),
    p50: figures.p50 / 1000,
    p99: figures.p99 / 1000,
    broken: figures.broken,
    wrkCpuSeconds: endedChildren() - before,
  };
}
