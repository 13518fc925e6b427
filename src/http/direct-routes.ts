import type { RequestHandler } from 'express';

/** A route that requests can reach without Express's router. */
export interface DirectRoute {
  /** As Express has it: what it escapes is escaped. */
  readonly path: string;
  readonly handler: RequestHandler;
}

/** A route that a path leads to, and what the path says. */
export interface DirectMatch {
  readonly route: DirectRoute;
  readonly params: Readonly<Record<string, string>>;
}

interface KnownRoute extends DirectRoute {
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

/** Of the templates of all routes those that predictions are asked for by. */
const PREDICTION = /^\/api\/v1\/predict\/|^\/v2\/.*\/infer$|^\/v1\/.*\\:predict$/;
const PARAMETER = /(?<!\\):(\w+)/;
/** What names, versions and labels are made of: nothing of it is ever escaped in a URL. */
const WORD = '([A-Za-z0-9._-]+)';

/** The routes of predictions. Only their exact paths are known here: whatever else Express takes for the same is Express's. */
export class DirectRoutes {
  private readonly routes: KnownRoute[] = [];

  /** Takes note of a route, if predictions are asked for by it. @param path as Express takes it */
  add(path: string, handler: RequestHandler): void {
    if (!PREDICTION.test(path)) return;
    const parts = path.split(PARAMETER);
    const texts = parts.filter((_, at) => at % 2 === 0).map((text) => text.replaceAll('\\', ''));
    const names = parts.filter((_, at) => at % 2 === 1);
    this.routes.push({ path, handler, names, pattern: new RegExp(`^${texts.join(WORD)}$`) });
  }

  /** @param url as it was sent; with a query it is none of ours */
  match(url: string): DirectMatch | undefined {
    for (const route of this.routes) {
      const words = route.pattern.exec(url);
      if (words !== null) return { route, params: Object.fromEntries(route.names.map((name, at) => [name, words[at + 1] as string])) };
    }
    return undefined;
  }
}
