// The rare messages of a tunnel, JSON in CONTROL frames: who we are, what we serve, draining, renewal,
// addresses. Every message is validated on arrival; unknown keys are dropped and unknown types are ignored,
// so that a newer peer can say more than an older one understands (PROTOCOL.md, "Control messages").

import { cutText } from '../../cut-text.ts'
import { controlSchema, KNOWN_TYPES } from './control-schema.ts'

const MAX_FIELD_NAME = 100
/** Longest `detail` of an outage, without the mark of a cut. */
export const MAX_OUTAGE_DETAIL = 199

/** First message of both ends. */
export interface Hello {
  type: 'hello'
  /** An inclusive range; the highest common one is spoken. */
  versions: [number, number]
  features: string[]
  /** Program and version, for people: `telephone/0.1.0`. */
  agent: string
  /** New at each start of the process. */
  instance: string
  /** Name of the telephone, as its operator knows it. Processes of one name and one identity replace each other. */
  name: string
  /** Milliseconds since 1970 when the process started: the later one of two processes is the newer one. */
  startedAt: number
  /** Data a stream may send before the first WINDOW frame, as this end grants it. Bytes. */
  initialWindowBytes: number
  /** Streams the peer may have open at once. */
  maxStreams: number
  /** Largest frame payload this end takes. Bytes. */
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
  /** Instead of `mount`: the first label of a host that the Plugboard completes. One that is taken is `mount_conflict`. */
  generatedHost?: string | undefined
  /**
   * How long a claimed mount outlives the last line of its telephones, ms; 0: as the Plugboard is set. Absent: until somebody
   * deletes it; a generated mount has the lifetime of 0.
   */
  lifetimeMs?: number | undefined
  health: 'up' | 'down'
  /** True when the telephone checks the health of the backend. Otherwise `up` means only that the tunnel is open. */
  healthCheck?: boolean | undefined
  /** Why the health is `down`; absent: not known. */
  outage?: AnnouncedOutage | undefined
  /** 0 to 1000. */
  weight: number
  version: string
  labels: Record<string, string>
}

/** The whole set of services behind this tunnel; replaces the one before, so sending it twice changes nothing. */
export interface Announce {
  type: 'announce'
  /** Echoed in the answer, so that the sender knows which set was judged. */
  id: number
  services: ServiceAnnouncement[]
}

/** The answer: one row for each service of the announcement, in its order. */
export interface Announced {
  type: 'announced'
  id: number
  results: {
    service: string
    accepted: boolean
    /** Why it was refused, as a code of shared/errors.ts, where there is one. */
    code?: string | undefined
    /** Why it was refused, or a remark; for the operator of the telephone. */
    detail?: string | undefined
    /** Where the service can now be reached. */
    urls: string[]
    /** A mount, in normal form, that led to the service when it was accepted and does not now. Only with `accepted`. */
    lostMount?: string | undefined
  }[]
}

/** "Open no new streams on this session." */
interface Drain {
  type: 'drain'
  graceMs: number
}

/** "I have seen your drain; no stream that you have not seen yet will come." */
interface Drained {
  type: 'drained'
}

/** Telephone: "a new token, please", while the old one is valid. */
interface Renew {
  type: 'renew'
}

interface Renewed {
  type: 'renewed'
  token?: string | undefined
  detail?: string | undefined
}

/** The addresses of all replicas, as a telephone should dial them. */
interface Replicas {
  type: 'replicas'
  replicas: { id: string; url: string }[]
}

/**
 * To a telephone: "have this tunnel end on another replica": dial anew, and drain this session once the new tunnel
 * serves. Until then this one takes streams as before.
 */
interface Move {
  type: 'move'
  /** `leaving`: this replica is about to stop. `balance`: another one has fewer tunnels. */
  why: 'leaving' | 'balance'
  /** The replica that would be best, by its id. */
  to?: string | undefined
}

/** Between replicas: how the sender is. Sent once the link is open, then every second and when `state` changes. */
export interface ReplicaReport {
  type: 'replica'
  state: 'ready' | 'leaving'
  /** Where peers reach it. */
  address: string
  /** Where telephones reach it; absent: they are told nothing of it. */
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
 * Between replicas: how many tunnels the holders of tokens have at the sender, at most `MAX_TUNNEL_COUNTS` in one message.
 * A count replaces the one before. The first message on a link has `reset`: older counts of the sender are void.
 */
export interface TunnelCountReport {
  type: 'tunnels'
  /** Grows from message to message, over all links of the sender. */
  sequence: number
  reset: boolean
  /** The holder's key (plugboard/registry/tunnel-counts.ts), and its tunnels. */
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
  | ReplicaReport
  | TunnelCountReport

/**
 * Reads a CONTROL payload. Returns undefined for a type this end does not know.
 * Throws an Error whose message names the field when it is not JSON or a known type is malformed.
 */
export function parseControl(payload: Buffer): ControlMessage | undefined {
  const value: unknown = JSON.parse(payload.toString('utf8'))
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
  if (typeof type !== 'string') throw new Error('a control message is an object with a type')
  if (!KNOWN_TYPES.has(type)) return undefined
  const parsed = controlSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  // The path holds keys that the peer has chosen, and `type` is one of ours.
  const field = cutText(issue?.path.join('.') ?? '', MAX_FIELD_NAME)
  throw new Error(`control message ${type}: ${field}: ${cutText(issue?.message ?? '')}`)
}
