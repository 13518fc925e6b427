import { describeSwaps } from './swaps-cases';

describeSwaps({ answers: 10_000, swaps: 200, minutes: 5 });
