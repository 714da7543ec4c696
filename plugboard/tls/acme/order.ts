// One order at a certificate authority, from start to end (RFC 8555 section 7.4): order, challenge, key, chain. The caller
// publishes the response to the challenge, and stores the result.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { Authorization, Client, Order } from 'acme-client'
import type { AcmeLibrary } from './library.ts'
import type { ChallengeType } from './names.ts'

export interface AcmeOrder {
  readonly library: AcmeLibrary
  readonly client: Client
  /** In lower case, without a wildcard. */
  readonly host: string
  readonly challenge: ChallengeType
  /** Resolves when every replica can respond to the challenge. `name`: the token of http-01, or the host of tls-alpn-01. */
  readonly publish: (name: string, keyAuthorization: string) => Promise<void>
  readonly withdraw: (name: string) => Promise<void>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Both in PEM. */
export interface Issued {
  readonly chain: string
  readonly key: string
}

/** Shorter than the authority's own limit, because a host that it cannot reach should fail soon. */
const ORDER_TIMEOUT_MS = 120_000
const POLL_MS = [250, 500, 1000, 2000, 3000] as const
const MAX_COMMON_NAME = 64

/** Performs an order. Rejects with an Error that contains the authority's message. */
export async function orderCertificate(options: AcmeOrder): Promise<Issued> {
  const { library, client, host } = options
  const deadlineMs = options.clock.now() + ORDER_TIMEOUT_MS
  const order = await client.createOrder({ identifiers: [{ type: 'dns', value: host }] })
  for (const authorization of await client.getAuthorizations(order)) {
    if (authorization.status !== 'valid') await authorize(options, order, authorization, deadlineMs)
  }
  const key = await library.crypto.createPrivateEcdsaKey()
  const commonName = host.length <= MAX_COMMON_NAME ? { commonName: host } : {}
  const [, request] = await library.crypto.createCsr({ altNames: [host], ...commonName }, key)
  const finalized = await client.finalizeOrder(order, request)
  const valid = await poll(options, deadlineMs, 'the certificate was not issued in time', async () => {
    const current = await client.getOrder({ ...order, ...finalized, url: order.url })
    if (current.status === 'invalid') throw new Error(`the order was refused: ${errorOf(current)}`)
    return current.status === 'valid' ? current : undefined
  })
  return { chain: await client.getCertificate(valid), key: key.toString() }
}

async function authorize(
  options: AcmeOrder,
  order: Order,
  authorization: Authorization,
  deadlineMs: number,
): Promise<void> {
  const { client, host, challenge: type } = options
  const challenge = authorization.challenges.find(each => each.type === type)
  if (challenge === undefined) throw new Error(`the authority does not offer ${type} for this host`)
  const name = type === 'http-01' ? challenge.token : host
  await options.publish(name, await client.getChallengeKeyAuthorization(challenge))
  try {
    await client.completeChallenge(challenge)
    await poll(options, deadlineMs, `the authority did not check ${type} in time`, async () => {
      const [current] = await client.getAuthorizations(order)
      if (current?.status === 'valid') return true
      if (current?.status === 'pending') return undefined
      const failed = current?.challenges.find(each => each.type === type)
      throw new Error(`${type} failed: ${errorOf(failed)}`)
    })
  } finally {
    await options.withdraw(name)
  }
}

async function poll<Result>(
  { clock, signal }: AcmeOrder,
  deadlineMs: number,
  late: string,
  look: () => Promise<Result | undefined>,
): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    const found = await look()
    if (found !== undefined) return found
    if (clock.now() >= deadlineMs) throw new Error(late)
    await sleep(clock, POLL_MS[Math.min(attempt, POLL_MS.length - 1)] as number, signal)
  }
}

/** Waits. Rejects with the signal's reason when it is aborted. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      timer.cancel()
      reject(signal.reason)
    }
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener('abort', aborted)
      resolve()
    })
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
  })
}

/** Returns the detail of the problem document in an order or a challenge. */
function errorOf(item: object | undefined): string {
  const error = item !== undefined && 'error' in item ? item.error : undefined
  const detail = typeof error === 'object' && error !== null && 'detail' in error ? error.detail : undefined
  return typeof detail === 'string' ? cutText(detail) : 'no reason given'
}
