import { expect, it, test } from 'vitest'
import vectors from '../../../shared/protocol/share-vectors.json' with { type: 'json' }
import { encodeShare } from '../../../test/support/harness/encode-share.ts'
import { randomInteger, seededRandom } from '../../../test/support/seeded-random.ts'
import {
  decodeShare,
  MESSAGE_BYTES,
  type ShareEntry,
  type ShareMessage,
  ShareWriter,
} from './share-message.ts'

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

test.each(vectors.valid)('encodes and decodes the vector: $name', ({ hex, message }) => {
  expect(encodeShare(message).toString('hex')).toBe(bytesOf(hex).toString('hex'))
  expect(decodeShare(bytesOf(hex))).toEqual(message)
})

test.each(vectors.malformed)('rejects the vector: $name', ({ hex }) => {
  expect(decodeShare(bytesOf(hex))).toBeUndefined()
})

const SEED = 20_261_201

function randomMessage(random: () => number): ShareMessage {
  const upTo = (most: number): number => Math.floor(random() * most)
  const size = (): number => upTo(2 ** randomInteger(random, 1, 53))
  const quotas = Array.from({ length: randomInteger(random, 1, 20) }, () => ({
    intervalMs: 10 ** randomInteger(random, -3, 8) * (0.1 + random()),
    burst: randomInteger(random, 1, 1_000_000_000),
  }))
  const entries = Array.from({ length: upTo(150) }, (): ShareEntry => {
    const quota = quotas[upTo(quotas.length)]!
    return { key: upTo(2 ** 53), quota, birth: size(), total: size(), ahead: size() }
  })
  return { since: size(), entries }
}

it('decodes each message that it encodes', () => {
  const random = seededRandom(SEED)
  for (let round = 0; round < 200; round += 1) {
    const message = randomMessage(random)
    expect(decodeShare(encodeShare(message)), `seed ${SEED}, round ${round}`).toEqual(message)
  }
})

it('decodes changed, cut and random messages to bounded numbers, or rejects them, and never throws', () => {
  const random = seededRandom(SEED)
  let rejected = 0
  for (let round = 0; round < 5_000; round += 1) {
    const bytes = encodeShare(randomMessage(random)).subarray(0, randomInteger(random, 0, 600))
    for (let change = randomInteger(random, 0, 4); change > 0 && bytes.length > 0; change -= 1) {
      bytes[randomInteger(random, 0, bytes.length - 1)] = randomInteger(random, 0, 255)
    }
    const message = decodeShare(bytes)
    if (message === undefined) rejected += 1
    for (const { key, quota, birth, total, ahead } of message?.entries ?? []) {
      for (const number of [key, birth, total, ahead]) {
        if (!Number.isSafeInteger(number) || number < 0)
          expect.fail(`seed ${SEED}, round ${round}: ${number}`)
      }
      const isValid = quota.intervalMs > 0 && quota.intervalMs <= 2_678_400_000 && quota.burst >= 1
      if (!isValid || quota.burst > 1e9) expect.fail(`seed ${SEED}, round ${round}: ${JSON.stringify(quota)}`)
    }
  }
  expect(rejected).toBeGreaterThan(1000)
})

it('has at most 16 KiB', () => {
  const writer = new ShareWriter()
  writer.begin(Number.MAX_SAFE_INTEGER)
  let entries = 0
  for (; writer.hasRoom(); entries += 1) {
    const most = Number.MAX_SAFE_INTEGER
    writer.add(most, { intervalMs: entries % 200 || 1, burst: 1_000_000_000 }, most, most, most)
  }
  const bytes = writer.finish()
  expect(entries).toBeGreaterThan(200)
  expect(bytes.length).toBeLessThanOrEqual(MESSAGE_BYTES)
  expect(decodeShare(bytes)?.entries).toHaveLength(entries)
  expect(decodeShare(Buffer.concat([bytes, Buffer.alloc(MESSAGE_BYTES)]))).toBeUndefined()
})
