import { describeOverload } from '../scheduling/overload-suite';

describeOverload({ promptMs: 1000, exactRetryAfter: false });
