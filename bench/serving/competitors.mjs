// Who is compared: servers of the same network that answer the same requests, one row each in JSON. Nobody is among them who answers otherwise.
import { join } from 'node:path';
import { answersOf, ask, compareAnswers } from './answers.mjs';
import { NETWORKS } from './networks.mjs';
import { publish, startOurs } from './ours.mjs';
import { Program } from './program.mjs';
import { asJson, jsonBodies, writeRequests } from './requests.mjs';
import { prepareRival } from './rivals.mjs';

const MODEL = 'perceptron';
export const TARGET = `/v2/models/${MODEL}/infer`;
export const bodies = jsonBodies(NETWORKS[MODEL]);

/** @returns path of the file */
export const writeBodies = (folder) => writeRequests(join(folder, 'one-row.requests'), TARGET, bodies.map(asJson));

/** One of the servers beside this file. */
export const scriptOf = (script, args) => (port) => ({
  file: process.execPath,
  args: [join(import.meta.dirname, script), String(port), ...args],
});

/** A server that is not ours. */
export async function startOther(name, folder, command) {
  const program = await Program.start({ command, log: join(folder, `${name}.log`) });
  return program.ready((origin) => ask(origin, TARGET, asJson(bodies[0])));
}

/** Our server with the network in it. @param cache of the network's metadata */
export async function startOurNetwork(name, folder, { settings = {}, cache }) {
  const server = await startOurs({ name, folder, settings });
  await publish(server, MODEL, new Blob([NETWORKS[MODEL].bytes]), { cache });
  return server;
}

/** @throws where a server answers otherwise than ours @param exact whether every bit must be the same */
export async function compare(name, server, wanted, exact) {
  const difference = compareAnswers(name, await answersOf(server, TARGET, bodies), wanted, { exact });
  console.log(
    `${name} answers all ${bodies.length} requests ${difference === 0 ? 'in the same bits' : `within ${difference.toExponential(0)}`}`,
  );
}

async function startRival(name, { folder, model, wanted, ...how }) {
  const { command, versions } = await prepareRival(name, model, { name: MODEL, workFolder: folder, ...how });
  const server = await startOther(name, folder, command);
  try {
    await compare(name, server, wanted, false);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { server, versions };
}

/** What cannot be had on this machine is left out, aloud. */
export async function startRivals(names, { skipped, versions, ...how }) {
  const started = {};
  for (const name of names) {
    try {
      const rival = await startRival(name, how);
      started[name] = rival.server;
      versions[name] = rival.versions;
    } catch (error) {
      skipped[name] = (error.stderr || error.message).trim();
      console.log(`SKIPPED ${name}: ${skipped[name]}`);
    }
  }
  return started;
}
