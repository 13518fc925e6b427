import { steadySuite } from './steady-suite';

steadySuite(1000);
