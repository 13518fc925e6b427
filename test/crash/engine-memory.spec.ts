import { describeMemory } from './engine-memory-suite';

describeMemory(60, 200);
