import { describeFairness } from '../scheduling/fairness-suite';

describeFairness({ calls: 6, greedy: 500, models: 20, alone: { mostMeanwhile: 8, promptMs: 1000 } });
