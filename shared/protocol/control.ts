// The rare messages of a tunnel, JSON in CONTROL frames: who we are, what we serve, draining, renewal,
// addresses. Every message is validated on arrival; unknown keys are dropped and unknown types are ignored,
// so that a newer peer can say more than an older one understands (PROTOCOL.md, "Control messages").

import { z } from 'zod'
import { CREDIT_MAX_BYTES, FRAME_MAX_BYTES } from './frame.ts'

const name = z.string().min(1).max(255)
const labels = z.record(z.string().max(63), z.string().max(255)).default({})

/** First message of both ends. `versions` is an inclusive range; the highest common one is spoken. */
export const helloSchema = z.object({
  type: z.literal('hello'),
  versions: z.tuple([z.int().min(1), z.int().min(1)]),
  features: z.array(z.string().max(64)).max(64).default([]),
  /** Program and version, for people: `telephone/0.1.0`. */
  agent: z.string().max(128),
  /** New at each start of the process. */
  instance: z.string().min(8).max(64),
  /** Name of the process as its operator knows it; a newer instance of the same name replaces the older. */
  name: name,
  /** Milliseconds since 1970 when the process started: tells the newer instance from the older. */
  startedAt: z.int().min(0).default(0),
  /** Data a stream may send before the first WINDOW frame, as this end grants it. Bytes. */
  initialWindowBytes: z.int().min(1024).max(CREDIT_MAX_BYTES),
  /** Streams the peer may have open at once. */
  maxStreams: z.int().min(0).max(0x7fff_ffff),
  /** Largest frame payload this end takes. Bytes. */
  maxFrameBytes: z.int().min(16_384).max(FRAME_MAX_BYTES),
})
export type Hello = z.infer<typeof helloSchema>

export const serviceAnnouncementSchema = z.object({
  service: name,
  /** Mount that the telephone claims for the service, `host/path`; absent: routes are managed elsewhere. */
  mount: z.string().max(2048).optional(),
  health: z.enum(['up', 'down']).default('up'),
  weight: z.int().min(0).max(1000).default(100),
  version: z.string().max(128).default(''),
  labels,
})
export type ServiceAnnouncement = z.infer<typeof serviceAnnouncementSchema>

/** The whole set of services behind this tunnel; replaces the one before, so sending it twice changes nothing. */
const announceSchema = z.object({
  type: z.literal('announce'),
  /** Echoed in the answer, so that the sender knows which set was judged. */
  id: z.int().min(0),
  services: z.array(serviceAnnouncementSchema).max(1000),
})

/** The answer: one row for each service of the announcement, in its order. */
const announcedSchema = z.object({
  type: z.literal('announced'),
  id: z.int().min(0),
  results: z.array(
    z.object({
      service: name,
      accepted: z.boolean(),
      /** Why not, or what to know; for the person who runs the telephone. */
      detail: z.string().max(500).optional(),
      /** Where the service can now be reached. */
      urls: z.array(z.string().max(2048)).max(100).default([]),
    }),
  ),
})

/** "Open no new streams on this session." */
const drainSchema = z.object({ type: z.literal('drain'), graceMs: z.int().min(0) })
/** "I have seen your drain; no stream that you have not seen yet will come." */
const drainedSchema = z.object({ type: z.literal('drained') })

/** Telephone: "a new token, please", while the old one is valid. */
const renewSchema = z.object({ type: z.literal('renew') })
const renewedSchema = z.object({
  type: z.literal('renewed'),
  token: z.string().max(16_384).optional(),
  detail: z.string().max(500).optional(),
})

/** The addresses of all replicas, as a telephone should dial them. */
const replicasSchema = z.object({
  type: z.literal('replicas'),
  replicas: z.array(z.object({ id: name, url: z.url().max(2048) })).max(1000),
})

export const controlSchema = z.discriminatedUnion('type', [
  helloSchema,
  announceSchema,
  announcedSchema,
  drainSchema,
  drainedSchema,
  renewSchema,
  renewedSchema,
  replicasSchema,
])
export type ControlMessage = z.infer<typeof controlSchema>
export type Announce = z.infer<typeof announceSchema>
export type Announced = z.infer<typeof announcedSchema>

const KNOWN_TYPES = new Set<unknown>(controlSchema.options.map(option => option.shape.type.value))

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
  throw new Error(`control message ${type}: ${issue?.path.join('.')}: ${issue?.message}`)
}
