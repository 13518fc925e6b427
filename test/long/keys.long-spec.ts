import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { mintKey } from '../../src/auth/api-key';
import { KeyOffice } from '../../src/auth/key-office';
import { KeyRing } from '../../src/auth/key-ring';
import { AuthConfig, HttpConfig, StorageConfig } from '../../src/config/app-config';
import { freshFolder, TestApp } from '../e2e/test-app';

const MINUTE_MS = 60_000;
