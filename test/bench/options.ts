// The options of a run of the bench, from the command line.

import { parseArgs } from 'node:util'

export const SCENARIOS = ['small', 'front', 'bulk', 'sse', 'websocket'] as const
export type ScenarioName = (typeof SCENARIOS)[number]
export const TARGETS = ['direct', 'nginx', 'ssh', 'vera'] as const
/** The further targets with `--against`: this build a second time, for the noise, and the other build. */
const COMPARED = ['vera-again', 'vera-other'] as const
export type TargetName = (typeof TARGETS)[number] | (typeof COMPARED)[number]

export interface BenchOptions {
  readonly scenarios: readonly ScenarioName[]
  readonly targets: readonly TargetName[]
  /** Rounds of each measurement. The median is the result. */
  readonly rounds: number
  /** Length of a round of requests, streams or messages. */
  readonly seconds: number
  /** Client connections of the small requests. */
  readonly connections: number
  readonly bulkBytes: number
  /** True to run the TypeScript sources instead of the bundles that users run. */
  readonly source: boolean
  /** Root folder of another checkout with bundles, which is measured in the same rounds. */
  readonly against: string | undefined
  /** A file for the JSON, in addition to stdout. */
  readonly jsonFile: string | undefined
}

export const HELP = `Usage: npm run bench -- [options]

  --only a,b        scenarios: ${SCENARIOS.join(', ')} (default: all)
  --targets a,b     ${TARGETS.join(', ')} (default: all that are installed)
  --rounds n        rounds of each measurement, interleaved; the median counts (default 5)
  --seconds n       length of a round (default 2)
  --connections n   client connections of the small requests (default 32)
  --bulk-mib n      size of a bulk transfer (default 1024)
  --source          run the sources, not the bundles (they need 100 MB more each)
  --against folder  another checkout of this project with bundles: measure it in the same rounds, and this build
                    twice, so that the difference stands beside the noise
  --json file       write the JSON there too
  --help
`

/** Returns the options, or undefined for `--help`. Throws an Error that names an invalid argument. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      targets: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      connections: { type: 'string', default: '32' },
      'bulk-mib': { type: 'string', default: '1024' },
      source: { type: 'boolean', default: false },
      against: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    scenarios: choose('--only', values.only, SCENARIOS),
    targets: [
      ...choose('--targets', values.targets, TARGETS),
      ...(values.against === undefined ? [] : COMPARED),
    ],
    rounds: inRange('--rounds', values.rounds, 1, 1000),
    seconds: inRange('--seconds', values.seconds, 0.1, 600),
    connections: inRange('--connections', values.connections, 1, 1000),
    bulkBytes: inRange('--bulk-mib', values['bulk-mib'], 1, 65_536) * 1_048_576,
    source: values.source,
    against: values.against,
    jsonFile: values.json,
  }
}

function choose<T extends string>(flag: string, text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known
  return text.split(',').map(word => {
    const found = known.find(name => name === word.trim())
    if (!found) throw new Error(`${flag}: ${word} is not one of ${known.join(', ')}`)
    return found
  })
}

function inRange(flag: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < min || value > max) {
    throw new Error(`${flag}: ${text} is not a number from ${min} to ${max}`)
  }
  return value
}
