import { describeLostAnswers } from './lost-answers-suite';

describeLostAnswers(500, 600_000);
