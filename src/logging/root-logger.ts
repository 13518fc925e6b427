import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
import { CorrelationContext } from './correlation-context';

/** Where log lines go. A port, so that a test can read them. */
export abstract class LogDestination implements DestinationStream {
  abstract write(line: string): void;
}

const FRAMEWORK = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication']);

/** How the framework wires itself is for whoever debugs it: its routine lines go down to `debug`. */
function demoteFramework(this: Logger, line: Parameters<LogFn>, write: LogFn, level: number): void {
  const [fields] = line as readonly unknown[];
  const context = typeof fields === 'object' && fields !== null && 'context' in fields ? fields.context : undefined;
  if (level === pino.levels.values['info'] && FRAMEWORK.has(String(context))) this.debug(...line);
  else write.apply(this, line);
}

/** The logger under every other: one JSON object a line, with the id of the work at hand. */
export function rootLogger(level: string, destination: DestinationStream): Logger {
  const mixin = () => ({ ...CorrelationContext.current });
  const formatters = { level: (label: string) => ({ level: label }) };
  const timestamp = () => `,"time":"${isoTime()}"`;
  return pino({ base: null, level, mixin, timestamp, formatters, hooks: { logMethod: demoteFramework } }, destination);
}

const told = { at: 0, text: '' };

/** The time of a line, made once a millisecond. */
export function isoTime(): string {
  const now = Date.now();
  if (now !== told.at) {
    told.at = now;
    told.text = new Date(now).toISOString();
  }
  return told.text;
}
