import { describeLoadCycles } from './load-cycles-suite';

describeLoadCycles(60);
