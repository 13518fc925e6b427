import { Command } from 'commander';
import { SERVICE } from '../config/service';
import { AppError } from '../errors/app-error';
import { addBackupCommands } from './backup.command';
import { type CommandOutput, EXIT, WrongUsage } from './command';
import { CommandFrame, examples, isTold } from './command-frame';
import { addExamplesCommands } from './examples.command';
import { exitCodeOf } from './exit-code';
import { addFsckCommand } from './fsck.command';
import { addKeysCommands } from './keys.command';

const AFTER_ALL = `
exit codes: 0 all is well, 1 the history is damaged or something failed, 3 a part is damaged or was not done, 10 no registry or no
            backups there, 12 the key of the backups is missing or another, 64 wrong usage, 130 interrupted
settings come from the environment, MODELS_DIR and API_KEY among them: README.md has the table`;

/** The words of the command that has a `--version` of its own, that of a model. */
const HAS_OWN_VERSION = ['backup', 'restore'];

/**
 * Runs a command of the command line.
 * @param args what follows the program's name; at least one word
 * @param signal aborted when somebody wants it to end
 * @returns the exit code
 */
export async function runCommand(
  args: readonly string[],
  output: CommandOutput,
  signal: AbortSignal = new AbortController().signal,
): Promise<number> {
  const frame = new CommandFrame(output, signal);
  try {
    await programOf(frame, args).parseAsync([...args], { from: 'user' });
    return frame.code;
  } catch (error) {
    if (isTold(error)) {
      output.out(frame.written.trimEnd());
      return EXIT.ok;
    }
    return refused(error, args, output);
  }
}

function programOf(frame: CommandFrame, args: readonly string[]): Command {
  const program = new Command(SERVICE.name)
    .description('Without a command it serves: models in, predictions out.')
    .helpOption('-h, --help', 'this text; of a command, what it does and how')
    .option('--models-dir <folder>', 'the registry (default: MODELS_DIR, else ./models)')
    .option('--json', 'one JSON object a line; the last one has code and reason');
  if (!HAS_OWN_VERSION.every((word) => args.includes(word))) program.version(SERVICE.version, '--version', 'the version');
  frame.adorn(program);
  addBackupCommands(program, frame);
  addFsckCommand(program, frame);
  addKeysCommands(program, frame);
  addExamplesCommands(program, frame);
  program.addHelpText('afterAll', AFTER_ALL);
  program.addHelpText(
    'after',
    examples(
      'backup run --backups-dir /mnt/backups',
      'fsck --repair --models-dir /data/models --json',
      "keys create --name board --scope predict --models 'iris,fraud-*' --expires 90d",
    ),
  );
  frame.guard(program);
  return program;
}

/** Says what went wrong; for a machine in the last line too, which is promised. */
function refused(error: unknown, args: readonly string[], { out, err }: CommandOutput): number {
  const code = exitCodeOf(error);
  const { message } = error as Error;
  err(error instanceof WrongUsage ? `${message}\n\n${[SERVICE.name, ...error.command, '--help'].join(' ')} tells how it is used` : message);
  if (args.includes('--json')) out(JSON.stringify({ code, reason: message.replaceAll(/\s*\n\s*/g, ' '), ...told(error) }));
  return code;
}

/** What a program can switch on. */
function told(error: unknown): object {
  if (!(error instanceof AppError)) return {};
  return { error: error.code, ...('failure' in error && { failure: error.failure }), ...error.members };
}
