import { describeSwaps } from './swaps-cases';

describeSwaps({ answers: 100_000, swaps: 1000, minutes: 30 });
