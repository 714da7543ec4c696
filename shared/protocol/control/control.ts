// The control messages of a tunnel: JSON in CONTROL frames for hello, services, drain, renewal and addresses.
// Every message is validated on arrival. Unknown keys are dropped and unknown types are ignored, so that a newer
// peer can send more than an older peer understands (PROTOCOL.md, "Control messages").

import { plainIssues } from '../../schema/issue-text.ts'
import { cutText } from '../../text/cut-text.ts'
import { controlSchema, KNOWN_TYPES } from './control-schema.ts'

const MAX_FIELD_NAME = 100
/** Longest `detail` of an outage, without the mark that shows a cut. */
export const MAX_OUTAGE_DETAIL = 199

/** Feature in the hello of a telephone that responds to `probe`. */
export const PROBE_FEATURE = 'probe'

/** The first message that each end sends. */
export interface Hello {
  type: 'hello'
  /** Protocol versions, an inclusive range. Both ends use the highest common version. */
  versions: [number, number]
  features: string[]
  /** Program and version, for people: `telephone/0.1.0`. */
  agent: string
  /** Changes at each start of the process. */
  instance: string
  /** Name of the telephone, chosen by its operator. A newer process with the same name and identity replaces the older one. */
  name: string
  /** Start of the process, milliseconds since 1970. Of two processes, the one with the later start is the newer one. */
  startedAt: number
  /** Bytes that the peer may send on a stream before the first WINDOW frame of this end. */
  initialWindowBytes: number
  /** Streams that the peer may have open at the same time. */
  maxStreams: number
  /** Largest frame payload that this end accepts, bytes. */
  maxFrameBytes: number
}

/** Why a service is down, for the operators of Plugboard. */
export interface AnnouncedOutage {
  /** When the health check first failed, milliseconds since 1970 by the clock of the telephone. */
  sinceMs: number
  /** A code of backend-causes.ts, or of a newer version. */
  cause?: string | undefined
  /** The last result of the check: `/healthz returned 500`. At most 200 UTF-16 units. */
  detail: string
}

export interface ServiceAnnouncement {
  service: string
  /** Mount that the telephone claims for the service, `host/path`; absent: routes are managed elsewhere. */
  mount?: string | undefined
  /** Instead of `mount`: the first label of a host that the Plugboard completes. A taken label causes `mount_conflict`. */
  generatedHost?: string | undefined
  /**
   * Time that a claimed mount stays after the last line of its telephones ended, ms. 0: the Plugboard's setting applies.
   * Absent: the mount stays until it is deleted. A generated mount has the lifetime 0.
   */
  lifetimeMs?: number | undefined
  health: 'up' | 'down'
  /** True when the telephone checks the health of the backend. Otherwise `up` means only that the tunnel is open. */
  healthCheck?: boolean | undefined
  /** Reason that the health is `down`. Absent: unknown. */
  outage?: AnnouncedOutage | undefined
  /** 0 to 1000. */
  weight: number
  version: string
  labels: Record<string, string>
}

/** The complete set of services behind this tunnel. It replaces the previous set, so a repeated announcement has no effect. */
export interface Announce {
  type: 'announce'
  /** The response repeats this number, so that the sender can match it with its announcement. */
  id: number
  services: ServiceAnnouncement[]
}

/** The response to an announcement: one row for each announced service, in the same order. */
export interface Announced {
  type: 'announced'
  id: number
  results: {
    service: string
    accepted: boolean
    /** Code of the refusal, from shared/errors.ts. Absent when the refusal has no code. */
    code?: string | undefined
    /** Reason of the refusal, or a remark, for the operator of the telephone. */
    detail?: string | undefined
    /** URLs under which clients reach the service now. */
    urls: string[]
    /** Mount in normal form that no longer leads to the service, but did when the service was accepted. Only with `accepted`. */
    lostMount?: string | undefined
  }[]
}

/** Asks the peer to open no new streams on this session. */
interface Drain {
  type: 'drain'
  graceMs: number
}

/** Confirms a drain. After this message the sender opens no more streams on the session. */
interface Drained {
  type: 'drained'
}

/** Sent by a telephone: asks for a new token while the old token is still valid. */
interface Renew {
  type: 'renew'
}

interface Renewed {
  type: 'renewed'
  token?: string | undefined
  detail?: string | undefined
}

/** The addresses of all replicas that a telephone can dial. */
interface Replicas {
  type: 'replicas'
  replicas: { id: string; url: string }[]
}

/**
 * Sent to a telephone: asks it to move this tunnel to another replica. The telephone dials a new tunnel, and drains this
 * session when the new tunnel serves. Until then this session accepts streams as before.
 */
interface Move {
  type: 'move'
  /** `leaving`: this replica stops soon. `balance`: another replica has fewer tunnels. */
  why: 'leaving' | 'balance'
  /** Id of the preferred replica. */
  to?: string | undefined
}

/**
 * Sent to a telephone whose hello has the feature `PROBE_FEATURE`: asks it to run the health check of a service now, because
 * requests to the backend fail. A telephone without a health check of the service sends no response.
 */
interface Probe {
  type: 'probe'
  /** The name that the telephone announced. */
  service: string
}

/** The result of the check that a probe has asked for. A changed health is also announced. */
export interface Probed {
  type: 'probed'
  service: string
  health: 'up' | 'down'
}

/** Sent between replicas: the status of the sender. Sent when the link opens, every second, and when `state` changes. */
export interface ReplicaReport {
  type: 'replica'
  state: 'ready' | 'leaving'
  /** Address for other replicas. */
  address: string
  /** Address for telephones. Absent: telephones do not receive an address of this replica. */
  publicUrl?: string | undefined
  version: string
  /** Milliseconds since 1970. */
  startedAt: number
  /** Of the last change in its table. */
  appliedSequence: number
  tunnels: number
  streams: number
}

/**
 * Sent between replicas: the number of tunnels that each token holder has at the sender, at most `MAX_TUNNEL_COUNTS` rows.
 * A count replaces the previous one. The first message on a link has `reset`: the receiver drops older counts of the sender.
 */
export interface TunnelCountReport {
  type: 'tunnels'
  /** Increases with each message, across all links of the sender. */
  sequence: number
  reset: boolean
  /** Key of the holder (plugboard/registry/tunnel-counts.ts) and the number of its tunnels. */
  counts: [string, number][]
}

export type ControlMessage =
  | Hello
  | Announce
  | Announced
  | Drain
  | Drained
  | Renew
  | Renewed
  | Replicas
  | Move
  | Probe
  | Probed
  | ReplicaReport
  | TunnelCountReport

/**
 * Reads a CONTROL payload. Returns undefined for an unknown type.
 * Throws when the payload is not JSON, or when a message of a known type is malformed; the error then names the field.
 */
export function parseControl(payload: Buffer): ControlMessage | undefined {
  const value: unknown = JSON.parse(payload.toString('utf8'))
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
  if (typeof type !== 'string') throw new Error('a control message is an object with a type')
  if (!KNOWN_TYPES.has(type)) return undefined
  const parsed = controlSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = plainIssues(parsed.error.issues)
  // The peer chooses the keys in the path, so the path is cut. `type` is one of the known types.
  const field = cutText(issue?.path.join('.') ?? '', MAX_FIELD_NAME)
  throw new Error(`control message ${type}: ${field}: ${cutText(issue?.text ?? '')}`)
}
