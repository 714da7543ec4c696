// Measures the limiter alone: the CPU time of a check per limit, and the memory of a full table. A second loop over the same
// addresses without the limiter is subtracted, so that the cost of this file does not count.

import { compileLimits } from '../../../plugboard/limits/compiled-limits.ts'
import { Limiter } from '../../../plugboard/limits/limiter.ts'
import type { LimitsJob, LimitsResult } from './protocol.ts'

/** Odd, and not a factor of the number of addresses in use, so that the order of the addresses jumps over the table. */
const STEP = 7919

export function measureLimits(job: LimitsJob): LimitsResult {
  const addresses = addressesOf(Math.max(1, job.keys / job.limits))
  const rules = Array.from({ length: job.limits }, (_, index) => ({
    name: `limit-${index}`,
    limit: 1_000_000,
    windowSeconds: 1,
  }))
  // Compiles the code before the measured run, with a limiter of its own.
  run(job, addresses.slice(0, 1000), new Limiter(), rules)
  const before = process.memoryUsage().rss
  const limiter = new Limiter()
  fill(addresses, limiter, rules)
  const rssBytes = process.memoryUsage().rss - before
  return { ...run(job, addresses, limiter, rules), keys: limiter.table.size, rssBytes }
}

type Rules = Parameters<typeof compileLimits>[0]

/** Returns a request whose address the caller changes. */
export function requestFrom(clientAddress: string) {
  const request = { clientAddress, host: 'app.test', hostPattern: 'app.test', path: '/a', method: 'GET' }
  return { ...request, fields: [] as string[], identity: undefined }
}

function fill(addresses: readonly string[], limiter: Limiter, rules: Rules): void {
  const { beforeCredential } = compileLimits(rules, 'row')
  for (const address of addresses) limiter.check(beforeCredential, requestFrom(address), 0)
}

function run(
  job: LimitsJob,
  addresses: readonly string[],
  limiter: Limiter,
  rules: Rules,
): Pick<LimitsResult, 'nsPerRequest' | 'nsPerLimit' | 'rejected'> {
  const { beforeCredential } = compileLimits(rules, 'row')
  const request = requestFrom('')
  let rejected = 0
  const loop = (check: boolean): number => {
    const before = process.cpuUsage()
    for (let count = 0, at = 0; count < job.requests; count += 1) {
      const address = addresses[at] as string
      request.clientAddress = address
      at = (at + STEP + zeroFrom(address)) % addresses.length
      if (check && limiter.check(beforeCredential, request, 1 + count / 100).kind !== 'admitted')
        rejected += 1
    }
    const { user, system } = process.cpuUsage(before)
    return ((user + system) * 1000) / job.requests
  }
  const empty = loop(false)
  const nsPerRequest = loop(true) - empty
  return { nsPerRequest, nsPerLimit: nsPerRequest / job.limits, rejected }
}

/**
 * Returns 0, which the processor does not know before it has read the text. So both loops wait for the text of each address, as
 * Plugboard reads an address before it checks the limits. Without this, the loop without checks would read many texts at once.
 */
function zeroFrom(address: string): number {
  return address.charCodeAt(0) >> 8
}

/** Returns different addresses. */
export function addressesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)
}
