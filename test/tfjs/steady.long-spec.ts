import { steadySuite } from './steady-suite';

jest.setTimeout(1_200_000);
steadySuite(100_000);
