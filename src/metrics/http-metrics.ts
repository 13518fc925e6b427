import { Injectable } from '@nestjs/common';
import { Counts } from './counts';
import { CALL_SECONDS, Distribution } from './distribution';
import { by, Exposition, type Labels } from './exposition';

interface Answers {
  readonly labels: Labels;
  readonly seconds: Distribution;
}

/** Counts what the pipeline answered, errors included. */
@Injectable()
export class HttpMetrics {
  private readonly answers = new Map<string, Answers>();
  private readonly errors = new Counts();
  private readonly unreadable = new Counts();

  constructor(exposition: Exposition) {
    const help = 'Seconds from the first byte of a request to the end of its answer, by method, route template and status.';
    exposition.addHistogram({ name: 'http_request_duration_seconds', help }, () => this.read());
    exposition.addCounter({ name: 'http_errors_total', help: 'Requests that were answered with an error, by its code.' }, () =>
      by('code', this.errors),
    );
    exposition.addCounter({ name: 'http_unreadable_requests_total', help: 'What could not be read as a request, by code.' }, () =>
      by('code', this.unreadable),
    );
  }

  /** @param route the template, never the path: a path has as many values as there are callers */
  observe(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${route} ${status}`;
    let answers = this.answers.get(key);
    if (answers === undefined) {
      answers = { labels: { method, route, status: String(status) }, seconds: new Distribution(CALL_SECONDS) };
      this.answers.set(key, answers);
    }
    answers.seconds.observe(seconds);
  }

  /** @param code of the error that a request was answered with */
  countError(code: string): void {
    this.errors.count(code);
  }

  /** @param code of the error that was told to whoever sent no request that can be read */
  countUnreadable(code: string): void {
    this.unreadable.count(code);
  }

  private *read(): Iterable<readonly [Labels, Distribution]> {
    for (const { labels, seconds } of this.answers.values()) yield [labels, seconds];
  }
}
