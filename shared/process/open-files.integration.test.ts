import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { divideOpenFiles, openFilesLimit } from './open-files.ts'

describe('openFilesLimit', () => {
  it.runIf(existsSync('/proc/self/limits'))('returns the soft limit that the system applies', () => {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    expect(openFilesLimit()).toBe(Number(soft))
  })

  it.runIf(process.platform !== 'win32')('returns a limit that was set before the start', () => {
    const script = `import(${JSON.stringify(import.meta.resolve('./open-files.ts'))})
      .then(({ openFilesLimit }) => console.log(openFilesLimit(), process.report.excludeNetwork))`
    const command = `ulimit -n 200; exec "$0" --input-type=module -e "$1"`
    expect(execFileSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' })).toBe(
      '200 false\n',
    )
  })
})

describe('divideOpenFiles', () => {
  it('gives each demand its full number when all demands fit', () => {
    const demands = [
      { wanted: 500, weight: 1 },
      { wanted: 400, weight: 9 },
    ]
    expect(divideOpenFiles(900, demands)).toEqual([500, 400])
    expect(divideOpenFiles(Number.POSITIVE_INFINITY, demands)).toEqual([500, 400])
  })

  it('gives small demands their full number, and divides the rest by weight', () => {
    const demands = [
      { wanted: 10, weight: 1 },
      { wanted: 20_000, weight: 2 },
      { wanted: Number.POSITIVE_INFINITY, weight: 1 },
    ]
    expect(divideOpenFiles(910, demands)).toEqual([10, 600, 300])
  })

  it('never exceeds the available number or a demand, and leaves less than one file per demand', () => {
    const demand = fc.record({ wanted: fc.nat(100_000), weight: fc.integer({ min: 1, max: 10 }) })
    fc.assert(
      fc.property(fc.nat(50_000), fc.array(demand, { minLength: 1, maxLength: 6 }), (available, demands) => {
        const granted = divideOpenFiles(available, demands)
        const total = granted.reduce((sum, number) => sum + number, 0)
        const wanted = demands.reduce((sum, each) => sum + each.wanted, 0)
        expect(total).toBeLessThanOrEqual(available)
        expect(total).toBeGreaterThan(Math.min(available, wanted) - demands.length)
        for (const [index, number] of granted.entries()) {
          expect(number).toBeLessThanOrEqual(demands[index]!.wanted)
        }
      }),
    )
  })
})
