import { eventLogContract } from '../../test/contracts/event-log.contract';
import { MemoryEventLog } from './memory-event.log';

describe(MemoryEventLog.name, () =>
  eventLogContract(() => {
    const log = new MemoryEventLog();
    return [log, log];
  }),
);
