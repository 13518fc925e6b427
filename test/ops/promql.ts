/** What PromQL has besides series: functions, operators, words. Those that our rules and dashboards use. */
const WORDS = new Set(
  (
    'abs absent and avg by changes count delta histogram_quantile ignoring increase label_replace max max_over_time min on or rate scalar sort_desc ' +
    'sum sum_over_time time timestamp topk unless vector without group_left clamp_min clamp_max avg_over_time count_values bool offset'
  ).split(' '),
);

/** The series and recorded series that a query asks for. Labels, texts and durations are none. */
export function seriesOf(query: string): readonly string[] {
  const bare = query
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  const names = bare.match(/[a-zA-Z_:][a-zA-Z0-9_:]*/g) ?? [];
  return [...new Set(names.filter((name) => !WORDS.has(name)))];
}

/** The series that a document tells of, without what a histogram adds to its name. */
export function seriesIn(markdown: string): ReadonlySet<string> {
  return new Set([...markdown.matchAll(/`([a-z][a-z0-9_]+)(?:\{[a-z_,]+\})?`/g)].map(([, name]) => name as string));
}

/** The name under which a document has a series: that of its histogram for `_bucket`, `_sum` and `_count`. */
export function documentedName(series: string): string {
  return series.replace(/_(bucket|sum|count)$/, '');
}
