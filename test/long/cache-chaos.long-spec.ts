import { chaos } from '../cache/chaos-suite';
import { describeWithRedis } from '../cache/redis-process';

describeWithRedis('chaos', () => {
  it('never gives anybody what belongs to another, 100,000 times', async () => {
    const { found, mismatches, turnedAway } = await chaos(100_000);
    expect(mismatches).toBe(0);
    expect(found).toBeGreaterThan(5000);
    expect(turnedAway).toBeGreaterThan(0);
  }, 600_000);
});
