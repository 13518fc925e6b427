import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { AppError } from '../errors/app-error';
import { REFUSALS } from '../errors/refuses.decorator';
import { InternalError } from './http.errors';
import { PROBLEM_TYPE, problemOf, STATUS } from './problem';

const EXAMPLE_ID = '0b5a4f0e-6b57-4c5e-9d0c-1f2f5c8f3f11';
const PROBLEM_SCHEMA = {
  type: 'object' as const,
  required: ['type', 'title', 'status', 'detail', 'code', 'correlationId'],
  properties: {
    type: { type: 'string' as const },
    title: { type: 'string' as const },
    status: { type: 'integer' as const },
    detail: { type: 'string' as const },
    code: { type: 'string' as const },
    correlationId: { type: 'string' as const },
    field: { type: 'string' as const },
    expected: { type: 'string' as const },
    actual: { type: 'string' as const },
  },
};

/** Swagger UI under `/docs`, the document under `/docs-json`. Everything is served from here: no CDN. */
export function serveDocumentation(app: NestExpressApplication): void {
  const options = { customSiteTitle: 'analytics-api', swaggerOptions: { displayRequestDuration: true, tryItOutEnabled: true } };
  SwaggerModule.setup('docs', app, () => openApiDocument(app), options);
}

/** The API as its controllers declare it, with an example of every error that a route can answer with. */
export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  const info = new DocumentBuilder()
    .setTitle('analytics-api')
    .setDescription(
      'Put a model in; get a versioned REST endpoint out. Errors are problems (RFC 9457) with a code: `docs/ERRORS.md` lists them.',
    )
    .setVersion('0.1.0')
    .addTag('predictions', 'Ask a model')
    .addTag('models', 'What there is, and what is served')
    .addTag('operation', 'Probes and figures')
    .build();
  const document = SwaggerModule.createDocument(app, info, { operationIdFactory: operationId });
  document.components = { ...document.components, schemas: { ...document.components?.schemas, Problem: PROBLEM_SCHEMA } };
  const refusals = refusalsByOperation(app);
  for (const operation of Object.values(document.paths).flatMap(
    (path) => Object.values(path) as { operationId?: string; responses?: object }[],
  )) {
    const errors = [...(refusals.get(operation.operationId ?? '') ?? []), new InternalError()];
    Object.assign(operation.responses ?? {}, problemResponses(errors));
  }
  return document;
}

function operationId(controller: string, method: string): string {
  return `${controller}_${method}`;
}

/** What each handler's `@Refuses` says. */
function refusalsByOperation(app: NestExpressApplication): ReadonlyMap<string, readonly AppError[]> {
  const refusals = new Map<string, readonly AppError[]>();
  const scanner = new MetadataScanner();
  for (const { metatype } of app.get(DiscoveryService).getControllers()) {
    const prototype = (metatype as { prototype: Record<string, object> }).prototype;
    for (const method of scanner.getAllMethodNames(prototype)) {
      const declared = Reflect.getMetadata(REFUSALS, prototype[method] as object) as readonly AppError[] | undefined;
      if (declared !== undefined) refusals.set(operationId((metatype as { name: string }).name, method), declared);
    }
  }
  return refusals;
}

function problemResponses(errors: readonly AppError[]): Record<string, object> {
  const responses: Record<string, object> = {};
  for (const status of new Set(errors.map(({ kind }) => STATUS[kind]))) {
    const alike = errors.filter(({ kind }) => STATUS[kind] === status);
    const examples = Object.fromEntries(
      alike.map((error) => [error.code, { summary: error.message, value: problemOf(error, EXAMPLE_ID) }]),
    );
    const schema = { $ref: '#/components/schemas/Problem' };
    responses[status] = { description: alike.map(({ code }) => code).join(', '), content: { [PROBLEM_TYPE]: { schema, examples } } };
  }
  return responses;
}
