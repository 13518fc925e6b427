import type { Command } from 'commander';
import { addDrillCommand } from './backup-drill';
import { exportSnapshot } from './backup-file';
import { addRestoring } from './backup-restore.command';
import { listSnapshots, showSnapshot } from './backup-inventory';
import { deleteSnapshot, pruneSnapshots, undeleteSnapshot } from './backup-pruning';
import { runBackup, verifySnapshots } from './backup-taking';
import { type CommandFrame, examples } from './command-frame';

const ID = 'its id, as `backup list` tells it, or "latest"';

/** `backup …`: no server need run, and beside one that does nothing is disturbed. */
export function addBackupCommands(program: Command, frame: CommandFrame): void {
  const group = program
    .command('backup')
    .description(
      'snapshots of the registry: taken, listed, verified, pruned, exported, restored; no server need run, and one that does is not disturbed',
    )
    .option('--backups-dir <folder>', 'the snapshots (default: BACKUPS_DIR, else ./backups)')
    .option('--quiet', 'tell nothing on the way')
    .addHelpText('after', examples('backup run', 'backup list', 'backup verify --all', 'backup export latest --output backup.tar.gz'));
  addTaking(group, frame);
  addInventory(group, frame);
  addPruning(group, frame);
  addDrillCommand(group, frame);
  addRestoring(group, frame);
  group
    .command('export')
    .description('write a snapshot as one .tar.gz that every tar opens: models under their names and versions')
    .argument('<id>', ID)
    .option('--output <file>', 'where to; - is standard output (default: <id>.tar.gz here)')
    .addHelpText('after', examples('backup export latest', 'backup export latest --output - | tar -tzf -'))
    .action(frame.patient(exportSnapshot));
}

function addTaking(group: Command, frame: CommandFrame): void {
  group
    .command('run')
    .description('take a snapshot now; only what is not there yet is written')
    .option('--rehash', 'read and write everything anew, whatever is there: what is damaged is good again then')
    .addHelpText('after', examples('backup run', 'backup run --models-dir /data/models --backups-dir /mnt/backups --json'))
    .action(frame.patient(runBackup));
  group
    .command('verify')
    .description('look whether a snapshot is what it was; what is not is named')
    .argument('[id]', `${ID} (default)`)
    .option('--all', 'every snapshot that is not deleted')
    .option('--level <level>', 'structure: everything is there; data (default): and every byte is what it was')
    .option('--subset <n/t>', 'only the n-th of t parts: after t runs every object was read once')
    .option('--allow-unsigned', 'also one that is not signed, though there is a key: it is older than the key')
    .addHelpText('after', examples('backup verify', 'backup verify --all --level structure', 'backup verify latest --subset 3/7 --json'))
    .action(frame.patient(verifySnapshots));
}

function addInventory(group: Command, frame: CommandFrame): void {
  group
    .command('list')
    .description('every snapshot, the newest first, as the disk bears it out')
    .option('--deleted', 'deleted ones too')
    .addHelpText('after', examples('backup list', 'backup list --json'))
    .action(frame.brief(listSnapshots));
  group
    .command('show')
    .description('one snapshot, and the models in it')
    .argument('<id>', ID)
    .addHelpText('after', examples('backup show latest', 'backup show 20261123T030000Z-42-0f3a --json'))
    .action(frame.brief(showSnapshot));
}

function addPruning(group: Command, frame: CommandFrame): void {
  group
    .command('prune')
    .description('delete what BACKUP_KEEP_… does not keep, and collect what nobody needs any more')
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', examples('backup prune --dry-run', 'backup prune'))
    .action(frame.patient(pruneSnapshots));
  group
    .command('delete')
    .description('delete one snapshot; undelete brings it back until its objects are collected')
    .argument('<id>', ID)
    .option('--reason <text>', 'why, for the log')
    .addHelpText('after', examples('backup delete 20261123T030000Z-42-0f3a --reason "of the wrong folder"'))
    .action(frame.patient(deleteSnapshot));
  group
    .command('undelete')
    .description('bring a deleted snapshot back')
    .argument('<id>', 'its id, as `backup list --deleted` tells it')
    .addHelpText('after', examples('backup undelete 20261123T030000Z-42-0f3a'))
    .action(frame.patient(undeleteSnapshot));
}
