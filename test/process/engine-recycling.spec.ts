import { Logger } from '@nestjs/common';
import { growUntil } from '../engine/growth';

describe('a model whose runs make its engine host grow', () => {
  it('is answered without a failure while its hosts are recycled, which together take no more than two may', async () => {
    jest.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
    const growth = await growUntil(3);
    console.log(growth);
    expect(growth).toMatchObject({ failed: [], retries: 0, ends: 0, recycles: 3 });
    expect(growth.calls).toBeGreaterThan(400);
    expect(growth.mostMiB).toBeLessThan(900); // 640 more than a host is to begin with, and another one for a moment
  }, 60_000);
});
