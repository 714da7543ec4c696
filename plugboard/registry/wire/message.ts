// The messages that two replicas exchange about their registries:
//
//   owner    → reader   SUMMARY  the position and digest of each shard; sent when there is no update to send
//   reader   → owner    WANTS    the requested shards with the reader's positions; empty: the reader agrees with the summary
//   owner    → reader   DATA     sections, each an update of one shard or a part of one
//
//   version, kind, CRC-32 of the rest (4 bytes), rest
//
// The checksum includes the incarnation of the owner, so that a message about another incarnation counts as malformed. Integers
// have 7 bits per byte. No message is longer than MESSAGE_BYTES. Unknown versions and kinds are ignored, so that a newer replica
// can send further ones.

import { crc32 } from 'node:zlib'
import type { ShardPosition } from '../documents/shard-writer-state.ts'
import type { Incarnation } from '../incarnation.ts'
import { MalformedError } from './malformed.ts'
import { ByteReader, ByteWriter } from './message-bytes.ts'

export const MESSAGE_BYTES = 65_536

const VERSION = 1
const KIND = { summary: 1, wants: 2, data: 3 } as const
/** Version, kind and checksum. */
const HEAD_BYTES = 6
const CHECKSUM_AT = 2
/** Shard numbers are below this limit. */
const MAX_SHARDS = 256
/** Longest update that is assembled from parts, bytes. */
export const MAX_UPDATE_BYTES = 64 * 1024 * 1024
/** Most bytes that the fields of a section take. */
const SECTION_FIELDS_BYTES = 48

export interface ShardSummary {
  readonly shard: number
  readonly epoch: number
  readonly seq: number
  readonly digest: number
}

export interface ShardWant extends ShardPosition {
  readonly shard: number
}

export interface DataSection {
  readonly shard: number
  readonly epoch: number
  readonly base: number
  readonly seq: number
  /** Undefined: `bytes` is the whole update. */
  readonly part:
    | { readonly transfer: number; readonly offset: number; readonly totalBytes: number }
    | undefined
  readonly bytes: Uint8Array
}

export type Message =
  | { readonly kind: 'summary'; readonly round: number; readonly shards: ShardSummary[] }
  /** `round` is the round of the summary to which it responds; 0: it responds to no summary. */
  | { readonly kind: 'wants'; readonly round: number; readonly wants: ShardWant[] }
  | { readonly kind: 'data'; readonly sections: DataSection[] }

export function encodeSummary(
  incarnation: Incarnation,
  round: number,
  shards: readonly ShardSummary[],
): Uint8Array {
  const writer = start(KIND.summary)
  writer.integer(round)
  for (const { shard, epoch, seq, digest } of shards) {
    for (const value of [shard, epoch, seq, digest]) writer.integer(value)
  }
  return sealed(writer, KIND.summary, incarnation)
}

export function encodeWants(
  incarnation: Incarnation,
  round: number,
  wants: readonly ShardWant[],
): Uint8Array {
  const writer = start(KIND.wants)
  writer.integer(round)
  for (const { shard, epoch, seq, clock } of wants) {
    for (const value of [shard, epoch, seq, clock]) writer.integer(value)
  }
  return sealed(writer, KIND.wants, incarnation)
}

/** Fills one DATA message. */
export class DataWriter {
  readonly #writer = start(KIND.data)
  readonly #incarnation: Incarnation

  constructor(incarnation: Incarnation) {
    this.#incarnation = incarnation
  }

  /** Number of bytes of an update that still fit. A negative number means that no byte fits. */
  get roomBytes(): number {
    return MESSAGE_BYTES - this.#writer.length - SECTION_FIELDS_BYTES
  }

  add(section: DataSection): void {
    const { shard, epoch, base, seq, part, bytes } = section
    const writer = this.#writer
    for (const value of [shard, epoch, base, seq, part === undefined ? 0 : part.transfer])
      writer.integer(value)
    if (part !== undefined) {
      writer.integer(part.offset)
      writer.integer(part.totalBytes)
    }
    writer.integer(bytes.length)
    writer.bytes(bytes)
  }

  finish(): Uint8Array {
    return sealed(this.#writer, KIND.data, this.#incarnation)
  }
}

/**
 * Decodes a message. `sender` is the incarnation that owns the lines of summaries and data; `own` is ours, for wants. Returns
 * undefined for an unknown version or kind. Throws MalformedError.
 */
export function decodeRegistryMessage(
  bytes: Uint8Array,
  incarnations: { sender: Incarnation; own: Incarnation },
): Message | undefined {
  if (bytes.length > MESSAGE_BYTES) throw new MalformedError('a message is too long')
  const reader = new ByteReader(bytes)
  if (reader.integer() !== VERSION) return undefined
  const kind = reader.integer()
  if (kind !== KIND.summary && kind !== KIND.wants && kind !== KIND.data) return undefined
  const checksum = Buffer.from(reader.bytes(HEAD_BYTES - CHECKSUM_AT)).readUInt32BE()
  const incarnation = kind === KIND.wants ? incarnations.own : incarnations.sender
  if (checksum !== checksumOf(bytes.subarray(HEAD_BYTES), kind, incarnation))
    throw new MalformedError('the checksum of a message is wrong, or it is of another incarnation')
  if (kind === KIND.data) return { kind: 'data', sections: rows(reader, readSection) }
  const round = reader.integer()
  return kind === KIND.summary
    ? { kind: 'summary', round, shards: rows(reader, readSummary) }
    : { kind: 'wants', round, wants: rows(reader, readWant) }
}

function start(kind: number): ByteWriter {
  const writer = new ByteWriter()
  writer.bytes(Uint8Array.of(VERSION, kind, 0, 0, 0, 0))
  return writer
}

function sealed(writer: ByteWriter, kind: number, incarnation: Incarnation): Uint8Array {
  writer.uint32At(CHECKSUM_AT, checksumOf(writer.since(HEAD_BYTES), kind, incarnation))
  return writer.finish()
}

function checksumOf(rest: Uint8Array, kind: number, incarnation: Incarnation): number {
  return crc32(rest, crc32(`${kind} ${incarnation}`))
}

function rows<Row>(reader: ByteReader, read: (reader: ByteReader) => Row): Row[] {
  const all: Row[] = []
  while (!reader.done) all.push(read(reader))
  return all
}

function readShard(reader: ByteReader): number {
  const shard = reader.integer()
  if (shard >= MAX_SHARDS) throw new MalformedError(`the shard number ${shard} is too large`)
  return shard
}

function readSummary(reader: ByteReader): ShardSummary {
  const shard = readShard(reader)
  return { shard, epoch: reader.integer(), seq: reader.integer(), digest: reader.integer() }
}

function readWant(reader: ByteReader): ShardWant {
  const shard = readShard(reader)
  return { shard, epoch: reader.integer(), seq: reader.integer(), clock: reader.integer() }
}

function readSection(reader: ByteReader): DataSection {
  const shard = readShard(reader)
  const epoch = reader.integer()
  const base = reader.integer()
  const seq = reader.integer()
  const transfer = reader.integer()
  if (epoch === 0 || seq <= base) throw new MalformedError('an update does not advance the position')
  const part = transfer === 0 ? undefined : { transfer, ...readPart(reader) }
  const bytes = reader.bytes(reader.integer())
  if (part !== undefined && (bytes.length === 0 || part.offset + bytes.length > part.totalBytes))
    throw new MalformedError('a part exceeds its update')
  return { shard, epoch, base, seq, part, bytes }
}

function readPart(reader: ByteReader): { offset: number; totalBytes: number } {
  const offset = reader.integer()
  const totalBytes = reader.integer()
  if (totalBytes > MAX_UPDATE_BYTES) throw new MalformedError('an update is too long')
  return { offset, totalBytes }
}
