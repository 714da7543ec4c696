// Checks that the bench runs, measures the named figures, and leaves no process or file behind. No figure is compared.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { useProcesses } from '../support/process/use-processes.ts'
import { type BenchReport, comparisonOf } from './figures/report.ts'
import { median, percentile } from './figures/statistics.ts'
import { readReport } from './small-load.ts'

const processes = useProcesses()

async function runBench(args: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'vera-bench-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const jsonFile = join(folder, 'bench.json')
  const bench = processes.node('bench', [
    join(import.meta.dirname, 'main.ts'),
    '--source',
    '--json',
    jsonFile,
    ...args,
  ])
  bench.expectedToExit = true
  const exit = await bench.exited
  return {
    bench,
    exit,
    report: () => readFile(jsonFile, 'utf8').then(text => JSON.parse(text) as BenchReport),
  }
}

it('measures a scenario through each target', async () => {
  const args = ['--rounds', '1', '--seconds', '0.2', '--connections', '4', 'small']
  const { bench, exit, report } = await runBench([...args, '--targets', 'direct,vera'])
  expect(exit, bench.output).toEqual({ code: 0, signal: null })
  expect((await report()).measurements).toMatchObject([
    { scenario: 'small GET', target: 'direct' },
    { scenario: 'small GET', target: 'vera' },
  ])
})

// BENCH_SCENARIOS=all measures each scenario, which takes a minute of starts and stops.
it('measures the scenarios of the protocols at the front', async () => {
  const all = process.env.BENCH_SCENARIOS === 'all'
  const args = ['--rounds', '1', '--seconds', '0.2', '--bulk-mib', '8', '--connections', '4']
  const only = all ? [] : ['front']
  const { bench, exit, report } = await runBench([...args, ...only, '--targets', 'vera'])
  expect(exit, bench.output).toEqual({ code: 0, signal: null })
  const { measurements, skipped } = await report()
  expect(skipped).toEqual([])
  const scenarios = new Set(measurements.map(({ scenario }) => scenario))
  const front = ['HTTP/1.1 GET', 'HTTPS GET', 'HTTP/2 GET', 'gRPC call', 'TLS connection', 'TLS resumption']
  expect([...scenarios]).toEqual(expect.arrayContaining(front))
  expect(measurements).toHaveLength(scenarios.size)
  for (const { scenario, target, values, rounds } of measurements) {
    const where = `${scenario}, ${target}`
    expect(rounds, where).toHaveLength(1)
    expect(Object.keys(values).length, where).toBeGreaterThan(0)
    for (const value of Object.values(values)) expect(Number.isFinite(value), where).toBe(true)
    const roles = Object.keys(values).flatMap(name => /\.(plugboard|telephone)$/.exec(name)?.[1] ?? [])
    expect(new Set(roles), where).toEqual(new Set(['plugboard', 'telephone']))
  }
  const small = measurements.filter(({ scenario }) => scenario === 'small GET' || front.includes(scenario))
  for (const { values } of small) {
    expect(values.requestsPerSecond).toBeGreaterThan(0)
    expect(values.errors).toBe(0)
  }
}, 240_000)

it('measures the limiter, and each balancing policy beside the others', async () => {
  // BENCH_SCENARIOS=all also starts the ten Telephones of the scenario `balance`.
  const scenarios = process.env.BENCH_SCENARIOS === 'all' ? ['limits', 'balance'] : ['limits']
  const { bench, exit, report } = await runBench([...scenarios, '--rounds', '1', '--seconds', '0.1'])
  expect(exit, bench.output).toEqual({ code: 0, signal: null })
  const { measurements } = await report()
  const limits = measurements.filter(({ scenario }) => scenario === 'limits')
  expect(limits.map(({ values }) => values.keys)).toEqual([1, 5, 200_000, 200_000])
  for (const { values } of measurements) {
    for (const value of Object.values(values)) expect(Number.isFinite(value)).toBe(true)
  }
  const balanced = measurements.filter(({ scenario }) => scenario.startsWith('one slow of'))
  expect(balanced).toHaveLength(scenarios.includes('balance') ? 6 : 0)
  for (const { values } of balanced) expect(values.errors).toBe(0)
}, 120_000)

it('measures the cost of telemetry beside a replica without it', async () => {
  const args = ['--rounds', '1', '--seconds', '0.2', '--connections', '4', 'telemetry']
  const { bench, exit, report } = await runBench(args)
  expect(exit, bench.output).toEqual({ code: 0, signal: null })
  const { measurements } = await report()
  const targets = ['off', 'off again', 'on', '1 % traced', 'all traced', 'traces off', 'not traced', 'traced']
  expect(measurements.map(({ target }) => target)).toEqual(targets)
  for (const { scenario, values } of measurements) {
    for (const value of Object.values(values)) expect(Number.isFinite(value)).toBe(true)
    if (scenario === 'telemetry') expect([values.errors, values.requestsPerSecond! > 0]).toEqual([0, true])
  }
  expect(measurements[0]!.values.addedUs).toBe(0)
}, 200_000)

it('names an unknown argument', async () => {
  const { bench, exit } = await runBench(['nothing'])
  expect(exit.code).toBe(1)
  expect(bench.output).toContain('scenario: nothing is not one of small')
})

it('parses the output of wrk', () => {
  const text = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Latency Distribution
     50%  607.00us
     75%    0.70ms
     90%    0.90ms
     99%    1.01ms
  103210 requests in 2.00s, 30.00MB read
  Socket errors: connect 0, read 1, write 2, timeout 0
  Non-2xx or 3xx responses: 10
Requests/sec:  51600.00`
  expect(readReport(text)).toEqual({
    requests: 103_200,
    errors: 13,
    seconds: 2,
    latencyMs: { p50: 0.607, p99: 1.01 },
  })
})

it('prints the difference of two builds together with the noise', () => {
  const rows = (
    [
      ['vera', [11, 20, 33]],
      ['vera-again', [10, 20, 30]],
      ['vera-other', [10, 16, 24]],
    ] as const
  ).map(([target, costs]) => ({
    scenario: 'small GET',
    target,
    values: {},
    rounds: costs.map(cost => ({ 'cpuUs.all': cost })),
  }))
  expect(comparisonOf(rows)).toEqual([
    'CPU beside the other build: +25.0 %; noise, this build beside itself: +10.0 %',
  ])
  expect(comparisonOf(rows.slice(0, 1))).toEqual([])
})

it('computes medians and percentiles', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2)
  expect(percentile([1, 2, 3, 4], 1)).toBe(4)
  expect(percentile([], 0.5)).toBeNaN()
})
