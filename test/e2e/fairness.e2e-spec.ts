import { describeFairness } from '../scheduling/fairness-suite';

describeFairness({ calls: 5, greedy: 120, models: 6 });
