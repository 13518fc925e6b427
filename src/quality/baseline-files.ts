import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { VersionRecord } from '../models/registry/registry-records';
import { DerivedFiles } from '../storage/derived-files';
import type { BaselineShelf } from './drift-watch';
import type { FeatureBins } from './feature-bins';

/** Baselines that were learned from the first inputs. Disposable: what is lost is learned again, from the inputs of that day. */
@Injectable()
export class BaselineFiles {
  constructor(private readonly files: DerivedFiles) {}

  shelfOf({ model, version, digest }: VersionRecord): BaselineShelf {
    const name = `baseline/${createHash('sha256').update(`${model}/${version}/${digest}`).digest('hex')}.json`;
    return {
      read: async () => {
        const kept = await this.files.read(name);
        return isBaseline(kept) ? kept.features : undefined;
      },
      write: async (features) => void (await this.files.write(name, { model, version, features })),
    };
  }
}

/** Another version of the service may have kept something else under the same name. */
function isBaseline(value: unknown): value is { readonly features: readonly FeatureBins[] } {
  const { features } = (value ?? {}) as { readonly features?: unknown };
  return Array.isArray(features) && features.every((each) => isFeatureBins(each));
}

function isFeatureBins(value: unknown): value is FeatureBins {
  const { feature, edges, shares } = (value ?? {}) as { readonly [K in keyof FeatureBins]?: unknown };
  if (typeof feature !== 'string' || !areNumbers(edges) || !areNumbers(shares)) return false;
  return edges.length <= 100 && shares.length === edges.length + 2;
}

function areNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((each) => Number.isFinite(each));
}
