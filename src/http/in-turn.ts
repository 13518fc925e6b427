import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** Several steps as one, each of them begun by the one before it. What a step throws is told to whoever comes after all of them. */
export function inTurn(steps: readonly RequestHandler[]): RequestHandler {
  return steps.reduceRight<RequestHandler>(
    (rest, step) => (request: Request, response: Response, next: NextFunction) => {
      const go = (error?: unknown): void => {
        if (error === undefined) rest(request, response, next) as void;
        else next(error);
      };
      try {
        step(request, response, go) as void;
      } catch (error) {
        next(error);
      }
    },
    (_request, _response, next) => next(),
  );
}
