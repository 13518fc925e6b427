/** Series that rules, dashboards and runbooks ask for, and that the service does not tell yet. */
export const AWAITED_SERIES: ReadonlySet<string> = new Set([
  ...['process_memory_limit_bytes', 'process_cpu_limit_cores', 'engine_hosts_cpu_seconds_total'],
  ...['storage_capacity_bytes', 'backup_free_bytes', 'backup_capacity_bytes', 'model_input_drift_psi'],
]);
