// GET for a URL of signing keys, which a route's options or a setting name. The address behind a name is checked when the connection is made, and the
// connection goes to this address, so a name that changes its address in between cannot avoid the check. Redirects
// are not followed, each status but 200 is an error, and time and size are bounded.

import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { type AllowedNetworks, isLoopback } from '../routes/options/outbound-networks.ts'

export interface GuardedFetchOptions {
  readonly networks: AllowedNetworks
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly accept: string
  /** Default: the system's. Calls back with all addresses of a name. */
  readonly lookup?:
    | ((host: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void)
    | undefined
}

/** Returns the body of the response. Rejects with an Error that names the problem. `url` is an http(s) URL. */
export async function guardedFetch(url: string, options: GuardedFetchOptions): Promise<Buffer> {
  const target = new URL(url)
  const host = target.hostname.replace(/^\[|\]$/g, '')
  // No name is looked up for an address.
  const problem = isIP(host) === 0 ? undefined : problemOf(host, target, options.networks)
  if (problem !== undefined) throw new Error(`${problem}.`)
  const response = await respond(target, {
    method: 'GET',
    headers: { accept: options.accept, 'accept-encoding': 'identity', 'user-agent': 'plugboard' },
    // A connection of its own, which ends with the response.
    agent: false,
    lookup: guardedLookup(target, options),
    signal: AbortSignal.timeout(options.timeoutMs),
  })
  try {
    const { statusCode } = response
    if (statusCode !== 200) throw new Error(`The response has the status ${statusCode}; 200 is expected.`)
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > options.maxBytes) throw new Error(`The response is longer than ${options.maxBytes} bytes.`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } finally {
    response.destroy()
  }
}

function respond(target: URL, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = target.protocol === 'https:' ? requestHttps : requestHttp
    request(target, options, resolve).on('error', reject).end()
  })
}

function guardedLookup(target: URL, options: GuardedFetchOptions): LookupFunction {
  const lookup = options.lookup ?? ((host, done) => systemLookup(host, { all: true }, done))
  return (host, { all }, done) => {
    lookup(host, (error, addresses) => {
      if (error !== null) return done(error, [])
      const problems = addresses.map(({ address }) => problemOf(address, target, options.networks))
      const usable = addresses.filter((_, index) => problems[index] === undefined)
      const [first] = usable
      if (first === undefined) {
        const reason = problems.find(problem => problem !== undefined) ?? 'it has no address'
        return done(new Error(`${host} cannot be used: ${reason}.`), [])
      }
      if (all === true) done(null, usable)
      else done(null, first.address, first.family)
    })
  }
}

function problemOf(address: string, target: URL, networks: AllowedNetworks): string | undefined {
  if (target.protocol !== 'https:' && !isLoopback(address))
    return `${address} is not on this machine, and needs https`
  return networks.problemOf(address)
}
