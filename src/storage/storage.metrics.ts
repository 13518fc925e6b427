import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';

const FSYNC = 'storage_fsync_duration_seconds';
const FAILURES = 'storage_failures_total';
const FREE = 'storage_free_bytes';
const CAPACITY = 'storage_capacity_bytes';
const SWEPT = 'storage_staging_swept_bytes_total';
const DAMAGED = 'storage_damaged_blobs';

/** What Prometheus is told of the disk. */
export const STORAGE_METRICS = [
  makeHistogramProvider({
    name: FSYNC,
    help: 'Seconds that the disk took to confirm a file or a folder.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  }),
  makeCounterProvider({ name: FAILURES, help: 'System calls of the storage that failed, by error number.', labelNames: ['errno'] }),
  makeGaugeProvider({ name: FREE, help: 'Bytes that may still be written to the volume of the registry.' }),
  makeGaugeProvider({ name: CAPACITY, help: 'Size of that volume.' }),
  makeCounterProvider({ name: SWEPT, help: 'Bytes of lost uploads that were taken away.' }),
  makeGaugeProvider({ name: DAMAGED, help: 'Blobs whose bytes are not what their name promises, as far as anybody has looked.' }),
];

/** The figures of the disk. */
@Injectable()
export class StorageMetrics {
  constructor(
    @InjectMetric(FSYNC) private readonly fsyncs: Histogram,
    @InjectMetric(FAILURES) private readonly failures: Counter,
    @InjectMetric(FREE) readonly freeBytes: Gauge,
    @InjectMetric(CAPACITY) readonly capacityBytes: Gauge,
    @InjectMetric(SWEPT) readonly sweptBytes: Counter,
    @InjectMetric(DAMAGED) readonly damagedBlobs: Gauge,
  ) {}

  /** Times a flush. */
  async timeFlush(flush: () => Promise<void>): Promise<void> {
    const startedAt = performance.now();
    try {
      await flush();
    } finally {
      this.fsyncs.observe((performance.now() - startedAt) / 1000);
    }
  }

  /** Counts a failed system call by its error number (ENOSPC, EIO …). */
  countFailure(errno: string): void {
    this.failures.inc({ errno });
  }
}
