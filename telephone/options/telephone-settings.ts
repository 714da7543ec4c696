// The settings of a Telephone that the library, the command line and telephone.ts share. They are public, as a part of
// ConnectSettings.

export interface TelephoneSettings {
  /**
   * The name of the Telephone. A newer process with the same name and token takes over the services of an older one. Default: the
   * host name, with the service if there is only one; in the library also with the process id.
   */
  readonly name?: string | undefined
  /** The number of tunnels. Default 2. */
  readonly tunnels?: number | undefined
  /** True when the Telephone also dials the replicas whose addresses Plugboard sends. Default true. */
  readonly followReplicas?: boolean | undefined
  /** The time in which `close` waits for open requests, ms. Default 30 s. */
  readonly drainTimeoutMs?: number | undefined
  /** The time limit for one attempt to connect to Plugboard, ms. Default 10 s. */
  readonly dialTimeoutMs?: number | undefined
  /** PEM of the CAs to trust for Plugboard instead of the usual ones. */
  readonly plugboardCa?: string | undefined
  /**
   * Bytes that may wait in this process for backends and for Plugboard, in all tunnels together. Default: a quarter of the memory
   * that the process may use, at most 640 MiB.
   */
  readonly maxHeldBytes?: number | undefined
  /** True when each finished exchange is reported as an event. Default false. */
  readonly reportExchanges?: boolean | undefined
  /** Environment variables such as HTTPS_PROXY and NO_PROXY. Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}
