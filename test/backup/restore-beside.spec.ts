import { describeRestoresBeside } from './restore-beside-suite';

describeRestoresBeside({ mixed: 50, slow: 3, objectMs: 150 });
