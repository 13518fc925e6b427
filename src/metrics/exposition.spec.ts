import { register } from 'prom-client';
import { CALL_SECONDS, Distribution } from './distribution';
import { alone, Exposition } from './exposition';

const MODELS = 20_000;

describe(Exposition, () => {
  let exposition: Exposition;
  beforeEach(() => {
    exposition = new Exposition();
  });
  afterEach(() => register.clear());
  const own = async (): Promise<readonly string[]> => (await exposition.write()).split('\n').filter((line) => line !== '');

  it('writes numbers as Prometheus reads them', async () => {
    exposition.addCounter({ name: 'things_total', help: 'Things.' }, () => [
      [{ kind: 'a', place: 'here' }, 1],
      [{ kind: 'b', place: 'there' }, 2.5],
    ]);
    exposition.addGauge({ name: 'warmth', help: 'How warm it is.' }, () => alone(-3));
    expect(await own()).toEqual([
      '# HELP things_total Things.',
      '# TYPE things_total counter',
      'things_total{kind="a",place="here"} 1',
      'things_total{kind="b",place="there"} 2.5',
      '# HELP warmth How warm it is.',
      '# TYPE warmth gauge',
      'warmth -3',
    ]);
  });

  it('writes a histogram whose buckets add up', async () => {
    const seconds = new Distribution([0.5, 1]);
    for (const value of [0.5, 0.6, 1, 7]) seconds.observe(value);
    exposition.addHistogram({ name: 'wait_seconds', help: 'How long.' }, () => [[{ model: 'line' }, seconds]]);
    exposition.addHistogram({ name: 'rows', help: 'How many.' }, () => alone(new Distribution([1])));
    expect(await own()).toEqual([
      '# HELP wait_seconds How long.',
      '# TYPE wait_seconds histogram',
      'wait_seconds_bucket{le="0.5",model="line"} 1',
      'wait_seconds_bucket{le="1",model="line"} 3',
      'wait_seconds_bucket{le="+Inf",model="line"} 4',
      'wait_seconds_sum{model="line"} 9.1',
      'wait_seconds_count{model="line"} 4',
      '# HELP rows How many.',
      '# TYPE rows histogram',
      'rows_bucket{le="1"} 0',
      'rows_bucket{le="+Inf"} 0',
      'rows_sum 0',
      'rows_count 0',
    ]);
  });

  it('escapes what ends a label', async () => {
    exposition.addGauge({ name: 'odd', help: 'Odd.' }, () => [[{ text: 'a"b\\c\nd' }, 1]]);
    expect(await own()).toContain('odd{text="a\\"b\\\\c\\nd"} 1');
  });

  it('takes no second figure of a name', () => {
    exposition.addGauge({ name: 'warmth', help: 'How warm it is.' }, () => alone(1));
    expect(() => exposition.addCounter({ name: 'warmth', help: 'Again.' }, () => alone(1))).toThrow('"warmth"');
  });

  it('lets others have their turn, however many models there are', async () => {
    let read = 0;
    const seconds = new Distribution(CALL_SECONDS);
    exposition.addHistogram({ name: 'prediction_duration_seconds', help: 'Of a test.' }, function* () {
      for (; read < MODELS; read++) yield [{ model: `model-${read}`, version: '1' }, seconds];
    });
    exposition.addGauge({ name: 'model_versions', help: 'Of a test.' }, function* () {
      for (; read < 2 * MODELS; read++) yield undefined;
    });
    let [writing, most, last] = [true, 0, 0];
    const look = (): void => {
      most = Math.max(most, read - last);
      last = read;
      if (writing) setImmediate(look);
    };
    setImmediate(look);
    await exposition.write();
    writing = false;
    look();
    // counted in what is read, not in time: a machine that is busy with others makes it less, never more
    expect(read).toBe(2 * MODELS);
    expect(most / read).toBeLessThan(0.25);
  });
});
