import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A place on the grid of 24 columns. */
export interface GridPos {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** What Grafana draws. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPos;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

/** A dashboard as it is provisioned. */
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: { readonly query: string } }[] };
}

/** The folder that Grafana is given. */
export const DASHBOARDS = join(__dirname, '..', '..', 'ops', 'grafana', 'dashboards');

/** All of them, by file name. */
export function dashboards(): readonly (readonly [string, Dashboard])[] {
  return readdirSync(DASHBOARDS).map((name) => [name, JSON.parse(readFileSync(join(DASHBOARDS, name), 'utf8')) as Dashboard]);
}

/** A query as Grafana sends it while everything is chosen. @param window what `$__rate_interval` is */
export function filledIn(expr: string, window: string): string {
  return expr.replaceAll(/\$(instance|model)\b/g, '.*').replaceAll('$__rate_interval', window);
}
