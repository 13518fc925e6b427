import { describeLostAnswers } from './lost-answers-suite';

describeLostAnswers(50, 60_000);
