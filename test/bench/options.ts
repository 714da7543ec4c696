// The options of a run of the bench, from the command line.

import { parseArgs } from 'node:util'

/** The scenarios that measure targets. */
export const PATH_SCENARIOS = ['small', 'front', 'bulk', 'sse', 'websocket'] as const
export type PathScenarioName = (typeof PATH_SCENARIOS)[number]
/** The scenarios that start their own processes, and have no targets. */
export const OWN_SCENARIOS = ['balance', 'bundle', 'dashboard', 'limits', 'lists', 'telemetry'] as const
export type OwnScenarioName = (typeof OWN_SCENARIOS)[number]
export type ScenarioName = PathScenarioName | OwnScenarioName
const SCENARIOS = [...PATH_SCENARIOS, ...OWN_SCENARIOS] as const
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
  /** Routes of the bundle. */
  readonly routes: number
  /** True to run the TypeScript sources instead of the bundles that users run. */
  readonly source: boolean
  /** Root folder of another checkout with bundles, which is measured in the same rounds. */
  readonly against: string | undefined
  /** A file for the JSON, in addition to stdout. */
  readonly jsonFile: string | undefined
}

export const HELP = `Usage: npm run bench -- [scenario...] [options]

  scenario          ${PATH_SCENARIOS.join(', ')} (default: all of these);
                    ${OWN_SCENARIOS.join(', ')}: without targets
  --targets a,b     ${TARGETS.join(', ')} (default: all that are installed)
  --rounds n        rounds of each measurement, interleaved; the median counts (default 5)
  --seconds n       length of a round (default 2; five times as long in balance)
  --connections n   client connections of the small requests (default 32)
  --routes n        routes of the bundle (default 100000)
  --bulk-mib n      size of a bulk transfer (default 1024)
  --source          run the sources, not the bundles (they need 100 MB more each)
  --against folder  another checkout of this project with bundles: measure it in the same rounds, and this build
                    twice, so that the difference stands beside the noise
  --json file       write the JSON there too
  --help
`

/** Returns the options, or undefined for `--help`. Throws an Error that names an invalid argument. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      targets: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      connections: { type: 'string', default: '32' },
      routes: { type: 'string', default: '100000' },
      'bulk-mib': { type: 'string', default: '1024' },
      source: { type: 'boolean', default: false },
      against: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    scenarios: positionals.length === 0 ? PATH_SCENARIOS : chosen('scenario', positionals, SCENARIOS),
    targets: [
      ...choose('--targets', values.targets, TARGETS),
      ...(values.against === undefined ? [] : COMPARED),
    ],
    rounds: inRange('--rounds', values.rounds, 1, 1000),
    seconds: inRange('--seconds', values.seconds, 0.1, 600),
    connections: inRange('--connections', values.connections, 1, 1000),
    routes: inRange('--routes', values.routes, 1, 400_000),
    bulkBytes: inRange('--bulk-mib', values['bulk-mib'], 1, 65_536) * 1_048_576,
    source: values.source,
    against: values.against,
    jsonFile: values.json,
  }
}

function choose<T extends string>(flag: string, text: string | undefined, known: readonly T[]): readonly T[] {
  return text === undefined ? known : chosen(flag, text.split(','), known)
}

function chosen<T extends string>(flag: string, words: readonly string[], known: readonly T[]): readonly T[] {
  return words.map(word => {
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
