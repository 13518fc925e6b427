#!/usr/bin/env node
import './config/node-version'; // before anything that an old Node could not even load
// Before the imports, which take their time: who stops a server that still loads its modules ends it well, as nothing has been begun;
// only while Node itself boots does a signal end it as a failure. A command that has not begun is ended by the signal itself, as any other.
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const endWell = (): never => process.exit(0);
const command = process.argv.slice(2);
if (command.length === 0) for (const signal of SIGNALS) process.on(signal, endWell);

import 'reflect-metadata';
import { setImmediate as turn } from 'node:timers/promises';

/** Runs a command. The first signal asks it to end, and it leaves nothing half done; the second ends it where it stands. */
async function run(): Promise<void> {
  const { runCommand } = await import('./cli/command-line.js');
  const { Logger } = await import('@nestjs/common');
  await turn(); // a signal that came while modules were loaded is heard only now
  const stop = new AbortController();
  for (const signal of SIGNALS) process.once(signal, () => stop.abort());
  const { stdout, stderr } = process;
  const say = (text: string): void => void stderr.write(`${text}\n`);
  const terminal = stderr.isTTY ? { terminal: (text: string): void => void stderr.write(text) } : {};
  Logger.overrideLogger(false); // standard output is for what was asked for
  const code = await runCommand(command, { out: (line) => stdout.write(`${line}\n`), err: say, bytes: stdout, ...terminal }, stop.signal);
  if (stop.signal.aborted) process.exit(code); // what it did not wait for would go on
  process.exitCode = code;
}

// a command does without the server's modules: they take longer to load than most commands to run
if (command.length > 0) void run();
else void import('./serve.js').then(({ serve }) => serve(SIGNALS, endWell));
