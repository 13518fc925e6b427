// What a hit brings and what a miss costs, beside servers that compute and beside the caches of rivals. Each figure with its bar.
// usage: npm run bench:cache -- [--rivals] [--rounds N] [--seconds N] [--only PART,…] [--json FILE]
import { BARS, VALIDS } from './cache/figures.mjs';
import { measureHits } from './cache/hits.mjs';
import { measureLarge } from './cache/large.mjs';
import { measureMisses } from './cache/misses.mjs';
import { measureRedis } from './cache/redis.mjs';
import { redisVersion } from './cache/redis-server.mjs';
import * as text from './cache/text.mjs';
import { runBench } from './serving/command.mjs';

await runBench({
  script: 'bench:cache',
  parts: { hits: measureHits, redis: measureRedis, misses: measureMisses, large: measureLarge },
  rivals: 'Triton with its response cache, and FastAPI with fastapi-cache2',
  text,
  bars: [...VALIDS, ...BARS],
  tools: async () => ({ redis: (await redisVersion()) ?? 'absent' }),
});
