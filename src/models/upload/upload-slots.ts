import { Injectable } from '@nestjs/common';
import { ModelsConfig } from '../../config/app-config';
import { TooManyUploads } from './upload.errors';

/** How many uploads run at the same time, of all callers and of each: every one takes a connection, disk, and a process that proves it. */
@Injectable()
export class UploadSlots {
  private readonly running = new Map<string, number>();
  private all = 0;

  constructor(private readonly config: ModelsConfig) {}

  /** Runs `work` if there is room for one more. @param caller a key or an address @throws TooManyUploads */
  async hold<T>(caller: string, work: () => Promise<T>): Promise<T> {
    const { maxUploads, maxUploadsPerKey } = this.config;
    const own = this.running.get(caller) ?? 0;
    if (own >= maxUploadsPerKey) throw new TooManyUploads(maxUploadsPerKey, 'of one caller');
    if (this.all >= maxUploads) throw new TooManyUploads(maxUploads, 'in all');
    this.all++;
    this.running.set(caller, own + 1);
    try {
      return await work();
    } finally {
      this.all--;
      const left = (this.running.get(caller) as number) - 1;
      if (left === 0) this.running.delete(caller);
      else this.running.set(caller, left);
    }
  }
}
