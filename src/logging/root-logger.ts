import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
import { CorrelationContext } from './correlation-context';

/** Where log lines go. A port, so that a test can read them. */
export abstract class LogDestination implements DestinationStream {
  abstract write(line: string): void;
}

/** Standard output, written asynchronously, and flushed when the process exits. */
export function standardOutput(): DestinationStream {
  return pino.destination({ dest: 1, sync: false });
}

const FRAMEWORK = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication']);

/** How the framework wires itself is for whoever debugs it: its routine lines go down to `debug`. */
function demoteFramework(this: Logger, line: Parameters<LogFn>, write: LogFn, level: number): void {
  const [fields] = line as readonly unknown[];
  const context = typeof fields === 'object' && fields !== null && 'context' in fields ? fields.context : undefined;
  if (level === pino.levels.values['info'] && FRAMEWORK.has(String(context))) this.debug(...line);
  else write.apply(this, line);
}

/** Of all lines: one JSON object each. */
const LINES = { base: null, timestamp: isoTime, formatters: { level: (label: string) => ({ level: label }) } };

/** The logger under every other: with the id of the work at hand. */
export function rootLogger(level: string, destination: DestinationStream): Logger {
  const mixin = () => ({ ...CorrelationContext.current });
  return pino({ ...LINES, level, mixin, hooks: { logMethod: demoteFramework } }, destination);
}

/** A logger for lines that say themselves whose they are. */
export function plainLogger(level: string, destination: DestinationStream): Logger {
  return pino({ ...LINES, level }, destination);
}

const told = { at: 0, text: '' };

/** pino's own, made once a millisecond. */
function isoTime(): string {
  const now = Date.now();
  if (now !== told.at) Object.assign(told, { at: now, text: `,"time":"${new Date(now).toISOString()}"` });
  return told.text;
}
