import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Names and values in turn, as `writeHead` takes them. */
type Fields = (string | number | string[])[];

/** An answer that can collect its head. */
export interface CollectsHead {
  /** From now on heads are collected; where some of it was told before, Node's book stays open. */
  collect(): void;
}

/**
 * Answers that collect their head and give it to Node in one piece. Node's own book of headers is dear (5 µs of a prediction) for what is
 * asked of it: it is opened where somebody does what is not done here.
 */
export function collectingHeads(Base: typeof ServerResponse): typeof ServerResponse {
  return class<T extends IncomingMessage> extends Base<T> implements CollectsHead {
    /** What was told of the head: also after it was sent. */
    #fields: Fields | undefined;

    collect(): void {
      if (super.getHeaderNames().length === 0) this.#fields = [];
    }

    override setHeader(name: string, value: number | string | readonly string[]): this {
      const fields = this.#fields;
      if (fields === undefined || this.headersSent) return super.setHeader(name, value);
      const at = indexOf(fields, name);
      if (at === -1) fields.push(name, value as Fields[number]);
      else fields.splice(at, 2, name, value as Fields[number]);
      return this;
    }

    override getHeader(name: string): number | string | string[] | undefined {
      if (this.#fields === undefined) return super.getHeader(name);
      const at = indexOf(this.#fields, name);
      return at === -1 ? undefined : this.#fields[at + 1];
    }

    override hasHeader(name: string): boolean {
      return this.#fields === undefined ? super.hasHeader(name) : indexOf(this.#fields, name) !== -1;
    }

    override getHeaderNames(): string[] {
      return this.#fields === undefined ? super.getHeaderNames() : namesOf(this.#fields).map((name) => name.toLowerCase());
    }

    override getHeaders(): OutgoingHttpHeaders {
      const fields = this.#fields;
      if (fields === undefined) return super.getHeaders();
      return Object.fromEntries(namesOf(fields).map((name, at) => [name.toLowerCase(), fields[2 * at + 1]]));
    }

    override removeHeader(name: string): void {
      this.#openBook();
      super.removeHeader(name);
    }

    override appendHeader(name: string, value: string | readonly string[]): this {
      this.#openBook();
      return super.appendHeader(name, value);
    }

    override setHeaders(headers: Headers | Map<string, number | string | readonly string[]>): this {
      this.#openBook();
      return super.setHeaders(headers);
    }

    override writeHead(statusCode: number, ...more: readonly (string | OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined)[]): this {
      const fields = this.#fields;
      if (fields === undefined || more.length > 0) {
        this.#openBook();
        return super.writeHead(statusCode, ...(more as [OutgoingHttpHeaders?]));
      }
      this.#fields = undefined; // if Node refuses one of them, whoever tells of the error begins anew
      super.writeHead(statusCode, fields as OutgoingHttpHeader[]);
      this.#fields = fields;
      return this;
    }

    /** @throws as setHeader, where the head was sent */
    #openBook(): void {
      const fields = this.#fields;
      if (fields === undefined) return;
      this.#fields = undefined;
      for (let at = 0; at < fields.length; at += 2) super.setHeader(fields[at] as string, fields[at + 1] as Fields[number]);
    }
  };
}

function namesOf(fields: Fields): readonly string[] {
  return fields.filter((_, at) => at % 2 === 0) as string[];
}

/** @returns where its name is, -1 where it is not */
function indexOf(fields: Fields, name: string): number {
  const plain = name.toLowerCase();
  for (let at = 0; at < fields.length; at += 2) {
    const told = fields[at] as string;
    if (told.length === name.length && told.toLowerCase() === plain) return at;
  }
  return -1;
}
