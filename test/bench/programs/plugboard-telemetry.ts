// Plugboard for the scenario `telemetry`. With `--no-access-log`, requests are also neither counted nor kept, which no setting of a
// user does. Runs the sources: the bundle has no such entry. The log goes to a file, so that its reader is no load of the bench.

import { openSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { FileSink } from '@vera-stack/shared/log/sink.ts'
import { createLog } from '@vera-stack/shared/log.ts'
import { untilStopped } from '../../../plugboard/cli/until-stopped.ts'
import { loadPlugboardConfig } from '../../../plugboard/config.ts'
import { Plugboard } from '../../../plugboard/replica/plugboard.ts'

const { values } = parseArgs({
  // The command `start`.
  allowPositionals: true,
  options: {
    listen: { type: 'string' },
    'admin-listen': { type: 'string' },
    data: { type: 'string' },
    'no-access-log': { type: 'boolean', default: false },
    'otlp-traces-endpoint': { type: 'string' },
    'trace-sample': { type: 'string', default: '0' },
  },
})
const accessLog = !values['no-access-log']
const { listen, 'admin-listen': adminListen, data } = values
const { 'otlp-traces-endpoint': otlpTracesEndpoint, 'trace-sample': traceSample } = values
const { values: config, sources } = loadPlugboardConfig({
  flags: { listen, adminListen, data, accessLog, otlpTracesEndpoint, traceSample },
})
const sink = new FileSink({ fd: openSync('plugboard.log', 'a') })
const log = createLog({ level: 'info', format: 'json', fields: { replicaId: config.name }, accessLog, sink })
try {
  await untilStopped(log, signal =>
    Plugboard.start({ config, sources, log, signal, measuresRequests: accessLog }),
  )
} finally {
  await log.close()
}
