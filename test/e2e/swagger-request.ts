/** An operation as `/docs-json` tells it, as far as a request can be made of it. */
export interface ApiOperation {
  readonly method: string;
  readonly path: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
  /** The schemas that others refer to. */
  readonly schemas: Readonly<Record<string, Schema>>;
}

interface Schema {
  readonly $ref?: string;
  readonly example?: unknown;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Media {
  readonly schema?: Schema;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

/** A request as Swagger UI sends it when somebody presses "Execute" without having changed anything. */
export interface Pressed {
  readonly method: string;
  readonly path: string;
  readonly init: { readonly body?: string | FormData; readonly headers?: Readonly<Record<string, string>> };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation & { readonly operationId: string }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** By their ids. */
export function operationsOf(document: object): ReadonlyMap<string, ApiOperation> {
  const { paths, components } = document as Document;
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
      schemas: components.schemas,
    })),
  );
  return new Map(all.map((operation) => [operation.operationId, operation]));
}

/**
 * What Swagger UI makes of an operation's examples: parameters that have one are filled in, the others left out; a body is each of its examples in
 * turn, or one of the examples of its schema's members.
 * @param file what is chosen where a form asks for a file
 */
export function pressed(operation: ApiOperation, file: Uint8Array): readonly Pressed[] {
  const { method, path, parameters = [], requestBody } = operation;
  const filled = parameters.filter(({ schema }) => schema.example !== undefined);
  const [query, headers] = [new URLSearchParams(), {} as Record<string, string>];
  let address = path;
  for (const { in: place, name, schema } of filled) {
    const value = String(schema.example);
    if (place === 'path') address = address.replace(`{${name}}`, encodeURIComponent(value));
    if (place === 'query') query.set(name, value);
    if (place === 'header') headers[name] = value;
  }
  const target = query.size === 0 ? address : `${address}?${query.toString()}`;
  const bodies = bodiesOf(requestBody?.content ?? {}, operation.schemas, file);
  return bodies.map(({ body, type }) => ({
    method,
    path: target,
    init: { ...(body !== undefined && { body }), headers: { ...headers, ...(type !== undefined && { 'Content-Type': type }) } },
  }));
}

function bodiesOf(
  content: Readonly<Record<string, Media>>,
  schemas: ApiOperation['schemas'],
  file: Uint8Array,
): readonly { readonly body?: string | FormData; readonly type?: string }[] {
  const [[type, media] = []] = Object.entries(content);
  if (type === undefined || media === undefined) return [{}];
  const members = Object.entries(schemas[media.schema?.$ref?.split('/').at(-1) ?? '']?.properties ?? {});
  if (type === 'multipart/form-data') return [{ body: formOf(members, file) }]; // fetch writes the type, with its boundary
  const examples = Object.values(media.examples ?? {}).map(({ value }) => value);
  const sample = Object.fromEntries(members.map(([name, { example }]) => [name, example]));
  return (examples.length > 0 ? examples : [sample]).map((value) => ({ body: JSON.stringify(value), type }));
}

function formOf(members: readonly (readonly [string, Schema])[], file: Uint8Array): FormData {
  const form = new FormData();
  for (const [name, { format, example }] of members) {
    if (format === 'binary') form.set(name, new Blob([Uint8Array.from(file)]), 'model.onnx');
    else form.set(name, String(example));
  }
  return form;
}
