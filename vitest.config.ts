import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Four projects. `unit`: files beside their source, without Postgres and without child processes. `integration`: such
// files that need one of them. `e2e`: real processes. `chaos`: a cluster in which everything fails, for two minutes.
// VERA_TEST_REPORTS: a folder for one JSON report of each run. .ci/run adds the reports up.
const reports = process.env.VERA_TEST_REPORTS

const INTEGRATION = '**/*.integration.test.ts'

// The time limit of `expect.poll`: a bound for hangs, not a measure of speed.
const patience = { poll: { timeout: 10_000 } }

// Node keeps compiled code of child processes here, so that each start takes a fifth less CPU time.
const compileCache = { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile') }

/** Without a report of an earlier run, vitest starts large files first. These files are small and take long. */
const LONG = [
  'test/conformance/http/http.test.ts',
  'test/bench/main.test.ts',
  'test/e2e/cluster-secret.test.ts',
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.some(name => moduleId.endsWith(name))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter(file => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    reporters: reports
      ? ['default', ['json', { outputFile: `${reports}/${process.pid}.json` }]]
      : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{shared,plugboard,telephone}/**/*.test.ts',
            'test/{support,docs,conformance/protocol,conformance/grpc}/**/*.test.ts',
          ],
          exclude: [INTEGRATION],
          testTimeout: 15_000,
          // Vitest takes one worker on two cores, but many of these tests wait for sockets.
          maxWorkers: 2,
          // The files of a worker share its process and its modules: this saves most of the time of the project.
          isolate: false,
          setupFiles: ['test/support/process/no-child-process.ts'],
          // For `eventually` (test/support/deadline.ts).
          env: { VERA_TEST_PATIENCE_MS: '12000' },
          expect: patience,
        },
      },
      {
        test: {
          name: 'integration',
          include: [INTEGRATION],
          globalSetup: ['test/support/postgres/postgres-setup.ts'],
          testTimeout: 15_000,
          isolate: false,
          // These tests wait for Postgres and for processes.
          maxWorkers: 2,
          env: { ...compileCache, VERA_TEST_PATIENCE_MS: '12000' },
          expect: patience,
          // The first test that asks for a database waits for the server of the run.
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/{e2e,conformance,bench}/**/*.test.ts', '{docker,scripts}/**/*.test.ts'],
          exclude: ['test/conformance/{protocol,grpc}/**'],
          globalSetup: ['test/support/postgres/postgres-setup.ts'],
          testTimeout: 60_000,
          env: compileCache,
          expect: patience,
          hookTimeout: 60_000,
          // Most of these tests wait for processes.
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          // About 2 minutes, and more when the cluster has to wait after a fault.
          testTimeout: 600_000,
          maxWorkers: 1,
        },
      },
    ],
  },
})
