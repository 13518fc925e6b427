import { describeLoadCycles } from './load-cycles-suite';

describeLoadCycles(200);
