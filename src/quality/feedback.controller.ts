import { Body, Controller, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../auth/caller';
import { Scope } from '../auth/scope.decorator';
import { Refuses } from '../errors/refuses.decorator';
import { InvalidName, ModelNotFound, VersionNotFound } from '../models/models.errors';
import { JsonBodyInterceptor } from '../wire/json-body.interceptor';
import { BodyTooLarge, BodyTooSlow, MalformedBody, MalformedJson, UnsupportedMediaType } from '../wire/wire.errors';
import { feedbackItems, MOST_ITEMS } from './feedback-item';
import { FeedbackService } from './feedback.service';
import { FeedbackMismatch } from './quality.errors';
import { FeedbackCountView } from './quality-view';

const ONE = { model: 'iris', version: 1, prediction: 'setosa', actual: 'setosa' };
const OTHER = { ...ONE, prediction: 'virginica', actual: 'versicolor' };

/** What came true of predictions. */
@ApiTags('predictions')
@Controller('api/v1/feedback')
export class FeedbackController {
  constructor(private readonly feedback: FeedbackService) {}

  @Post()
  @Scope('predict')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @ApiOperation({
    summary: 'Tell what came true',
    description: `One outcome, or up to ${MOST_ITEMS} as an array or as \`items\`; all are counted, or none. Sent twice they are counted twice.`,
  })
  @ApiBody({
    schema: { type: 'object' },
    examples: {
      one: { summary: 'one outcome', value: ONE },
      several: { summary: 'several', value: { items: [ONE, OTHER] } },
    },
  })
  @ApiOkResponse({ type: FeedbackCountView })
  @Refuses(
    new MalformedBody('items[3].version must be a whole number from 1 on', {
      field: 'items[3].version',
      expected: 'a whole number from 1 on',
      actual: 'missing',
    }),
    new MalformedJson('Unexpected end of JSON input'),
    new BodyTooLarge(8_388_608),
    new BodyTooSlow({ maxMs: 30_000 }),
    new UnsupportedMediaType('Content-Type', 'application/json', 'text/plain'),
    new InvalidName('model', 'a name', 'Iris!'),
    new ModelNotFound('iris'),
    new VersionNotFound('iris', 9, [1]),
    new FeedbackMismatch('items[3].actual', 'one of "setosa", "versicolor", "virginica"', '"rose"'),
  )
  tell(@Body() body: unknown, @CurrentCaller() caller: Caller): FeedbackCountView {
    return new FeedbackCountView(this.feedback.count(feedbackItems(body), caller));
  }
}
