import { Servers } from '../process/server-process';
import { eventsIn, LosingClient, MIN_CUTS } from './lost-answers';
import { Chance } from './power-cut-random';

const { seed } = Chance;

/** @param minCuts how many connections are cut at least, each request several times */
export function describeLostAnswers(minCuts: number, ms: number): void {
  const requests = Math.ceil(minCuts / MIN_CUTS);
  const uploads = Math.ceil(requests * 0.4);

  describe(`requests whose answers are lost ${minCuts} times or more, and that are asked again (CRASH_SEED=${seed})`, () => {
    const servers = new Servers();
    let client: LosingClient;
    beforeEach(async () => {
      client = new LosingClient(await servers.start({ EXAMPLES: 'off' }), new Chance(seed));
    });
    afterEach(() => servers.remove());

    const published = (): number[] =>
      eventsIn(client.server).flatMap((event) => (event.kind === 'version.published' ? [event.version] : []));
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

    it(
      'with an Idempotency-Key make one version each, and bring back one version each',
      async () => {
        for (const number of numbers(uploads)) {
          const answer = await client.upload(number, { stage: 'production' }, `upload-${number}`);
          expect(answer).toEqual({ status: 201, version: number });
        }
        for (const number of numbers(uploads - 1)) {
          const back = uploads - number;
          expect(await client.rollback(`rollback-${number}`)).toEqual({ status: 200, version: back });
        }
        const events = eventsIn(client.server);
        const moved = events.flatMap((event) => (event.kind === 'stage.changed' ? [`${event.version} ${event.rollback ?? false}`] : []));
        expect(published()).toEqual(numbers(uploads));
        expect(moved).toEqual([
          ...numbers(uploads).map((number) => `${number} false`),
          ...numbers(uploads - 1).map((number) => `${uploads - number} true`),
        ]);
        expect(client.cuts).toBeGreaterThanOrEqual(MIN_CUTS * (2 * uploads - 1));
      },
      ms,
    );

    it(
      'without a key make one version each as well, where they are equal',
      async () => {
        const count = requests - 2 * uploads + 1;
        for (const number of numbers(count)) {
          const { status, version } = await client.upload(number, {});
          expect({ known: status === 200 || status === 201, version }).toEqual({ known: true, version: number });
        }
        expect(published()).toEqual(numbers(count));
        expect(client.cuts).toBeGreaterThanOrEqual(MIN_CUTS * count);
      },
      ms,
    );
  });
}
