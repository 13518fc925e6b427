import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Forbidden, ForeignHost, ForeignOrigin, KeyMisplaced, KeysUnreadable, TooManyFailures, Unauthenticated } from '../auth/auth.errors';
import { type Access, ACCESS } from '../auth/scope.decorator';
import { SERVICE } from '../config/service';
import { AppError } from '../errors/app-error';
import { REFUSALS } from '../errors/refuses.decorator';
import { DocumentationPage } from './documentation-page';
import { InternalError } from './http.errors';
import { errorAnswerOf } from './error-answer';
import { PROBLEM_TYPE } from './problem';

interface Declared {
  readonly refusals?: readonly AppError[];
  readonly access?: Access;
}
interface Operation {
  readonly operationId?: string;
  description?: string;
  responses?: object;
  security?: readonly object[];
}

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

const FOREIGN_SCHEMA = {
  type: 'object' as const,
  required: ['error', 'status', 'code', 'correlationId'],
  properties: { error: { type: 'string' as const }, ...PROBLEM_SCHEMA.properties },
};

/** Lets `/docs` and `/docs-json` show this application. */
export function serveDocumentation(app: NestExpressApplication): void {
  app.get(DocumentationPage).describe(() => openApiDocument(app));
}

/** The API as its controllers declare it, with an example of every error that a route can answer with. */
export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  const info = new DocumentBuilder()
    .setTitle(SERVICE.name)
    .setDescription(
      'Put a model in; get a versioned REST endpoint out. Errors are problems (RFC 9457) with a code: `docs/ERRORS.md` lists them.',
    )
    .setVersion(SERVICE.version)
    .addTag('predictions', 'Ask a model')
    .addTag('open inference', 'Ask a model in the Open Inference Protocol v2')
    .addTag('tensorflow serving', 'Ask a model as TensorFlow Serving or KServe (v1) is asked')
    .addTag('models', 'What there is, and what is served')
    .addTag('backups', 'Snapshots of the registry')
    .addTag('operation', 'Probes and figures')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key' }, 'bearer')
    .addApiKey({ type: 'apiKey', name: 'X-API-Key', in: 'header', description: 'An API key' }, 'apiKey')
    .build();
  const document = SwaggerModule.createDocument(app, info, { operationIdFactory: operationId });
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: PROBLEM_SCHEMA, ForeignError: FOREIGN_SCHEMA },
  };
  const declared = declarationsByOperation(app);
  for (const [path, method, operation] of operationsOf(document)) {
    const { refusals = [], access } = declared.get(operation.operationId ?? '') ?? {};
    const errors = [...refusals, ...refusalsAtTheDoor(method, access), new InternalError()];
    operation.responses = { ...operation.responses, ...errorResponses(errors, path) };
    if (access === undefined || access.scopes.length === 0) continue;
    operation.security = [{ bearer: [] }, { apiKey: [] }];
    const scopes = access.scopes.map((scope) => `\`${scope}\``).join(' or ');
    operation.description = [operation.description, `Where keys are asked for: a key with the scope ${scopes}.`]
      .filter(Boolean)
      .join('\n\n');
  }
  return document;
}

/** What a route can answer before its controller hears of the request. */
function refusalsAtTheDoor(method: string, access: Access | undefined): readonly AppError[] {
  const foreign = method === 'get' ? [] : [new ForeignOrigin('https://elsewhere.example')];
  if (access === undefined || access.scopes.length === 0) return foreign;
  const keys = [new KeyMisplaced('query', 'a key in the address'), new Unauthenticated(), new Forbidden(), new TooManyFailures(42)];
  return [...keys, new KeysUnreadable(), new ForeignHost('analytics.example'), ...foreign];
}

function operationsOf({ paths }: OpenAPIObject): readonly (readonly [path: string, method: string, operation: Operation])[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [path, method, operation as Operation] as const),
  );
}

function operationId(controller: string, method: string): string {
  return `${controller}_${method}`;
}

/** What each handler says with `@Refuses`, and with `@Scope` or `@Public`. */
function declarationsByOperation(app: NestExpressApplication): ReadonlyMap<string, Declared> {
  const declared = new Map<string, Declared>();
  const scanner = new MetadataScanner();
  for (const { metatype } of app.get(DiscoveryService).getControllers()) {
    const { name, prototype } = metatype as { name: string; prototype: Record<string, object> };
    for (const method of scanner.getAllMethodNames(prototype)) {
      const of = (key: symbol): unknown => Reflect.getMetadata(key, prototype[method] as object);
      declared.set(operationId(name, method), { refusals: of(REFUSALS), access: of(ACCESS) } as Declared);
    }
  }
  return declared;
}

function errorResponses(errors: readonly AppError[], path: string): Record<string, object> {
  const responses: Record<string, object> = {};
  const answers = errors.map((error) => ({ error, ...errorAnswerOf(error, path, EXAMPLE_ID) }));
  for (const status of new Set(answers.map((answer) => answer.status))) {
    const alike = answers.filter((answer) => answer.status === status);
    const examples = Object.fromEntries(alike.map(({ error, body }) => [error.code, { summary: error.message, value: body }]));
    const contentType = alike[0]?.contentType as string;
    const schema = { $ref: `#/components/schemas/${contentType === PROBLEM_TYPE ? 'Problem' : 'ForeignError'}` };
    responses[status] = { description: alike.map(({ error }) => error.code).join(', '), content: { [contentType]: { schema, examples } } };
  }
  return responses;
}
