import { describeOverload } from '../scheduling/overload-suite';

describeOverload({ promptMs: 70, exactRetryAfter: true });
