import { describeMemory } from './engine-memory-suite';

describeMemory(40, 120);
