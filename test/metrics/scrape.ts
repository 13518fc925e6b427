/** One line of what Prometheus reads. */
export interface Sample {
  /** With `_bucket`, `_sum` or `_count` where it is a histogram's. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What Prometheus reads of a server at one moment. */
export class Scrape {
  private constructor(
    readonly types: ReadonlyMap<string, string>,
    readonly samples: readonly Sample[],
  ) {}

  /** @throws where it is not in Prometheus' text format, or tells a series twice */
  static async of(origin: string): Promise<Scrape> {
    const response = await fetch(`${origin}/metrics`);
    if (response.status !== 200) throw new Error(`/metrics answers ${response.status}`);
    return Scrape.read(await response.text());
  }

  /** As `of`. */
  static read(text: string): Scrape {
    const lines = text.split('\n').filter((line) => line !== '');
    const types = lines.flatMap((line) => (line.startsWith('# TYPE ') ? [line.split(' ').slice(2) as [string, string]] : []));
    const samples = lines.filter((line) => !line.startsWith('#')).map(sampleOf);
    const series = samples.map((sample) => seriesOf(sample));
    if (new Set(series).size !== series.length) throw new Error('a series is told twice');
    if (new Set(types.map(([name]) => name)).size !== types.length) throw new Error('a figure is told twice');
    return new Scrape(new Map(types), samples);
  }

  /** Name and labels of every series. */
  get series(): ReadonlySet<string> {
    return new Set(this.samples.map((sample) => seriesOf(sample)));
  }

  /** The sum of all series of a name that have these labels. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels);
    const matching = this.samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
    return matching.reduce((sum, { value }) => sum + value, 0);
  }

  /** What the series of a name are, by the values of some labels, joined by a space; without those that are 0. */
  by(name: string, ...labels: readonly string[]): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const sample of this.samples) {
      if (sample.name !== name || sample.value === 0) continue;
      const key = labels.map((label) => sample.labels[label]).join(' ');
      sums[key] = (sums[key] ?? 0) + sample.value;
    }
    return sums;
  }

  /** The names of the labels that the series of a figure have, but for a histogram's own. @param name without `_bucket` and the like */
  labelsOf(name: string): readonly string[] {
    const own = this.samples.filter((sample) => this.figureOf(sample) === name);
    return [...new Set(own.flatMap(({ labels }) => Object.keys(labels)))].filter((label) => label !== 'le').sort();
  }

  /** Whether a figure has a series. */
  has(name: string): boolean {
    return this.samples.some((sample) => this.figureOf(sample) === name);
  }

  private figureOf({ name }: Sample): string {
    const [, whole = ''] = /^(.*)_(?:bucket|sum|count)$/.exec(name) ?? [];
    return this.types.get(whole) === 'histogram' ? whole : name;
  }
}

/** What prom-client says of a clock that was not looked at since the last scrape; Prometheus reads it whatever its case. */
const NO_NUMBER = 'Nan';

function sampleOf(line: string): Sample {
  const [, name, labels = '', value] = /^([a-z_]+[a-z0-9_]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || (Number.isNaN(Number(value)) && value !== NO_NUMBER)) throw new Error(`this is no sample: ${line}`);
  const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\\n]|\\.)*)"(?:,|$)/g)];
  if (pairs.map(([text]) => text).join('') !== labels) throw new Error(`these are no labels: ${line}`);
  return { name, labels: Object.fromEntries(pairs.map(([, label, text]) => [label, text])), value: Number(value) };
}

function seriesOf({ name, labels }: Sample): string {
  const sorted = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${name} ${sorted.map(([label, value]) => `${label}=${value}`).join(' ')}`;
}
