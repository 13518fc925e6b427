import { ValidateBy } from 'class-validator';
import { CronTime } from 'cron';

const FIVE_FIELDS = /^\S+( +\S+){4}$/;

/** Refuses what is neither `off` nor five fields of cron that ever come true: it would be a backup that never runs. */
export function IsSchedule(): PropertyDecorator {
  return ValidateBy({
    name: 'isSchedule',
    validator: {
      validate: (value) => value === 'off' || (typeof value === 'string' && FIVE_FIELDS.test(value) && comesTrue(value)),
      defaultMessage: () => 'schedule must be `off`, or five fields as cron has them that come true some day: `0 3 * * *`',
    },
  });
}

function comesTrue(expression: string): boolean {
  try {
    return new CronTime(expression, 'UTC').sendAt().isValid;
  } catch {
    return false;
  }
}
