/** What this is, as it tells its callers. */
export const SERVICE = { name: 'analytics-api', version: '0.1.0' } as const;
