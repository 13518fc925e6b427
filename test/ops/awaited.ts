/** Series that the service tells, and that the run of dashboards.ops-spec.ts does not bring about. */
export const AWAITED_SERIES: ReadonlySet<string> = new Set(['model_input_drift_psi']);
