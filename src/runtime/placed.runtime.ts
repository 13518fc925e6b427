import { Injectable } from '@nestjs/common';
import { RuntimeConfig } from '../config/app-config';
import { HostRuntime } from './host.runtime';
import { InlineEngine, type InlineSession } from './inline/inline-engine';
import { MACHINE } from './machine';
import {
  type EngineAnswer,
  type EngineRun,
  type ImportReport,
  type LoadedModel,
  type ModelFile,
  ModelRuntime,
  type NextRun,
  NOTHING,
  type Placement,
  type PlacementFacts,
  type RowCosts,
  type Trial,
} from './model-runtime.port';
import { inlineMicros, placementOf } from './placement';
import type { Signature } from './tensor';

/** Engines in the server's own process for what is proved and cheap, in processes of their own for all else. */
@Injectable()
export class PlacedRuntime extends ModelRuntime {
  readonly machine = MACHINE;

  constructor(
    private readonly hosts: HostRuntime,
    private readonly inline: InlineEngine,
    private readonly config: RuntimeConfig,
  ) {
    super();
  }

  import(file: ModelFile, trials?: (signature: Signature) => readonly Trial[]): Promise<ImportReport> {
    return this.hosts.import(file, trials);
  }

  place(facts: PlacementFacts): Placement {
    const placement = placementOf({ ...facts, isolated: facts.isolated || this.config.isolation === 'always' });
    if (!this.inline.isDemoted(facts.sha256)) return placement;
    return { ...placement, why: [...placement.why, 'a run took too long in the server’s own process: for a while'] };
  }

  async load(file: ModelFile): Promise<LoadedModel> {
    const session = file.inline && (await this.inline.load(file));
    if (session === undefined) return this.hosts.load(file);
    return new PlacedModel(this.inline, session, file.inline as RowCosts, this.hosts.loadedLater(file));
  }
}

/** A model in the server's own process, and, once there was a run that was too much for it, in a host as well. */
class PlacedModel implements LoadedModel {
  private unloaded = false;

  constructor(
    private readonly engine: InlineEngine,
    private readonly session: InlineSession,
    private readonly costs: RowCosts,
    private readonly hosted: LoadedModel,
  ) {}

  run(next: NextRun): Promise<EngineAnswer> {
    if (this.unloaded || this.engine.isDemoted(this.session.sha256)) return this.hosted.run(next);
    const run = next();
    if (run === undefined) return Promise.resolve(NOTHING);
    const micros = inlineMicros(this.costs, this.costs.free ? (run.inputs[0]?.shape[0] ?? 1) : 1);
    if (this.engine.hasRoomFor(micros)) return this.engine.run(this.session, run, micros);
    return this.hosted.run(first(run, next));
  }

  async unload(): Promise<void> {
    this.unloaded = true;
    await Promise.all([this.session.model.release(), this.hosted.unload()]);
  }
}

/** Tells that run, and only if it is asked again what is next. */
function first(run: EngineRun, next: NextRun): NextRun {
  let given: EngineRun | undefined = run;
  return () => {
    const told = given ?? next();
    given = undefined;
    return told;
  };
}
