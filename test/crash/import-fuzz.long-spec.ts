import { describeImports } from './import-fuzz-suite';

describeImports(10_000, 1_500_000);
