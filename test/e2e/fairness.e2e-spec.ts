import { describeFairness } from '../scheduling/fairness-suite';

describeFairness({ calls: 7, greedy: 200, models: 6 });
