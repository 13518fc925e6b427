import { describeConsistentCuts } from './consistent-cut-suite';

describeConsistentCuts(10);
