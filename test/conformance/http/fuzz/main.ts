// npm run fuzz -- --requests 100000 --seed 1 [--workers 8] [--from 0]
// Prints a report; exit code 1 when anything was not as it should be. A finding names its stream: --from n --requests 1.

import { parseArgs } from 'node:util'
import { EdgeStack } from '../edge-stack.ts'
import { Fuzz } from './fuzz-run.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 0xffff_ffff)) },
    workers: { type: 'string', default: '8' },
    from: { type: 'string', default: '0' },
  },
})
const seed = Number(values.seed)
const count = Number(values.requests)
const edge = new EdgeStack()
try {
  await edge.start()
  const before = edge.peakMemoryBytes
  let told = performance.now()
  const progress = (done: number) => {
    if (performance.now() - told < 10_000) return
    told = performance.now()
    console.log(`${done} of ${count}`)
  }
  const fuzz = new Fuzz({
    ...{ edge, seed, count, progress },
    ...{ workers: Number(values.workers), from: Number(values.from) },
  })
  const { violations, durationMs, ...figures } = await fuzz.run()
  const perSecond = Math.round((figures.streams / durationMs) * 1000)
  const mebibytes = (bytes: number | undefined) =>
    bytes === undefined ? undefined : Math.round(bytes / 1_048_576)
  const memory = { peakMiBBefore: mebibytes(before), peakMiBAfter: mebibytes(edge.peakMemoryBytes) }
  console.log(
    JSON.stringify(
      { seed, ...figures, seconds: Math.round(durationMs / 1000), perSecond, ...memory },
      null,
      2,
    ),
  )
  for (const violation of violations) console.error(`\n${violation}`)
  if (violations.length > 0) process.exitCode = 1
} finally {
  await edge.stop()
}
