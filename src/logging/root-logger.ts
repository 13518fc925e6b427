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

/** The logger under every other: one JSON object a line, with the id of the work at hand. */
export function rootLogger(level: string, destination: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => ({ ...CorrelationContext.current }),
    hooks: { logMethod: demoteFramework },
  };
  return pino(options, destination);
}
