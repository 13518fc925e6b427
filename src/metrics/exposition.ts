import { setImmediate as turn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { register } from 'prom-client';
import type { Distribution } from './distribution';

/** Labels of a series, in the order in which they are written. */
export type Labels = Readonly<Record<string, string>>;

/** A series as it is now. */
export type Series<Value> = readonly [labels: Labels, value: Value];

/** What a figure is called, and what it says. */
export interface Named {
  readonly name: string;
  /** One sentence, for whoever reads `/metrics` itself. */
  readonly help: string;
}

/** Reads the series of a figure. `undefined`: nothing yet, and a moment at which somebody else may have his turn. */
export type Read<Value> = () => Iterable<Series<Value> | undefined>;

interface Figure extends Named {
  readonly type: string;
  readonly pieces: () => Iterable<string>;
}

/** So long nobody else has his turn, ms. */
const SLICE_MS = 2;

/** What prom-client would tell besides, by walking through every connection. */
const LEFT_OUT = new Set([
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
]);

/**
 * Writes what Prometheus reads, in slices, so that nobody waits for it however many models there are. Beside the metrics of prom-client it has
 * figures that others keep as plain numbers: they are read only when somebody asks.
 */
@Injectable()
export class Exposition {
  private readonly figures: Figure[] = [];

  /** @throws Error where there is one of that name */
  addCounter(named: Named, read: Read<number>): void {
    this.add({ ...named, type: 'counter', pieces: () => numbersOf(named.name, read) });
  }

  /** @throws Error where there is one of that name */
  addGauge(named: Named, read: Read<number>): void {
    this.add({ ...named, type: 'gauge', pieces: () => numbersOf(named.name, read) });
  }

  /** @throws Error where there is one of that name */
  addHistogram(named: Named, read: Read<Distribution>): void {
    this.add({ ...named, type: 'histogram', pieces: () => distributionsOf(named.name, read) });
  }

  /** Everything, in Prometheus' text format. Series of different moments, but each of them of one. */
  async write(): Promise<string> {
    const pieces: string[] = [];
    let begunAt = performance.now();
    for await (const piece of this.pieces()) {
      pieces.push(piece);
      if (performance.now() - begunAt < SLICE_MS) continue;
      await turn();
      begunAt = performance.now();
    }
    return pieces.join('');
  }

  private async *pieces(): AsyncIterable<string> {
    for (const { name } of register.getMetricsAsArray()) {
      if (!LEFT_OUT.has(name)) yield `${await register.getSingleMetricAsString(name)}\n`;
    }
    for (const { name, help, type, pieces } of this.figures) {
      yield `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      yield* pieces();
    }
  }

  private add(figure: Figure): void {
    if (this.figures.some(({ name }) => name === figure.name)) throw new Error(`There is a figure "${figure.name}" already`);
    this.figures.push(figure);
  }
}

/** A figure that has no labels. */
export function* alone<Value>(value: Value): Iterable<Series<Value>> {
  yield [{}, value];
}

/** Series that differ by one label. */
export function* by<Value>(label: string, values: Iterable<readonly [string, Value]>): Iterable<Series<Value>> {
  for (const [word, value] of values) yield [{ [label]: word }, value];
}

function* numbersOf(name: string, read: Read<number>): Iterable<string> {
  for (const series of read()) {
    if (series === undefined) yield '';
    else yield `${name}${braced(textOf(series[0]))} ${series[1]}\n`;
  }
}

function* distributionsOf(name: string, read: Read<Distribution>): Iterable<string> {
  for (const series of read()) yield series === undefined ? '' : distributionText(name, textOf(series[0]), series[1]);
}

/** All lines of a histogram at once: they belong together. */
function distributionText(name: string, labels: string, { bounds, counts, sum }: Distribution): string {
  const more = labels === '' ? '' : `,${labels}`;
  let [text, total] = ['', 0];
  for (let at = 0; at < counts.length; at++) {
    total += counts[at] as number;
    text += `${name}_bucket{le="${bounds[at] ?? '+Inf'}"${more}} ${total}\n`;
  }
  return `${text}${name}_sum${braced(labels)} ${sum}\n${name}_count${braced(labels)} ${total}\n`;
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function textOf(labels: Labels): string {
  let text = '';
  for (const name in labels) text += `${text === '' ? '' : ','}${name}="${escaped(labels[name] as string)}"`;
  return text;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information */
function escaped(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;
}
