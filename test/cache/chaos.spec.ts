import { chaos } from './chaos-suite';
import { describeWithRedis } from './redis-process';

describeWithRedis('chaos', () => {
  it('never gives anybody what belongs to another', async () => {
    const { asked, found, abandoned, mismatches, turnedAway } = await chaos(20_000);
    expect(mismatches).toBe(0);
    expect(asked).toBeGreaterThanOrEqual(20_000);
    expect(found).toBeGreaterThan(1000); // else nothing would be proved
    expect(abandoned).toBeGreaterThan(1000);
    expect(turnedAway).toBeGreaterThan(0);
  }, 60_000);
});
