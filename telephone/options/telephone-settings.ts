// The settings of a Telephone that the library, the command line and telephone.ts share. Public: users of the library see them
// as a part of ConnectSettings.

export interface TelephoneSettings {
  /**
   * A newer process with the same name and token takes over the services of an older one. Default: host name, and service
   * if there is one only; in the library also the process id.
   */
  readonly name?: string | undefined
  /** Default 2. */
  readonly tunnels?: number | undefined
  /** True when the Telephone dials the replicas, too, that a Plugboard names. Default true. */
  readonly followReplicas?: boolean | undefined
  /** How long `close` lets open requests go on, ms. Default 30 s. */
  readonly drainTimeoutMs?: number | undefined
  /** For one connection to Plugboard, ms. Default 10 s. */
  readonly dialTimeoutMs?: number | undefined
  /** PEM of CAs to trust for Plugboards instead of the usual ones. */
  readonly plugboardCa?: string | undefined
  /**
   * What may wait in this process, in all tunnels together, for backends and for Plugboard; bytes. Default: a quarter of
   * the memory that the process may use, at most 640 MiB.
   */
  readonly maxHeldBytes?: number | undefined
  /** True when each finished exchange is reported as an event. Default false. */
  readonly reportExchanges?: boolean | undefined
  /** Variables such as HTTPS_PROXY and NO_PROXY. Default: those of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}
