import { describeUploads } from './upload-memory-suite';

describeUploads(1024 * 2 ** 20, 100);
