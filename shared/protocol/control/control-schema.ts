// The schemas of the control messages: the fields that a peer may send, and the bounds of each field. control.ts declares
// the types and documents each field, because users of the library get the types without zod.

import { z } from 'zod'
import { CREDIT_MAX_BYTES, FRAME_MAX_BYTES } from '../wire/frame.ts'

const name = z.string().min(1).max(255)
/** Most labels of one service. A line with this many labels still fits into the registry of a replica. */
const MAX_LABELS = 64
const labels = z
  .record(z.string().max(63), z.string().max(255))
  .refine(all => Object.keys(all).length <= MAX_LABELS, `more than ${MAX_LABELS} labels`)
  .default({})

const helloSchema = z.object({
  type: z.literal('hello'),
  versions: z.tuple([z.int().min(1), z.int().min(1)]),
  features: z.array(z.string().max(64)).max(64).default([]),
  agent: z.string().max(128),
  instance: z.string().min(8).max(64),
  name: name,
  startedAt: z.int().min(0).default(0),
  initialWindowBytes: z.int().min(1024).max(CREDIT_MAX_BYTES),
  maxStreams: z.int().min(0).max(0x7fff_ffff),
  maxFrameBytes: z.int().min(16_384).max(FRAME_MAX_BYTES),
})

const outageSchema = z.object({
  sinceMs: z.int().min(0),
  cause: z.string().max(40).optional(),
  detail: z.string().max(200),
})

/** Ten years. */
const MAX_LIFETIME_MS = 3650 * 86_400_000
const serviceAnnouncementSchema = z.object({
  service: name,
  mount: z.string().max(2048).optional(),
  generatedHost: z.string().max(63).optional(),
  lifetimeMs: z.int().min(0).max(MAX_LIFETIME_MS).optional(),
  health: z.enum(['up', 'down']).default('up'),
  healthCheck: z.boolean().optional(),
  outage: outageSchema.optional(),
  weight: z.int().min(0).max(1000).default(100),
  version: z.string().max(128).default(''),
  labels,
})

const announceSchema = z.object({
  type: z.literal('announce'),
  id: z.int().min(0),
  services: z.array(serviceAnnouncementSchema).max(1000),
})

const announcedSchema = z.object({
  type: z.literal('announced'),
  id: z.int().min(0),
  results: z.array(
    z.object({
      service: name,
      accepted: z.boolean(),
      code: z.string().max(64).optional(),
      detail: z.string().max(500).optional(),
      urls: z.array(z.string().max(2048)).max(100).default([]),
      lostMount: z.string().max(2400).optional(),
    }),
  ),
})

const drainSchema = z.object({ type: z.literal('drain'), graceMs: z.int().min(0) })
const drainedSchema = z.object({ type: z.literal('drained') })

const renewSchema = z.object({ type: z.literal('renew') })
const renewedSchema = z.object({
  type: z.literal('renewed'),
  token: z.string().max(16_384).optional(),
  detail: z.string().max(500).optional(),
})

const replicasSchema = z.object({
  type: z.literal('replicas'),
  replicas: z.array(z.object({ id: name, url: z.url().max(2048) })).max(1000),
})

const moveSchema = z.object({
  type: z.literal('move'),
  why: z.enum(['leaving', 'balance']),
  to: name.optional(),
})

const probeSchema = z.object({ type: z.literal('probe'), service: name })
const probedSchema = z.object({
  type: z.literal('probed'),
  service: name,
  health: z.enum(['up', 'down']),
})

const replicaSchema = z.object({
  type: z.literal('replica'),
  state: z.enum(['ready', 'leaving']),
  address: z.string().max(2048),
  publicUrl: z.url().max(2048).optional(),
  version: z.string().max(128),
  startedAt: z.int().min(0),
  appliedSequence: z.int().min(0),
  tunnels: z.int().min(0),
  streams: z.int().min(0),
})

/** With keys of 16 characters, a message with this many counts fits into the smallest frame limit that an end may announce. */
export const MAX_TUNNEL_COUNTS = 500
const tunnelCountsSchema = z.object({
  type: z.literal('tunnels'),
  sequence: z.int().min(1),
  reset: z.boolean(),
  counts: z.array(z.tuple([z.string().min(1).max(64), z.int().min(0)])).max(MAX_TUNNEL_COUNTS),
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
  moveSchema,
  probeSchema,
  probedSchema,
  replicaSchema,
  tunnelCountsSchema,
])

export const KNOWN_TYPES: ReadonlySet<unknown> = new Set(
  controlSchema.options.map(option => option.shape.type.value),
)
