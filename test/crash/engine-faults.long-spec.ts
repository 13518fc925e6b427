import { describeFaults } from './engine-faults-suite';

describeFaults(50);
