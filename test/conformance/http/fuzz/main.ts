// npm run fuzz -- --requests 100000 --seed 1 [--workers 8] [--from 0] [--http2 | --access]
// Prints a report. The exit code is 1 when there is a finding. A finding names its stream or case: repeat it with --from n
// --requests 1. `--access` tests only the rules of routes, in this process, without a database.

import { parseArgs } from 'node:util'
import { EdgeStack } from '../edge-stack.ts'
import { fuzzAccess } from './access-fuzz.ts'
import { Fuzz } from './fuzz-run.ts'
import { Http2Fuzz } from './http2-fuzz.ts'
import { fuzzRules } from './rules-fuzz.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 0xffff_ffff)) },
    workers: { type: 'string', default: '8' },
    from: { type: 'string', default: '0' },
    http2: { type: 'boolean', default: false },
    access: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const count = Number(values.requests)
const workers = Number(values.workers)
const edge = new EdgeStack()
const startedAt = performance.now()
let told = startedAt

function progress(done: number): void {
  if (performance.now() - told < 10_000) return
  told = performance.now()
  console.log(`${done} of ${count}`)
}

const fuzzHttp1 = () => new Fuzz({ edge, seed, count, progress, workers, from: Number(values.from) }).run()

/** A request that is cut inside of a frame ends only by a timeout, so the timeouts are short. */
const HTTP2_ARGS = [
  '--http2-cleartext',
  '--keep-alive-timeout',
  '1s',
  '--head-timeout',
  '700ms',
  '--body-idle-timeout',
  '700ms',
]
const fuzzHttp2 = () => new Http2Fuzz({ edge, port: edge.port, seed, count, workers }).run()

/** Tests tokens and rules of routes without a connection. */
async function fuzzRoutes(tokens: number, cases: number) {
  const access = await fuzzAccess(seed, tokens)
  const rules = await fuzzRules(seed, cases, values.access ? Number(values.from) : 0)
  const figures = { tokens: { passed: access.passed, refused: access.refused }, rules: rules.outcomes }
  return { figures, violations: [...access.violations, ...rules.violations] }
}

async function fuzzWire() {
  try {
    await edge.start({ args: values.http2 ? HTTP2_ARGS : [] })
    const before = edge.peakMemoryBytes
    const { violations, ...figures } = await (values.http2 ? fuzzHttp2() : fuzzHttp1())
    const mebibytes = (bytes: number | undefined) =>
      bytes === undefined ? undefined : Math.round(bytes / 1_048_576)
    const memory = { peakMiBBefore: mebibytes(before), peakMiBAfter: mebibytes(edge.peakMemoryBytes) }
    return { figures: { ...figures, ...memory }, violations }
  } finally {
    await edge.stop()
  }
}

const routes = await fuzzRoutes(Math.ceil(count / 20), values.access ? count : Math.ceil(count / 20))
const wire = values.access ? { figures: {}, violations: [] } : await fuzzWire()
const seconds = Math.round((performance.now() - startedAt) / 1000)
console.log(JSON.stringify({ seed, ...wire.figures, ...routes.figures, seconds }, null, 2))
const violations = [...routes.violations, ...wire.violations]
for (const violation of violations) console.error(`\n${violation}`)
if (violations.length > 0) process.exitCode = 1
