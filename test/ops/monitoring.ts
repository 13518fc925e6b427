import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '../cache/redis-process';
import { until } from '../process/processes';

const OPS = join(__dirname, '..', '..', 'ops');
const START_MS = 15_000;
const SCRAPE_MS = 500;
const SHORTER = 60;
const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** A series and its values. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds since 1970, and the number as text. */
  readonly value: readonly [number, string];
}

/** What Alertmanager has of an alert. */
export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly receivers: readonly { readonly name: string }[];
}

/** All times of a configuration or a rule, sixty times shorter: a minute is a second. */
function shortened(yaml: string): string {
  return yaml.replaceAll(/(?<=\[|: )(\d+)(ms|s|m|h|d)(?=\]|$)/gm, (_, count: string, unit: keyof typeof SECONDS) => {
    return `${Math.round((Number(count) * SECONDS[unit] * 1000) / SHORTER)}ms`;
  });
}

/** A real Prometheus with our configuration and rules and a real Alertmanager with ours, on free ports; and whoever it would wake. */
export class Monitoring {
  /** What the webhook of `page` and `ticket` was told: `firing RedisLost`. */
  readonly told: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'analytics-api-monitoring-'));
  private readonly processes: ChildProcess[] = [];
  private readonly hook: Server;
  private prometheus = '';
  private alertmanager = '';

  private constructor() {
    this.hook = createServer((request, response) => {
      void text(request).then((body) => {
        const { alerts } = JSON.parse(body) as { alerts: readonly { status: string; labels: Record<string, string> }[] };
        this.told.push(...alerts.map(({ status, labels }) => `${status} ${labels['alertname']}`));
        response.end();
      });
    });
  }

  /** Starts both; whoever does, removes them. @param target host and port of the service @param minutes `as seconds`: all times a sixtieth */
  static async start(target: string, { minutes }: { readonly minutes: 'as seconds' | 'as minutes' }): Promise<Monitoring> {
    const monitoring = new Monitoring();
    try {
      await monitoring.begin(target, minutes === 'as seconds' ? shortened : (yaml) => yaml);
      return monitoring;
    } catch (error) {
      await monitoring.remove();
      throw error;
    }
  }

  /** What Prometheus answers to a query now. @throws where it cannot be read */
  async query(promql: string): Promise<readonly Sample[]> {
    const answer = await fetch(`${this.prometheus}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: promql }) });
    const { status, error, data } = (await answer.json()) as { status: string; error?: string; data: { result: readonly Sample[] } };
    if (status !== 'success') throw new Error(`${promql}: ${error}`);
    return data.result;
  }

  /** Active alerts, as Alertmanager has them. */
  async alerts(): Promise<readonly ActiveAlert[]> {
    const answer = await fetch(`${this.alertmanager}/api/v2/alerts?active=true&inhibited=false`);
    return (await answer.json()) as readonly ActiveAlert[];
  }

  /** Waits until Alertmanager has an alert. */
  fires(name: string, ms: number): Promise<ActiveAlert> {
    return until(`${name} fires`, async () => (await this.alerts()).find(({ labels }) => labels['alertname'] === name), ms);
  }

  /** Waits until Alertmanager has it no more. */
  async resolves(name: string, ms: number): Promise<void> {
    await until(`${name} is over`, async () => (await this.alerts()).every(({ labels }) => labels['alertname'] !== name), ms);
  }

  async remove(): Promise<void> {
    for (const child of this.processes.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    this.hook.close();
    this.hook.closeAllConnections();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async begin(target: string, timed: (yaml: string) => string): Promise<void> {
    const [ours, theirs] = [await freePort(), await freePort()];
    this.prometheus = `http://127.0.0.1:${ours}`;
    this.alertmanager = `http://127.0.0.1:${theirs}`;
    this.hook.listen(0, '127.0.0.1');
    await once(this.hook, 'listening');
    const hook = `webhook_configs: [{ url: 'http://127.0.0.1:${(this.hook.address() as AddressInfo).port}/', send_resolved: true }]`;
    const key = this.write('key', 'none');
    for (const rules of ['recording.rules.yml', 'alerts.rules.yml']) this.write(rules, timed(read('prometheus', rules)));
    const scrape = read('prometheus', 'prometheus.yml')
      .replaceAll(/_interval: 15s/g, `_interval: ${SCRAPE_MS}ms`)
      .replace('scrape_timeout: 10s', `scrape_timeout: ${SCRAPE_MS}ms`)
      .replace('/run/secrets/metrics_key', key)
      .replace('analytics-api:4100', target)
      .replace('localhost:9090', `127.0.0.1:${ours}`)
      .replaceAll('alertmanager:9093', `127.0.0.1:${theirs}`);
    const routes = timed(read('alertmanager', 'alertmanager.yml')).replaceAll(/- name: (page|ticket)/g, `- name: $1\n    ${hook}`);
    const config = [`--config.file=${this.write('prometheus.yml', scrape)}`, `--storage.tsdb.path=${join(this.folder, 'data')}`];
    this.run('prometheus', ...config, `--web.listen-address=127.0.0.1:${ours}`, '--log.level=warn');
    const told = [`--config.file=${this.write('alertmanager.yml', routes)}`, `--storage.path=${join(this.folder, 'told')}`];
    this.run(
      'prometheus-alertmanager',
      ...told,
      `--web.listen-address=127.0.0.1:${theirs}`,
      '--cluster.listen-address=',
      '--log.level=warn',
    );
    for (const origin of [this.prometheus, this.alertmanager])
      await until(`${origin} is ready`, () => says200(`${origin}/-/ready`), START_MS);
    await until('the service is scraped', async () => (await this.query('up{job="analytics-api"} == 1')).length === 1, START_MS);
  }

  private run(program: string, ...args: readonly string[]): void {
    this.processes.push(spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  private write(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }
}

function read(...path: readonly string[]): string {
  return readFileSync(join(OPS, ...path), 'utf8');
}

async function says200(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false, // it does not listen yet
  );
}
