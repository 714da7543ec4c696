// The set-up that tests of traces share: a receiver of spans, and the tracing that sends to it, both new for each test. Call it at the top
// level of a file.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import { openTelemetry } from '@vera-stack/shared/trace/open-telemetry.ts'
import type { Tracing } from '@vera-stack/shared/trace/tracing.ts'
import { afterEach, beforeEach } from 'vitest'
import { OtlpReceiver } from './otlp-receiver.ts'

/** A trace of a client. */
export const TRACE = '0af7651916cd43dd8448eb211c80319c'
export const SPAN = 'b7ad6b7169203331'

export interface TestTracing {
  readonly receiver: OtlpReceiver
  readonly tracing: Tracing
}

/** `name`: that of the program in its spans. */
export function useTracing(name: string): TestTracing {
  let receiver: OtlpReceiver
  let tracing: Tracing
  beforeEach(async () => {
    receiver = await OtlpReceiver.start()
    tracing = openTelemetry({
      receiver: { url: new URL(`${receiver.endpoint}/v1/traces`), headers: {} },
      resource: { name, version: '1', instanceId: 'a' },
      counts: new LabelledCounts(),
      clock: systemClock,
      log: silentLogger,
    })
  })
  afterEach(async () => {
    await tracing.stop()
    await receiver.stop()
  })
  return {
    get receiver() {
      return receiver
    },
    get tracing() {
      return tracing
    },
  }
}
