// The result of a scenario: numbers by name for each round, and their medians.

import type { Processes } from '../../support/process/processes.ts'
import type { BenchOptions, TargetName } from '../options.ts'
import type { Target } from '../target.ts'
import { cpuMicroseconds } from './cost.ts'
import { median, rounded } from './statistics.ts'

export type Values = Record<string, number>

export interface Measurement {
  readonly scenario: string
  /** The name of the target, or of another case that is measured beside others. */
  readonly target: string
  /** Medians over the rounds, by name. The unit is a part of the name. */
  readonly values: Values
  readonly rounds: readonly Values[]
}

export interface ScenarioContext {
  readonly processes: Processes
  readonly options: BenchOptions
  readonly targets: ReadonlyMap<TargetName, Target>
  /** Prints the progress for the user. */
  readonly say: (text: string) => void
}

/** The context of a scenario that starts its own processes, and measures other cases than targets. */
export interface OwnScenarioContext extends Omit<ScenarioContext, 'targets'> {
  /** An empty folder, removed at the end. */
  readonly folder: string
}

/**
 * Measures all targets in turn, `rounds` times, so that other load of the machine affects all of them alike. The first round
 * is a warm-up and does not count.
 */
export async function interleaved<Name extends string, Measured>(
  { targets, say }: { readonly targets: ReadonlyMap<Name, Measured>; readonly say: ScenarioContext['say'] },
  scenario: string,
  rounds: number,
  measure: (target: Measured, name: Name) => Promise<Values>,
): Promise<Measurement[]> {
  const results = new Map<Name, Values[]>([...targets.keys()].map(name => [name, []]))
  for (let round = 0; round <= rounds; round += 1) {
    // Each round begins with another target, so that the order favours no target.
    const order = [...targets]
    order.push(...order.splice(0, round % Math.max(order.length, 1)))
    for (const [name, target] of order) {
      say(`${scenario}: ${name}, ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`)
      const values = await measure(target, name)
      if (round > 0) results.get(name)!.push(values)
    }
  }
  return [...results].map(([target, measured]) => ({
    scenario,
    target,
    values: medians(measured),
    rounds: measured,
  }))
}

function medians(rounds: readonly Values[]): Values {
  const names = Object.keys(rounds[0] ?? {})
  return Object.fromEntries(names.map(name => [name, rounded(median(rounds.map(round => round[name]!)))]))
}

/**
 * Runs `task`, and resolves with the CPU time of each role, divided by the units of its result: `cpuUs.<role>` and
 * `cpuUs.all`.
 */
export async function withCpuPer<T>(
  target: Target,
  task: () => Promise<T>,
  units: (result: T) => number,
): Promise<{ result: T; cpu: Values }> {
  const roles = Object.entries(target.roles)
  const before = roles.map(([, pids]) => cpuMicroseconds(pids()))
  const result = await task()
  const used = roles.map(([, pids], index) => (cpuMicroseconds(pids()) - before[index]!) / units(result))
  const cpu: Values = Object.fromEntries(roles.map(([role], index) => [`cpuUs.${role}`, used[index]!]))
  if (roles.length > 1) cpu['cpuUs.all'] = used.reduce((sum, value) => sum + value, 0)
  return { result, cpu }
}
