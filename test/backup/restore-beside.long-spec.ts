import { describeRestoresBeside } from './restore-beside-suite';

describeRestoresBeside({ mixed: 500, slow: 100, objectMs: 2500 });
