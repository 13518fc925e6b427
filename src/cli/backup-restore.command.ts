import type { Command } from 'commander';
import { restoreSnapshot } from './backup-restoring';
import { type CommandFrame, examples } from './command-frame';

/** `backup restore`. */
export function addRestoring(group: Command, frame: CommandFrame): void {
  group
    .command('restore')
    .description('make the registry what a snapshot says, or tell what that would change; a server that runs follows within a second')
    .argument('[id]', 'its id, as `backup list` tells it, or "latest"')
    .option('--from <file>', 'instead of a snapshot: what `backup export` wrote')
    .option('--yes', 'do it; without it the plan is told, and nothing is changed')
    .option('--dry-run', 'only tell the plan')
    .option('--model <name>', 'only this model')
    .option('--version <n>', 'only this version of it')
    .option('--conflicts <policy>', 'where another one is here: fail (default), skip, new-version')
    .option('--partial', 'where objects are damaged: the versions that are whole')
    .option('--force', 'also what cannot be loaded')
    .option('--no-safety', 'take no snapshot of what is there first')
    .option('--allow-unsigned', 'also one that is not signed, though there is a key: it is older than the key')
    .option('--at-event <seq>', 'only where this is the last event of the registry: the plan was made then')
    .option('--reason <text>', 'why, for the log')
    .addHelpText(
      'after',
      examples(
        'backup restore latest',
        'backup restore 20261123T030000Z-42-0f3a --yes --at-event 57',
        'backup restore latest --model iris --version 3 --conflicts new-version --yes',
        'backup restore --from backup.tar.gz --models-dir /data/models --yes',
      ),
    )
    .action(frame.patient(restoreSnapshot));
}
