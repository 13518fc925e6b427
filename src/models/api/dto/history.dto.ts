import { ApiProperty } from '@nestjs/swagger';
import type { StoredEvent } from '../../../storage/event-log.port';

const EXAMPLE = {
  seq: 3,
  at: '2026-11-22T12:00:00.000Z',
  kind: 'stage.changed',
  actor: 'anonymous',
  correlationId: '7c0a51f4-6f8c-4c0e-9d2f-5b3f6a1f7d11',
  version: 1,
  stage: 'production',
  reason: 'better on the hold-out set',
};

/** Events of a model, the newest first. */
export class HistoryView {
  @ApiProperty({ type: [Object], example: [EXAMPLE], description: 'What happened; `kind` says which other members there are' })
  readonly events: readonly object[];

  @ApiProperty({
    type: Number,
    nullable: true,
    example: null,
    description: 'Ask for `before` this number to go on; null: there is no more',
  })
  readonly next: number | null;

  constructor(events: readonly StoredEvent[], next: number | null) {
    this.events = events.map((event) => shown(event));
    this.next = next;
  }
}

/** Without the chain, and without what the version itself shows. */
function shown(event: StoredEvent): object {
  const { previous: _, model: __, manifest: ___, signature: ____, ...told } = event;
  return told;
}
