// Measures the exchange of limits between two replicas, in simulated time: each key admits requests in each interval, so each
// interval reports all of them, as far as the bound of the traffic allows it.

import { compileLimits } from '../../../plugboard/limits/compiled-limits.ts'
import { LimitTable } from '../../../plugboard/limits/limit-table.ts'
import { Limiter } from '../../../plugboard/limits/limiter.ts'
import { SHARE_INTERVAL_MS, SharedBudgets } from '../../../plugboard/limits/sharing/shared-budgets.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { addressesOf, requestFrom } from './limits.ts'
import type { LimitShareJob, LimitShareResult } from './protocol.ts'

const RULES = [{ name: 'shared', limit: 1_000_000, windowSeconds: 1 }]
/** Enough to be reported in each interval: a twentieth of the burst. */
const REQUESTS_PER_INTERVAL = 5
const BURST = 100

export function measureLimitShare(job: LimitShareJob): LimitShareResult {
  const clock = new ManualClock()
  const addresses = addressesOf(job.keys)
  const before = process.memoryUsage().rss
  const [sender, receiver] = [replicaOf(clock), replicaOf(clock)]
  const fault = () => {
    throw new Error('A message of the other replica was refused.')
  }
  const stream = { incarnation: '1', onReady: () => undefined, onFault: fault }
  const out = sender.budgets.open({ peerId: 'receiver', ...stream })
  const back = receiver.budgets.open({ peerId: 'sender', ...stream })
  const { beforeCredential } = compileLimits([{ ...RULES[0]!, burst: BURST }], 'row')
  const request = requestFrom('')
  let [bytes, messages] = [0, 0]
  const cpuBefore = process.cpuUsage()
  for (let interval = 0; interval < job.intervals; interval += 1) {
    for (const address of addresses) {
      request.clientAddress = address
      for (let count = 0; count < REQUESTS_PER_INTERVAL; count += 1)
        sender.limiter.check(beforeCredential, request, clock.now())
    }
    clock.advance(SHARE_INTERVAL_MS)
    for (let message = out.pull(); message !== undefined; message = out.pull()) {
      bytes += message.length
      messages += 1
      back.receive(message)
    }
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  const seconds = (job.intervals * SHARE_INTERVAL_MS) / 1000
  sender.budgets.stop()
  receiver.budgets.stop()
  return {
    bytesPerSecond: bytes / seconds,
    messagesPerSecond: messages / seconds,
    cpuMsPerSecond: (user + system) / 1000 / seconds,
    keys: receiver.limiter.table.size,
    rssBytes: (process.memoryUsage().rss - before) / 2,
  }
}

function replicaOf(clock: ManualClock) {
  const table = new LimitTable()
  const budgets = new SharedBudgets({ table, clock })
  const onAdmitted = budgets.admitted.bind(budgets)
  return { budgets, limiter: new Limiter({ table, onAdmitted }) }
}
