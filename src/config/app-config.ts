import { IsIn, IsInt, IsNotEmpty, IsString, IsTimeZone, Matches, Max, Min } from 'class-validator';
import { IsSchedule } from './cron-expression';
import { Setting } from './setting';

const MIB = 2 ** 20;

/** Where the service listens, what it reads, how it stops. */
export class HttpConfig {
  @Setting('HOST', 'Address to listen on. Any but a loopback address also needs a key, or `AUTH_MODE=none`.')
  @IsNotEmpty()
  readonly host: string = '127.0.0.1';

  @Setting('PORT', 'Port to listen on; 0 takes a free one.')
  @IsInt()
  @Min(0)
  @Max(65_535)
  readonly port: number = 4100;

  @Setting(
    'AUTH_MODE',
    '`none`: everybody who reaches the address may do everything. Unset: keys are asked for as soon as there is one; must be said aloud where `HOST` is not loopback and there is none.',
  )
  @IsIn(['', 'none'])
  readonly authMode: string = '';

  @Setting('MAX_JSON_BYTES', 'Largest JSON body; beyond it 413.')
  @IsInt()
  @Min(1024)
  @Max(1024 * MIB)
  readonly maxJsonBytes: number = 8 * MIB;

  @Setting(
    'MAX_BINARY_BYTES',
    'Largest body of an inference request that carries tensors as bytes; its JSON may have `MAX_JSON_BYTES`. Beyond it 413.',
  )
  @IsInt()
  @Min(1024)
  @Max(1024 * MIB)
  readonly maxBinaryBytes: number = 64 * MIB;

  @Setting(
    'BODY_SECONDS',
    'How long a JSON body may take to arrive; a file may take as long as it likes while at least 1 KiB a second comes. Beyond it 408.',
  )
  @IsInt()
  @Min(1)
  @Max(3600)
  readonly bodySeconds: number = 30;

  @Setting('HEADER_SECONDS', 'How long the headers of a request may take to arrive; beyond it the connection is closed.')
  @IsInt()
  @Min(1)
  @Max(600)
  readonly headerSeconds: number = 10;

  @Setting('KEEP_ALIVE_SECONDS', 'How long a connection may lie idle between two requests.')
  @IsInt()
  @Min(1)
  @Max(3600)
  readonly keepAliveSeconds: number = 65;

  @Setting('UNREAD_SECONDS', 'How long a caller may leave an answer unread before its connection is cut.')
  @IsInt()
  @Min(1)
  @Max(3600)
  readonly unreadSeconds: number = 30;

  @Setting('MAX_CONNECTIONS', 'Connections at the same time; further ones are closed at once.')
  @IsInt()
  @Min(1)
  readonly maxConnections: number = 4096;

  @Setting('MAX_CONNECTIONS_PER_ADDRESS', 'Connections of one address at the same time; further ones are closed at once.')
  @IsInt()
  @Min(1)
  readonly maxConnectionsPerAddress: number = 1024;

  @Setting('MAX_REQUESTS_PER_CONNECTION', 'After so many requests a connection is closed, and its caller opens a new one; 0: never.')
  @IsInt()
  @Min(0)
  readonly maxRequestsPerConnection: number = 10_000;

  @Setting('HTTP_DIRECT', '`on`: predictions go straight to their handlers. `off`: through the router, as all other requests do.')
  @IsIn(['on', 'off'])
  readonly direct: string = 'on';

  @Setting(
    'TRUSTED_PROXIES',
    'Addresses or networks (`10.0.0.0/8`), separated by commas, of proxies whose `X-Forwarded-For` is believed; nobody else’s is.',
  )
  @Matches(/^[0-9a-fA-F.:]{2,45}(\/[0-9]{1,3})?$/, { each: true })
  readonly trustedProxies: readonly string[] = [];

  @Setting('DRAIN_SECONDS', 'On SIGTERM: how long requests are still taken after readiness has gone, before the port closes.')
  @IsInt()
  @Min(0)
  @Max(600)
  readonly drainSeconds: number = 5;

  @Setting('STOP_SECONDS', 'After the port has closed: how long requests in flight may take to end before their connections are cut.')
  @IsInt()
  @Min(1)
  @Max(600)
  readonly stopSeconds: number = 20;
}

/** Who may come in, and from where. */
export class AuthConfig {
  @Setting('API_KEY', 'A key that may do everything: any text of 16 to 512 printable characters without a space.', 'secret')
  @Matches(/^([\x21-\x7e]{16,512})?$/)
  readonly apiKey: string = '';

  @Setting('API_KEYS_FILE', 'The keys that `analytics-api keys` writes, hashed; unset: `auth/keys.json` in `MODELS_DIR`.')
  @IsString()
  readonly apiKeysFile: string = '';

  @Setting('RATE_LIMIT_PER_SECOND', 'Requests a second of one key, or of one address without a key; beyond it 429. 0: as many as come.')
  @IsInt()
  @Min(0)
  readonly rateLimitPerSecond: number = 0;

  @Setting('METRICS_PUBLIC', '`true`: `/metrics` needs no key.')
  @IsIn(['true', 'false'])
  readonly metricsPublic: string = 'false';

  @Setting(
    'ALLOWED_HOSTS',
    'Names, separated by commas, by which callers may address the service besides IP addresses, `localhost` and the machine’s own name. Checked while there are no keys, or where it is set; beyond it 421.',
  )
  @Matches(/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,253}[a-zA-Z0-9])?$/, { each: true })
  readonly allowedHosts: readonly string[] = [];

  @Setting(
    'CORS_ORIGINS',
    'Origins, separated by commas (`https://board.example`), whose pages may call the service from a browser; other pages may change nothing.',
  )
  @Matches(/^https?:\/\/[a-z0-9.-]+(:[0-9]{1,5})?$|^https?:\/\/\[[0-9a-f:.]+\](:[0-9]{1,5})?$/, { each: true })
  readonly corsOrigins: readonly string[] = [];
}

/** What is written to the log, and where. */
export class LogConfig {
  @Setting('LOG_LEVEL', 'Least level that is written: `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.')
  @IsIn(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
  readonly level: string = 'info';

  @Setting(
    'LOG_DIR',
    'Folder of log files, beside standard output: a new one each day (UTC) and where one is full. Made where it is missing. Unset: none.',
  )
  @IsString()
  readonly dir: string = '';

  @Setting('LOG_FILE_MAX_MB', 'Size at which a log file is full.')
  @IsInt()
  @Min(1)
  @Max(1_048_576)
  readonly fileMaxMb: number = 100;

  @Setting('LOG_FILE_COUNT', 'How many log files are kept in `LOG_DIR`, whichever start wrote them; the oldest go.')
  @IsInt()
  @Min(1)
  @Max(100_000)
  readonly fileCount: number = 14;
}

/** Where the registry lives. */
export class StorageConfig {
  @Setting('MODELS_DIR', 'Folder of the registry: blobs, log, uploads in progress.')
  @IsNotEmpty()
  readonly modelsDir: string = 'models';

  @Setting(
    'MIN_FREE_BYTES',
    'What uploads leave free on the volume of `MODELS_DIR`, else 507; `auto`: the smaller of 1 GiB and 10 % of it.',
  )
  @Matches(/^(auto|[0-9]{1,15})$/)
  readonly minFreeBytes: string = 'auto';

  @Setting('UPLOAD_TTL_HOURS', 'Age after which an unfinished upload, or a blob that no version needs, is taken away.')
  @IsInt()
  @Min(1)
  @Max(8760)
  readonly uploadTtlHours: number = 24;

  @Setting('UNDELETE_DAYS', 'How long deleted versions and models can be brought back; then their files may be collected.')
  @IsInt()
  @Min(0)
  @Max(3650)
  readonly undeleteDays: number = 30;

  @Setting('SCRUB_DAYS', 'In how many days every stored byte is read and checked once, in the background; 0: never.')
  @IsInt()
  @Min(0)
  @Max(365)
  readonly scrubDays: number = 7;
}

/** What is saved of the registry, when, and how long it is kept. */
export class BackupConfig {
  @Setting('BACKUPS_DIR', 'Folder of the snapshots; better on another volume than `MODELS_DIR`, never inside it.')
  @IsNotEmpty()
  readonly backupsDir: string = 'backups';

  @Setting(
    'BACKUP_SCHEDULE',
    'When a snapshot is taken: minute, hour, day of the month, month, day of the week, as cron has them; or `off`.',
  )
  @IsSchedule()
  readonly schedule: string = '0 3 * * *';

  @Setting(
    'DRILL_SCHEDULE',
    'When a restore is tried, of the newest snapshot and an older one: as `BACKUP_SCHEDULE`; or `off`. It needs as much space in `BACKUPS_DIR` as one of them holds.',
  )
  @IsSchedule()
  readonly drillSchedule: string = '0 4 * * 0';

  @Setting(
    'BACKUP_TIMEZONE',
    'The zone of `BACKUP_SCHEDULE`, `DRILL_SCHEDULE` and of the days, weeks and months of what is kept: a name as `Europe/Berlin`.',
  )
  @IsTimeZone()
  readonly timezone: string = 'UTC';

  @Setting('BACKUP_KEEP_LAST', 'How many snapshots are kept, whenever they were taken; 0: none for that reason.')
  @IsInt()
  @Min(0)
  @Max(100_000)
  readonly keepLast: number = 0;

  @Setting('BACKUP_KEEP_DAILY', 'Of how many days that have one the newest snapshot is kept.')
  @IsInt()
  @Min(0)
  @Max(100_000)
  readonly keepDaily: number = 7;

  @Setting('BACKUP_KEEP_WEEKLY', 'Of how many weeks (ISO 8601) that have one the newest snapshot is kept.')
  @IsInt()
  @Min(0)
  @Max(100_000)
  readonly keepWeekly: number = 0;

  @Setting('BACKUP_KEEP_MONTHLY', 'Of how many months that have one the newest snapshot is kept.')
  @IsInt()
  @Min(0)
  @Max(100_000)
  readonly keepMonthly: number = 0;

  @Setting(
    'BACKUP_RPO_TARGET_SECONDS',
    'How much may be lost at most: where the newest verified snapshot is older, `/health` is degraded. 0: two intervals of `BACKUP_SCHEDULE`.',
  )
  @IsInt()
  @Min(0)
  readonly rpoTargetSeconds: number = 0;

  @Setting(
    'RESTORE_RTO_TARGET_SECONDS',
    'How long a restore may take until everything serves, as the last drill measured it; beyond it `/health` is degraded. 0: as long as it takes.',
  )
  @IsInt()
  @Min(0)
  readonly rtoTargetSeconds: number = 0;

  @Setting(
    'BACKUP_KEY_FILE',
    'File of 32 bytes or more, made by chance, that only the service can read (mode 0600), from which the keys are made that sign and encrypt snapshots. Keep a copy away from this machine: without it nothing encrypted comes back. Unset: snapshots are not signed.',
  )
  @IsString()
  readonly keyFile: string = '';

  @Setting('BACKUP_ENCRYPT', '`on`: snapshots are encrypted (AES-256-GCM) with `BACKUP_KEY_FILE`.')
  @IsIn(['on', 'off'])
  readonly encrypt: string = 'off';
}

/** What comes in, and what must be there. */
export class ModelsConfig {
  @Setting('MAX_UPLOAD_BYTES', 'Largest upload, all files together; beyond it 413.')
  @IsInt()
  @Min(1024)
  readonly maxUploadBytes: number = 2048 * MIB;

  @Setting('MAX_UPLOADS', 'Uploads at the same time; beyond it 429.')
  @IsInt()
  @Min(1)
  readonly maxUploads: number = 16;

  @Setting('MAX_UPLOADS_PER_KEY', 'Uploads at the same time of one key, or of one address without a key; beyond it 429.')
  @IsInt()
  @Min(1)
  readonly maxUploadsPerKey: number = 4;

  @Setting('REQUIRED_MODELS', 'Names, separated by commas, that must be in service before `/health/startup` and `/health/ready` say yes.')
  @Matches(/^(?!stats$)(?!.*\.\.)[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/, { each: true })
  readonly required: readonly string[] = [];

  @Setting('EXAMPLES', '`on`: a first start on an empty registry publishes the example model. `off`: it stays empty.')
  @IsIn(['on', 'off'])
  readonly examples: string = 'on';
}

/** What is remembered, and where. */
export class CacheConfig {
  @Setting(
    'CACHE_TTL_SECONDS',
    'How long an answer is remembered, less up to a tenth of it by chance; a model may set its own. 0: not at all.',
  )
  @IsInt()
  @Min(0)
  @Max(2_678_400)
  readonly ttlSeconds: number = 60;

  @Setting('CACHE_MEMORY_MB', 'What remembered answers may take in memory; those that were not asked for longest make room.')
  @IsInt()
  @Min(1)
  @Max(1_048_576)
  readonly memoryMb: number = 64;

  @Setting('CACHE_ENTRIES', 'How many answers are remembered in memory; those that were not asked for longest make room.')
  @IsInt()
  @Min(1)
  @Max(10_000_000)
  readonly entries: number = 100_000;

  @Setting(
    'REDIS_URL',
    'A Redis that replicas share and that outlives a restart: `redis://` or, by TLS, `rediss://`, then `[user:password@]host[:port][/database]`. Unset: answers are remembered in memory only.',
    'secret',
  )
  @Matches(
    /^(rediss?:\/\/((?:[^@/?#:%\s]|%[0-9a-fA-F]{2})*(:(?:[^@/?#%\s]|%[0-9a-fA-F]{2})*)?@)?(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(:[0-9]{1,5})?(\/[0-9]{0,5})?)?$/,
  )
  readonly redisUrl: string = '';

  @Setting(
    'CACHE_SECRET',
    'What replicas sign their answers in Redis with, so that nobody else who writes there is believed: 16 to 512 printable characters without a space. Unset: they carry a check sum only.',
    'secret',
  )
  @Matches(/^([\x21-\x7e]{16,512})?$/)
  readonly secret: string = '';
}

/** The engines. */
export class RuntimeConfig {
  @Setting(
    'MODEL_ISOLATION',
    '`auto`: cheap runs of models that are proved to be bounded are made in the server’s own process. `always`: every run in an engine process, for those whose uploaders are not trusted.',
  )
  @IsIn(['auto', 'always'])
  readonly isolation: string = 'auto';

  @Setting('ENGINE_DEADLINE_MS', 'How long one run of a model may take before its engine process is killed (504); a model may set its own.')
  @IsInt()
  @Min(1)
  @Max(3_600_000)
  readonly engineDeadlineMs: number = 10_000;

  @Setting('IMPORT_DEADLINE_SECONDS', 'How long an uploaded model may take to load and to run on a sample; beyond it 422.')
  @IsInt()
  @Min(1)
  @Max(3_600)
  readonly importDeadlineSeconds: number = 30;

  @Setting(
    'HOST_MEMORY_MB',
    'What the models in one engine process may take, and never more than the container (Linux with `prlimit` only).',
  )
  @IsInt()
  @Min(16)
  readonly hostMemoryMb: number = 4096;

  @Setting(
    'MODEL_MEMORY_MB',
    'What all models in memory may take together; those that were not used longest make room. `auto`: half of what the container may have.',
  )
  @Matches(/^(auto|[1-9][0-9]{0,8})$/)
  readonly modelMemoryMb: string = 'auto';
}

/** How much may wait, and for how long. */
export class InferenceConfig {
  @Setting('CALL_DEADLINE_SECONDS', 'How long a prediction may take in all, waiting included; beyond it 504.')
  @IsInt()
  @Min(1)
  @Max(3_600)
  readonly callDeadlineSeconds: number = 30;

  @Setting('MAX_CALLS_PER_MODEL', 'Predictions of one model that may wait or run at the same time; beyond it 429.')
  @IsInt()
  @Min(1)
  readonly maxCallsPerModel: number = 256;

  @Setting('MAX_CALLS', 'Predictions that may wait or run at the same time, all models together; beyond it 429.')
  @IsInt()
  @Min(1)
  readonly maxCalls: number = 1024;

  @Setting(
    'MAX_CALL_BYTES_PER_MODEL',
    'Bytes of the inputs of predictions of one model that may wait or run at the same time; beyond it 429.',
  )
  @IsInt()
  @Min(1024)
  readonly maxCallBytesPerModel: number = 64 * MIB;

  @Setting(
    'MAX_CALL_BYTES',
    'Bytes of the inputs of predictions that may wait or run at the same time, all models together; beyond it 429.',
  )
  @IsInt()
  @Min(1024)
  readonly maxCallBytes: number = 256 * MIB;
}

/** What is found out about the quality of answers. */
export class QualityConfig {
  @Setting(
    'QUALITY',
    '`off`: no inputs of predictions are looked at for drift; what callers tell of outcomes is counted all the same. A model may say so for itself.',
  )
  @IsIn(['on', 'off'])
  readonly drift: string = 'on';

  @Setting('QUALITY_WINDOW', 'From how many of the last outcomes, and of the last rows that were looked at, figures of a version are made.')
  @IsInt()
  @Min(10)
  @Max(10_000)
  readonly window: number = 1000;

  @Setting(
    'QUALITY_BASELINE_ROWS',
    'How many rows show what the inputs of a version look like, where its metadata have no `baseline`: the first that are looked at.',
  )
  @IsInt()
  @Min(10)
  @Max(10_000)
  readonly baselineRows: number = 1000;
}

/** Every group, in the order of the table of settings. */
export const CONFIG_GROUPS = [
  HttpConfig,
  AuthConfig,
  LogConfig,
  StorageConfig,
  BackupConfig,
  CacheConfig,
  ModelsConfig,
  RuntimeConfig,
  InferenceConfig,
  QualityConfig,
] as const;
