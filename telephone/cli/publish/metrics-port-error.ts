/** Thrown when the port of `metricsListen` cannot be opened. The message names the address and the remedy. */
export class MetricsPortError extends Error {
  override name = 'MetricsPortError'
}
