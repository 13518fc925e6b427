import { parseArgs } from 'node:util';
import { StorageConfig } from '../config/app-config';
import { callersKey, loadConfig } from '../config/load-config';
import { type CommandOutput, EXIT } from './command';
import { addExamples, removeExamples } from './examples.command';
import { fsckCommand } from './fsck.command';

const SERVER = 'http://127.0.0.1:4100';

const HELP = `usage: analytics-api                     serve
       analytics-api fsck [options]      check the registry's folder; no server need run
       analytics-api examples remove     delete the three example models from a running server
       analytics-api examples add        put them in, into production

options of fsck:
  --models-dir FOLDER   the registry (default: MODELS_DIR, else ./models)
  --json                one JSON object a line; the last one has code and reason
  --repair              mend what can be mended by adding; nothing is ever taken away

options of examples:
  --server URL          the running server (default: http://127.0.0.1:4100); the variable API_KEY has the key, where it wants one

exit codes: 0 all is well, 1 the history is damaged or something failed, 3 versions are damaged, 10 no registry there, 64 wrong usage
settings come from the environment: README.md has the table

example: analytics-api fsck --models-dir /data/models --json`;

/**
 * Runs a command of the command line.
 * @param args what follows the program's name; at least one word
 * @returns the exit code
 */
export async function runCommand(args: readonly string[], output: CommandOutput): Promise<number> {
  const refused = (text: string, code: number): number => {
    output.err(text);
    if (args.includes('--json')) output.out(JSON.stringify({ code, reason: text.split('\n')[0] })); // the last line is promised
    return code;
  };
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        'models-dir': { type: 'string' },
        json: { type: 'boolean' },
        repair: { type: 'boolean' },
        server: { type: 'string' },
      },
    });
    const command = positionals.join(' ');
    if (values.help === true) {
      output.out(HELP);
      return EXIT.ok;
    }
    const server = { server: values.server || SERVER, apiKey: callersKey() };
    if (command === 'examples remove') return await removeExamples(server, output);
    if (command === 'examples add') return await addExamples(server, output);
    if (command !== 'fsck') return refused(`There is no command "${command}"\n\n${HELP}`, EXIT.usage);
    const { modelsDir } = loadConfig().get(StorageConfig) as StorageConfig;
    const options = { root: values['models-dir'] || modelsDir, json: values.json ?? false, repair: values.repair ?? false };
    return await fsckCommand(options, output);
  } catch (error) {
    const usage = String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
    return refused((error as Error).message, usage ? EXIT.usage : EXIT.error);
  }
}
