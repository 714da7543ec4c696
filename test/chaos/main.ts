// `npm run chaos`: runs rounds of incidents for some minutes, against the bundles that users run. Prints the incidents, the
// table of windows, and the complaints. The exit code is 1 when there is a complaint.

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ChaosOptions, runChaos } from './run.ts'
import { INCIDENTS } from './schedule.ts'

const HELP = `Usage: npm run chaos -- [options]

  --minutes n   duration (default 10); 0: each kind of incident once
  --seed n      repeat the schedule of this seed (default: a random seed, which is printed)
  --only kind   one of ${Object.keys(INCIDENTS).join(', ')}
  --rate n      requests a second (default 60)
  --source      run the sources, not the bundles (each process needs 100 MB more)
  --log file    write the output of all processes to this file
  --help
`

/** Time for the resources of a run to close, ms. */
const LEFT_OPEN_MS = 5000

const ROOT = join(import.meta.dirname, '../..')

function readOptions(): ChaosOptions | undefined {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      only: { type: 'string' },
      rate: { type: 'string' },
      source: { type: 'boolean', default: false },
      log: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { only } = values
  if (only !== undefined && !(only in INCIDENTS)) throw new Error(`unknown incident ${only}: see --help`)
  const [plugboard, telephone] = ['plugboard', 'telephone'].map(name => join(ROOT, name, 'dist/main.js')) as [
    string,
    string,
  ]
  return {
    seed:
      values.seed === undefined ? Math.floor(Math.random() * 0xffff_ffff) : positive('--seed', values.seed),
    ...(values.minutes === '0' ? {} : { minutes: positive('--minutes', values.minutes) }),
    ...(only === undefined ? {} : { only }),
    ...(values.rate === undefined ? {} : { perSecond: positive('--rate', values.rate) }),
    ...(values.source ? {} : { programs: { plugboard, telephone } }),
    ...(values.log === undefined ? {} : { logFile: values.log }),
    say: text => void process.stdout.write(`${text}\n`),
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, not ${text}`)
  return value
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const options = readOptions()
if (options === undefined) {
  process.stdout.write(HELP)
} else {
  const { complaints } = await runChaos(options)
  process.exitCode = complaints.length === 0 ? 0 : 1
  // This timer does not keep the process alive, so it fires only when a resource is left open.
  setTimeout(() => {
    process.stdout.write(`left open: ${process.getActiveResourcesInfo().join(', ')}\n`)
    process.exit(1)
  }, LEFT_OPEN_MS).unref()
}
