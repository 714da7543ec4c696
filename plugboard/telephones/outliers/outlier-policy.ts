// The settings of passive ejection in the policy of a service (key `outlier`).

/** false: no process of the service is ejected. */
export type OutlierPolicy =
  | false
  | {
      /** Failures in a row after which a process is ejected. */
      readonly consecutive: number
      /** Time of the first ejection, ms, and of the longest one. */
      readonly ejectMs: number
      readonly maxEjectMs: number
      /** Largest share of the processes that is ejected, without those whose backends refuse connections. */
      readonly maxEjectedPercent: number
    }
