import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { RuntimeConfig } from '../../config/app-config';
import { containerMemoryBytes } from '../container-memory';
import { HostProcess } from './host-process';

// both from src/ (tests) and from dist/: a host is always the compiled file
const ENTRY = join(__dirname, '..', '..', '..', 'dist', 'runtime', 'hosts', 'host.main.js');

const MIB = 2 ** 20;
/** What Node and the engine count for against a data limit before there is any model: mostly never touched, 2^20 bytes. */
const PROCESS_MB = 640;

/** Starts engine hosts. */
@Injectable()
export class HostLauncher {
  /** What the models of a host may take, bytes. */
  readonly roomBytes: number;

  constructor({ hostMemoryMb }: RuntimeConfig) {
    this.roomBytes = Math.min(hostMemoryMb * MIB, containerMemoryBytes());
  }

  launch(): HostProcess {
    return new HostProcess(ENTRY, PROCESS_MB + Math.floor(this.roomBytes / MIB));
  }
}
