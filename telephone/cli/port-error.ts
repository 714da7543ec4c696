/** Thrown when the port of `metricsListen` or `inspect` cannot be opened. The message names the address and the remedy. */
export class PortError extends Error {
  override name = 'PortError'
}
