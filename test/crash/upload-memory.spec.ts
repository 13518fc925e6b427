import { describeUploads } from './upload-memory-suite';

describeUploads(256 * 2 ** 20, 20);
