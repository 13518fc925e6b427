import { describeSwaps } from './swaps-cases';

describeSwaps({ answers: 6000, swaps: 120, minutes: 5 });
