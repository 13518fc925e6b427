import { calendarOf } from './calendar';

const at = (zone: string, instant: string): string => {
  const { daily, weekly, monthly } = calendarOf(zone)(Date.parse(instant));
  return [daily.name, weekly.name, monthly.name].join(' ');
};

describe(calendarOf, () => {
  it.each([
    ['the first instant of 1970', 'UTC', '1970-01-01T00:00:00.000Z', '1970-01-01 1970-W01 1970-01'],
    ['the same further west, where it is 1969', 'America/New_York', '1970-01-01T00:00:00.000Z', '1969-12-31 1970-W01 1969-12'],
    ['a leap day', 'UTC', '2024-02-29T23:59:59.999Z', '2024-02-29 2024-W09 2024-02'],
    ['the day after it', 'UTC', '2024-03-01T00:00:00.000Z', '2024-03-01 2024-W09 2024-03'],
    ['2100, which has no leap day', 'UTC', '2100-03-01T00:00:00.000Z', '2100-03-01 2100-W09 2100-03'],
    ['a week 53 that reaches into January', 'UTC', '2021-01-03T12:00:00.000Z', '2021-01-03 2020-W53 2021-01'],
    ['the week 1 after it', 'UTC', '2021-01-04T00:00:00.000Z', '2021-01-04 2021-W01 2021-01'],
    ['a week 1 that begins in December', 'UTC', '2024-12-30T00:00:00.000Z', '2024-12-30 2025-W01 2024-12'],
    ['a January that belongs to the last week of the year before', 'UTC', '2023-01-01T00:00:00.000Z', '2023-01-01 2022-W52 2023-01'],
    ['midnight in Prague in winter', 'Europe/Prague', '2026-11-22T23:00:00.000Z', '2026-11-23 2026-W48 2026-11'],
    ['midnight in Prague in summer', 'Europe/Prague', '2026-07-31T22:00:00.000Z', '2026-08-01 2026-W31 2026-08'],
    ['a day of 23 hours', 'Europe/Prague', '2026-03-29T21:59:59.999Z', '2026-03-29 2026-W13 2026-03'],
    ['a day of 25 hours', 'Europe/Prague', '2026-10-25T22:59:59.999Z', '2026-10-25 2026-W43 2026-10'],
    ['the day after a day that Samoa left out', 'Pacific/Apia', '2011-12-30T10:00:00.000Z', '2011-12-31 2011-W52 2011-12'],
    ['the day before it', 'Pacific/Apia', '2011-12-30T09:59:59.999Z', '2011-12-29 2011-W52 2011-12'],
    ['the fourteen hours ahead of Kiritimati', 'Pacific/Kiritimati', '2026-12-31T10:00:00.000Z', '2027-01-01 2026-W53 2027-01'],
  ])('knows %s', (_what, zone, instant, expected) => {
    expect(at(zone, instant)).toBe(expected);
  });

  it('numbers days, weeks and months without a gap, for 131 years', () => {
    const placeOf = calendarOf('UTC');
    let before = placeOf(Date.UTC(1969, 11, 31));
    for (let day = 0; day < 47_847; day++) {
      const place = placeOf(day * 86_400_000);
      expect(place.daily.number).toBe(before.daily.number + 1);
      for (const bucket of ['weekly', 'monthly'] as const) {
        const isSame = place[bucket].name === before[bucket].name;
        expect(place[bucket].number).toBe(before[bucket].number + (isSame ? 0 : 1));
      }
      before = place;
    }
    expect(before.daily.name).toBe('2100-12-31');
  });

  it('refuses a zone that there is not', () => {
    expect(() => calendarOf('Europe/Atlantis')).toThrow(RangeError);
  });
});
