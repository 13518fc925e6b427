import { Injectable } from '@nestjs/common';
import { version as onnxruntime } from 'onnxruntime-node/package.json';
import { SERVICE } from '../config/service';
import { Exposition } from './exposition';

/** Tells which build runs. */
@Injectable()
export class BuildInfo {
  constructor(exposition: Exposition) {
    const labels = { version: SERVICE.version, node: process.versions.node, onnxruntime };
    exposition.addGauge({ name: 'analytics_api_build_info', help: '1: what runs.' }, () => [[labels, 1]]);
  }
}
