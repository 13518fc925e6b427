import { Test } from '@nestjs/testing';
import { register } from 'prom-client';
import { STORAGE_METRICS, StorageMetrics } from './storage.metrics';

describe(StorageMetrics, () => {
  let metrics: StorageMetrics;
  beforeEach(async () => {
    register.clear();
    const room = await Test.createTestingModule({ providers: [...STORAGE_METRICS, StorageMetrics] }).compile();
    metrics = room.get(StorageMetrics);
  });
  afterAll(() => register.clear());

  const lines = async (name: string): Promise<readonly string[]> =>
    (await register.metrics()).split('\n').filter((line) => line.startsWith(name));

  // dashboards and alerts name them: a new name is a new release
  it('has these names and types', async () => {
    const types = (await register.metrics()).split('\n').filter((line) => line.startsWith('# TYPE'));
    expect(types.sort()).toEqual([
      '# TYPE storage_capacity_bytes gauge',
      '# TYPE storage_damaged_blobs gauge',
      '# TYPE storage_failures_total counter',
      '# TYPE storage_free_bytes gauge',
      '# TYPE storage_fsync_duration_seconds histogram',
      '# TYPE storage_staging_swept_bytes_total counter',
    ]);
  });

  it('times a flush in seconds', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValueOnce(1000).mockReturnValueOnce(1003);
    await metrics.timeFlush(async () => {});
    clock.mockRestore();
    expect(await lines('storage_fsync_duration_seconds')).toEqual(
      expect.arrayContaining([
        'storage_fsync_duration_seconds_sum 0.003',
        'storage_fsync_duration_seconds_count 1',
        'storage_fsync_duration_seconds_bucket{le="0.0025"} 0',
        'storage_fsync_duration_seconds_bucket{le="0.005"} 1',
      ]),
    );
  });

  it('times a flush that fails too, and passes its error on', async () => {
    const error = Object.assign(new Error('EIO'), { code: 'EIO' });
    await expect(metrics.timeFlush(() => Promise.reject(error))).rejects.toBe(error);
    expect(await lines('storage_fsync_duration_seconds_count')).toEqual(['storage_fsync_duration_seconds_count 1']);
  });

  it('counts failures by the number of the error', async () => {
    for (const errno of ['ENOSPC', 'EIO', 'ENOSPC']) metrics.countFailure(errno);
    expect(await lines('storage_failures_total')).toEqual([
      'storage_failures_total{errno="ENOSPC"} 2',
      'storage_failures_total{errno="EIO"} 1',
    ]);
  });
});
