// A target: one path from a client to the backend, without a proxy, through another proxy, or through ours.

import type { Processes } from '../support/process/processes.ts'

export interface Target {
  /** The port to which clients connect, on 127.0.0.1. */
  readonly port: number
  /** The `Host` of their requests. */
  readonly host: string
  /** The port for TLS, when the context has a `front`. */
  readonly front?: { readonly tlsPort: number; readonly grpcHost: string }
  /** The processes between client and backend whose cost counts, by role. */
  readonly roles: Record<string, () => readonly number[]>
}

export interface TargetContext {
  readonly processes: Processes
  readonly backendPort: number
  /** For targets that support TLS: the certificate and the port of the gRPC backend. */
  readonly front?: Front
  /** True to run the sources instead of the bundles. */
  readonly source: boolean
  /** Root folder of the other checkout of a comparison. */
  readonly against?: string | undefined
  /** An empty folder for configuration and data, removed at the end. */
  readonly folder: string
}

export interface Front {
  /** Files: `app.crt` and `app.key`. */
  readonly certificateFolder: string
  readonly grpcPort: number
}

export type StartTarget = (context: TargetContext) => Promise<Target>

/** The reason why a target is not measured in this run. */
export class TargetMissing extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'TargetMissing'
  }
}
