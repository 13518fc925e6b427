import { describeMemory } from './engine-memory-suite';

describeMemory(600, 1000);
