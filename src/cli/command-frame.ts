import { randomUUID } from 'node:crypto';
import { type Command, CommanderError, Help } from 'commander';
import { CorrelationContext } from '../logging/correlation-context';
import { type CommandOutput, EXIT, Interrupted, WrongUsage } from './command';

/** The options of every command. */
export interface CommonOptions {
  readonly modelsDir?: string;
  readonly json?: boolean;
}

/** What a command is given: its options with those of all, the words after it, and where it writes. */
export interface Call<Options extends object = object> {
  readonly options: CommonOptions & Options;
  readonly operands: readonly (string | undefined)[];
  readonly output: CommandOutput;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

type Work<Options extends object> = (call: Call<Options>) => Promise<number>;
type Action = (...args: readonly unknown[]) => Promise<void>;

const HELP_COLUMNS = 100;

/** Between the parser, which knows words, and the commands, which know what to do: errors and help in the words of this house. */
export class CommandFrame {
  /** What the command that ran came to. */
  code: number = EXIT.ok;
  /** What the parser wrote: help, or the version. */
  written = '';

  constructor(
    private readonly output: CommandOutput,
    private readonly signal: AbortSignal,
  ) {}

  /** A command that may be stopped anywhere, as it leaves nothing half done: Ctrl-C does not wait for it. */
  readonly brief = <Options extends object>(work: Work<Options>): Action =>
    this.patient<Options>((call) => Promise.race([work(call), this.interruption()]));

  /** A command that is told of Ctrl-C by its signal, and puts things in order before it ends. */
  readonly patient =
    <Options extends object>(work: Work<Options>): Action =>
    async (...args) => {
      const command = args.at(-1) as Command;
      if (command.args.length > command.registeredArguments.length) throw noCommand(command, command.args);
      const operands = command.processedArgs as readonly (string | undefined)[];
      const options = command.optsWithGlobals<CommonOptions & Options>();
      try {
        const call = { options, operands, output: this.output, signal: this.signal };
        this.code = await CorrelationContext.run({ correlationId: randomUUID() }, () => work(call));
      } catch (cause) {
        throw this.signal.aborted ? new Interrupted({ cause }) : cause;
      }
    };

  /** Settings that every command of the program has. */
  adorn(program: Command): void {
    program
      .allowExcessArguments(true) // counted in `patient`, which knows what to say
      .configureOutput({
        writeOut: (text) => void (this.written += text),
        writeErr: () => {},
        getOutHelpWidth: () => HELP_COLUMNS,
        getErrHelpWidth: () => HELP_COLUMNS,
      })
      .configureHelp({
        showGlobalOptions: true,
        styleTitle: (title) => title.toLowerCase(),
        optionTerm: ({ flags }) => loud(flags),
        formatHelp: (command, helper) =>
          Help.prototype.formatHelp.call(Object.assign(helper, { visibleCommands: leavesOf, subcommandTerm: termOf }), command, helper),
      });
  }

  /** Once the program is whole: where the parser would end the process, it throws. */
  guard(program: Command): void {
    program.exitOverride((error) => {
      throw error.exitCode === 0 ? error : usageOf(error, program);
    });
    for (const command of program.commands) this.guard(command);
  }

  private interruption(): Promise<never> {
    return new Promise((_, reject) => {
      this.signal.addEventListener('abort', () => reject(new Interrupted()), { once: true });
    });
  }
}

/** Whether the parser ended because it told what was asked of it. */
export function isTold(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

/** Examples at the end of a help. @param lines each what follows the program's name */
export function examples(...lines: readonly string[]): string {
  return `\nexample: ${lines.map((line) => `analytics-api ${line}`).join('\n         ')}`;
}

/** The words of a command, without the program's name. */
function wordsOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...wordsOf(command.parent), command.name()];
}

function leavesOf(command: Command): Command[] {
  return command.commands.flatMap((each) => (each.commands.length === 0 ? [each] : leavesOf(each)));
}

function termOf(command: Command): string {
  const operands = command.registeredArguments.map((operand) => (operand.required ? `<${operand.name()}>` : `[<${operand.name()}>]`));
  return [...wordsOf(command), ...operands.map((operand) => loud(operand))].join(' ');
}

function noCommand(parent: Command, words: readonly string[], meant = ''): WrongUsage {
  return new WrongUsage(`There is no command "${[...wordsOf(parent), ...words].join(' ')}"${meant}`, wordsOf(parent));
}

/** The parser's fault in our words, the first line of which is the reason; then how it is right. */
function usageOf({ code, message }: CommanderError, command: Command): WrongUsage {
  const [fault = '', guess = ''] = message.replace(/^error: /, '').split('\n');
  const meant = guess.replace(/^\((.+)\)$/, (_, words: string) => `: ${words.charAt(0).toLowerCase()}${words.slice(1)}`);
  if (code === 'commander.unknownCommand') return noCommand(command, command.args.slice(0, 1), meant);
  if (code === 'commander.help') return noCommand(command, []);
  const [, flag] = /^unknown option '(--[a-z-]+)=/.exec(fault) ?? [];
  const text = optionsOf(command).includes(flag)
    ? `Option '${flag}' does not take an argument`
    : capital(fault.replace(/<[a-z-]+>/, '<value>')) + meant;
  return new WrongUsage(text, wordsOf(command));
}

/** What stands for something else: `--server URL`. */
function loud(flags: string): string {
  return flags.replace(/<([a-z/-]+)>/, (_, name: string) => name.toUpperCase());
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Long names of its options, and of those of all. */
function optionsOf(command: Command): readonly (string | undefined)[] {
  return [...command.options.map(({ long }) => long), ...(command.parent === null ? [] : optionsOf(command.parent))];
}
