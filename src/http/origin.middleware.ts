import type { NextFunction, Request, Response } from 'express';
import type { OriginRule } from '../auth/origin-rule';

/** The rule against foreign pages, before anything is routed: it holds for what there is not, too. */
export function originMiddleware(rule: OriginRule) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (!rule.apply(request, response)) next(); // what it throws Express hands to the error filter
  };
}
